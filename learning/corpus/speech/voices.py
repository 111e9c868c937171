"""The voices of the corpus: engine, languages, how often each is drawn, its split, and the licence of its output."""

import hashlib
from dataclasses import dataclass

from .engines import available_engines, installed_voices, require_engines

OUTPUT_LICENCE = "output of a free synthesizer speaking our own text; Apache-2.0 as the rest of the project"


@dataclass(frozen=True)
class Voice:
    """speaker: the unit of the split (a person recorded for two engines is one speaker).

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


def installed() -> tuple[Voice, ...]:
    """The voices that this machine can speak with; raises RuntimeError when no engine is installed.

    Shares are scaled so that espeak-ng and the recorded voices of flite and festival speak half of the clips each, the
    mixture that generalised best to real speakers.
    """
    require_engines()
    engines = available_engines()
    recorded = [v for v in _RECORDED if v.engine in engines and v.name in installed_voices(v.engine)]
    total = sum(voice.share for voice in recorded)
    voices = [Voice(v.speaker, v.engine, v.name, v.languages, v.share / total) for v in recorded]
    if "espeak-ng" in engines:
        share = 1 / len(_ESPEAK_VARIANTS)
        voices += [Voice(f"espeak-{name}", "espeak-ng", name, _ESPEAK, share) for name in _ESPEAK_VARIANTS]
    return tuple(voices)


_SPLIT_SALT = "mamba portrait voices 2207"  # chosen so that val and test each hold one recorded speaker


def split_of(speaker: str) -> str:
    """ "train", "val" or "test" by a hash of the speaker: 90, 5 and 5 of a hundred speakers."""
    digest = hashlib.sha256(f"{_SPLIT_SALT} {speaker}".encode()).digest()
    place = int.from_bytes(digest[:4], "big") / 2**32
    return "train" if place < 0.9 else "val" if place < 0.95 else "test"
