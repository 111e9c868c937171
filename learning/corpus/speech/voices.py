"""The voices of the corpus: engine, languages, how often each is drawn, its split, and the licence of its output."""

import hashlib
import math
from dataclasses import dataclass

import numpy as np

from .engines import available_engines, installed_voices, require_engines

OUTPUT_LICENCE = "output of a free synthesizer speaking our own text; Apache-2.0 as the rest of the project"


@dataclass(frozen=True)
class Voice:
    """speaker: the unit of the split (a person recorded for two engines is one speaker; of a blend, all in it, joined
    by "+").

    name: of the voice in its engine; languages: codes as in text.LANGUAGES; share: how often it is drawn.
    """

    speaker: str
    engine: str
    name: str
    languages: tuple[str, ...]
    share: float


_ESPEAK_VARIANTS = (
    "adam Alex Alicia Andrea Andy Annie antonio aunty belinda benjamin boris caleb david Denis Diogo ed edward "
    "Gene Gene2 grandma grandpa gustave announcer Henrique Hugo iven iven2 iven3 iven4 Jacky john kaukovalta Lee "
    "linda marcelo Marco Mario max Michael michel miguel Mike Nguyen pablo paul pedro quincy rob robert steph "
    "steph2 steph3 zac anika f1 f2 f3 f4 f5 m1 m2 m3 m4 m5 m6 m7 m8 norbert sandro shelby travis victor klatt "
    "klatt2 klatt3 klatt4 whisper whisperf"
).split()

ESPEAK_LANGUAGES: dict[str, tuple[str, ...]] = {
    "en": ("en-us", "en", "en-us", "en-gb-x-rp", "en-gb-scotland", "en-us-nyc"),
    "fr": ("fr", "fr-be"),
    "es": ("es", "es-419"),
    "pt": ("pt", "pt-br"),
}
"""Accents of espeak-ng (names of its voice files) for a language code; other codes are such names themselves."""

_ESPEAK = ("en",) * 14 + tuple("de fr es it pt ru pl cs tr fi ca nl sv ja ko hi ar id".split())
"""Languages of an espeak-ng voice, drawn evenly: almost half of its sentences are English."""

_RECORDED = (
    Voice("cmu-slt", "flite", "slt", ("en",), 3.0),
    Voice("cmu-rms", "flite", "rms", ("en",), 3.0),
    Voice("cmu-awb", "flite", "awb", ("en",), 2.5),
    Voice("cmu-kal", "flite", "kal16", ("en",), 1.0),
    Voice("cmu-slt", "festival", "cmu_us_slt_arctic_hts", ("en",), 3.0),
    Voice("cmu-kal", "festival", "kal_diphone", ("en",), 1.0),
    Voice("cstr-ked", "festival", "ked_diphone", ("en",), 1.5),
    Voice("pd-lp", "festival", "lp_diphone", ("it",), 0.8),
    Voice("pd-pc", "festival", "pc_diphone", ("it",), 0.8),
    Voice("upc-ona", "festival", "upc_ca_ona_hts", ("ca",), 1.0),
    Voice("suo-lj", "festival", "suo_fi_lj_diphone", ("fi",), 0.7),
    Voice("hy-mv", "festival", "hy_fi_mv_diphone", ("fi",), 0.7),
    Voice("czech-dita", "festival", "czech_dita", ("cs",), 0.6),
    Voice("czech-machac", "festival", "czech_machac", ("cs",), 0.6),
    Voice("czech-ph", "festival", "czech_ph", ("cs",), 0.6),
    Voice("czech-krb", "festival", "czech_krb", ("cs",), 0.6),
    Voice("msu-nsh", "festival", "msu_ru_nsh_clunits", ("ru",), 1.0),
)


KOKORO_LANGUAGES: dict[str, tuple[str, str]] = {
    "e": ("es", "es"),
    "f": ("fr", "fr-fr"),
    "i": ("it", "it"),
    "p": ("pt", "pt-br"),
    "h": ("hi", "hi"),
}
"""First letter of kokoro's voices of other languages than English: code, and espeak-ng's name for its phones."""

_BLENDS = 120  # of two or three of kokoro's voices


def installed() -> tuple[Voice, ...]:
    """The voices that this machine can speak with; raises RuntimeError when no engine is installed.

    Shares are scaled so that espeak-ng, the recorded voices of flite and festival, and kokoro's speak the same number
    of clips each.
    """
    require_engines()
    engines = available_engines()
    recorded = [v for v in _RECORDED if v.engine in engines and v.name in installed_voices(v.engine)]
    total = sum(voice.share for voice in recorded)
    voices = [Voice(v.speaker, v.engine, v.name, v.languages, v.share / total) for v in recorded]
    if "espeak-ng" in engines:
        share = 1 / len(_ESPEAK_VARIANTS)
        voices += [Voice(f"espeak-{name}", "espeak-ng", name, _ESPEAK, share) for name in _ESPEAK_VARIANTS]
    if "kokoro" in engines:
        voices += kokoro_voices(installed_voices("kokoro"), "espeak-ng" in engines)
    return tuple(voices)


def kokoro_voices(styles: frozenset[str], espeak: bool) -> list[Voice]:
    """Voices of kokoro and blends of those that are trained on, half of the clips each. All speak English, those of
    other languages their own as well, where espeak-ng writes its phones.

    A voice's name is LETTERS_PERSON: a person of two languages is one speaker. A blend of two or three voices is a
    speaker of its own; voices held out are in none.
    """
    names = sorted(styles)
    single = []
    for name in names:
        own = KOKORO_LANGUAGES.get(name[0]) if espeak else None
        languages = ("en", own[0]) if own else ("en",)
        single.append(Voice(_kokoro_speaker(name), "kokoro", name, languages, 0.5 / len(names)))
    people: dict[str, list[str]] = {}
    for voice in single:
        if split_of(voice.speaker) == "train":
            people.setdefault(voice.speaker, []).append(voice.name)
    if len(people) < 3:
        return single
    rng = np.random.default_rng(6101)
    blends: dict[str, str] = {}  # speaker -> name
    while len(blends) < min(_BLENDS, math.comb(len(people), 2)):
        mixed = rng.choice(sorted(people), size=rng.choice([2, 3], p=[0.6, 0.4]), replace=False).tolist()
        weights = np.sort(rng.dirichlet(np.full(len(mixed), 4.0)))[::-1]  # the first one's English is spoken
        names = [people[who][rng.integers(len(people[who]))] for who in mixed]
        blend = "+".join(f"{name}*{weight:.2f}" for name, weight in zip(names, weights, strict=True))
        blends["+".join(sorted(mixed))] = blend
    return single + [Voice(who, "kokoro", name, ("en",), 0.5 / len(blends)) for who, name in blends.items()]


def _kokoro_speaker(name: str) -> str:
    return f"kokoro-{name.partition('_')[2]}"


def name_in_engine(voice: Voice, language: str, rng: np.random.Generator) -> str:
    """What the voice's engine is told, for a language code of `voice.languages`."""
    if voice.engine == "espeak-ng":
        accents = ESPEAK_LANGUAGES.get(language, (language,))
        return f"{accents[rng.integers(len(accents))]}+{voice.name}"
    if voice.engine == "kokoro":
        if language == "en":
            return f"{'en-gb' if voice.name[0] == 'b' else 'en-us'}/{voice.name}"
        return f"{KOKORO_LANGUAGES[voice.name[0]][1]}/{voice.name}"
    return voice.name


_SPLIT_SALT = "mamba portrait voices 2207"  # chosen so that val and test each hold one recorded speaker


def split_of(speaker: str) -> str:
    """ "train", "val" or "test" by a hash of the speaker: 90, 5 and 5 of a hundred speakers. Of a blend, that of all in
    it; ValueError where they differ."""
    splits = {_split_of_one(one) for one in speaker.split("+")}
    if len(splits) > 1:
        raise ValueError(f"The blend {speaker} is of voices of several splits ({', '.join(sorted(splits))}).")
    return splits.pop()


def _split_of_one(speaker: str) -> str:
    digest = hashlib.sha256(f"{_SPLIT_SALT} {speaker}".encode()).digest()
    place = int.from_bytes(digest[:4], "big") / 2**32
    return "train" if place < 0.9 else "val" if place < 0.95 else "test"
