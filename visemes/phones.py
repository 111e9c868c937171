"""Phone sets of the speech engines, and their maps to viseme classes.

A class describes the lips and the front of the tongue; voicing and nasality are dropped, so b, p and m are one class.
Vowel classes are named by their nearest letter; `I`, `E`, `O`, `U` are the lax ones, `ii` a close central vowel, `oe`
and `y` the front rounded ones.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

VOWELS = frozenset("a ae E e i I y oe schwa er uh O o U u ii".split())
CONSONANTS = frozenset("p f w S s t l th k r j h".split())
SILENCE = "sil"
CLASSES: tuple[str, ...] = (SILENCE, *sorted(VOWELS), *sorted(CONSONANTS))


@dataclass(frozen=True)
class Phone:
    """One viseme class from `start` to `end`, in seconds."""

    start: float
    end: float
    kind: str

    @property
    def duration(self) -> float:
        return self.end - self.start

    def moved(self, offset: float, factor: float = 1.0) -> "Phone":
        """The phone with its times multiplied by `factor`, then moved by `offset` seconds."""
        return Phone(self.start * factor + offset, self.end * factor + offset, self.kind)


_IPA_SETS = {
    "a": "aɑäɐᴀ", "ae": "æ", "E": "ɛ", "e": "e", "i": "i", "I": "ɪ", "y": "yʏ", "oe": "øœɶ", "schwa": "əɘɤ",
    "er": "ɜɝɚɞɵ", "uh": "ʌ", "O": "ɔɒ", "o": "o", "U": "ʊ", "u": "uʉ", "ii": "ɨɯɿʅᵻ", "p": "pbmɓʙ", "f": "fvɱʋ",
    "w": "wʍβɸɥ", "S": "ʃʒʂʐɕʑ", "s": "szʦʣ", "t": "tdnʈɖɳ", "l": "lɫɭɬʎ", "th": "θðɮ", "k": "kgɡŋxɣcɟɲɴqɢχʁɰ",
    "r": "ɹrɾʀɻɽ", "j": "jçʝ", "h": "hɦʔħʕʢ",
}  # fmt: skip
_IPA = {symbol: kind for kind, symbols in _IPA_SETS.items() for symbol in symbols}

_ARPABET = {
    "aa": "a", "ae": "ae", "ah": "uh", "ao": "O", "ax": "schwa", "axr": "er", "eh": "E", "er": "er", "ih": "I",
    "iy": "i", "uh": "U", "uw": "u", "p": "p", "b": "p", "m": "p", "em": "p", "f": "f", "v": "f", "w": "w", "hw": "w",
    "sh": "S", "zh": "S", "s": "s", "z": "s", "t": "t", "d": "t", "n": "t", "en": "t", "dx": "t", "nx": "t", "l": "l",
    "el": "l", "th": "th", "dh": "th", "k": "k", "g": "k", "ng": "k", "r": "r", "y": "j", "hh": "h", "hv": "h",
    "h": "h", "aw": "a U", "ay": "a I", "ey": "e I", "ow": "o U", "oy": "O I", "ch": "t S", "jh": "t S",
}  # fmt: skip

_SAMPA = {
    "a": "a", "e": "e", "E": "E", "i": "i", "o": "o", "O": "O", "u": "u", "y": "y", "ax": "schwa", "p": "p", "b": "p",
    "m": "p", "B": "f", "f": "f", "v": "f", "nf": "f", "s": "s", "z": "s", "ts": "s", "dz": "s", "S": "S", "Z": "S",
    "tS": "t S", "dZ": "t S", "t": "t", "d": "t", "n": "t", "D": "th", "l": "l", "ll": "l", "L": "l", "r": "r",
    "rr": "r", "J": "k", "k": "k", "g": "k", "G": "k", "N": "k", "ng": "k", "x": "k", "j": "j", "y_": "j", "w": "w",
    "h": "h",
}  # fmt: skip

_FINNISH = _SAMPA | {"@": "ae", "7": "oe", "ä": "ae", "ö": "oe", "{": "ae", "|": "oe"}

_CZECH = _SAMPA | {
    "y": "i", "c": "s", "c~": "t S", "s~": "S", "z~": "S", "r~": "S", "t~": "t", "d~": "t", "n~": "k", "n*": "k",
    "ch": "k", "dz~": "t S",
}  # fmt: skip

_RUSSIAN = {
    "a": "a", "aa": "a", "ay": "schwa", "e": "e", "ee": "E", "ae": "schwa", "i": "I", "ii": "i", "y": "ii",
    "yy": "ii", "ur": "U", "u": "U", "uu": "u", "oo": "O", "o": "O", "p": "p", "b": "p", "m": "p", "f": "f", "v": "f",
    "s": "s", "z": "s", "c": "s", "sh": "S", "zh": "S", "ch": "t S", "sch": "S", "t": "t", "d": "t", "n": "t",
    "l": "l", "r": "r", "k": "k", "g": "k", "h": "k", "j": "j",
}  # fmt: skip

_PAUSES = frozenset(("", "#", "_", "pau", "ssil", "sil", "brth", "sp", "<eps>", "<sil>", "noise"))
UNKNOWN = "spn"  # a word that an aligner does not know
PHONE_SETS: tuple[str, ...] = ("ipa", "arpabet", "sampa", "finnish", "czech", "russian")


def classes(symbol: str, phone_set: str) -> list[str]:
    """The one to three viseme classes of a phone symbol, in order; pauses and unknown marks are silence.

    phone_set: "ipa" (espeak-ng), "arpabet" (English of flite and festival), "sampa" (Italian, Catalan), "finnish",
    "czech", "russian". Raises ValueError for any other set.
    """
    if symbol.lower() == UNKNOWN:
        return ["schwa"]
    if phone_set == "ipa":
        return [SILENCE] if symbol.lower() in _PAUSES else _ipa_classes(symbol)
    tables = {"arpabet": _ARPABET, "sampa": _SAMPA, "finnish": _FINNISH, "czech": _CZECH, "russian": _RUSSIAN}
    if phone_set not in tables:
        raise ValueError(f"Unknown phone set {phone_set!r}; choose ipa, {', '.join(tables)}.")
    if symbol in _PAUSES:
        return [SILENCE]
    table = tables[phone_set]
    plain = symbol.rstrip("0123456789:") or symbol  # length and stress marks
    # Russian soft consonants and Finnish or Italian long ones are written double.
    for name in (
        symbol,
        plain,
        plain[: len(plain) // 2] if plain[: len(plain) // 2] * 2 == plain else plain,
        plain[:1],
    ):
        if name in table:
            return table[name].split()
    return ["schwa"]


def phone_set_of(symbols: Iterable[str]) -> str:
    """The set of some symbols: "arpabet" where all are in it, in any case, stressed or not, else "ipa"."""
    said = {symbol.strip().lower().rstrip("0123") for symbol in symbols} - _PAUSES - {UNKNOWN}
    return "arpabet" if said <= _ARPABET.keys() else "ipa"


def _ipa_classes(symbol: str) -> list[str]:
    if symbol.startswith("("):  # a change of language, "(en)"
        return [SILENCE]
    found: list[str] = []
    for character in unicodedata.normalize("NFD", symbol):
        kind = _IPA.get(character)
        if kind and (not found or found[-1] != kind):
            found.append(kind)
    if found == ["t", "s"]:
        return ["s"]
    return found[:3] or [SILENCE]


def split_classes(start: float, end: float, symbol: str, phone_set: str) -> list[Phone]:
    """The phones of one symbol from start to end (s): its classes, in equal parts."""
    kinds = classes(symbol, phone_set)
    step = (end - start) / len(kinds)
    return [Phone(start + i * step, start + (i + 1) * step, kind) for i, kind in enumerate(kinds)]
