"""Tiers of a Praat TextGrid, in its long or its short text form, and the phones in it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from .phones import SILENCE, Phone, phone_set_of, split_classes

TIER = "phones"
Interval = tuple[float, float, str]
"""Start and end in seconds, and what is said."""

_NUMBER = r"(-?\d+\.?\d*(?:[eE][-+]?\d+)?)"
_ITEM = re.compile(r"item\s*\[\d+\]\s*:")
_NAME = re.compile(r'name\s*=\s*"((?:[^"]|"")*)"')
_INTERVAL = re.compile(rf'xmin\s*=\s*{_NUMBER}\s+xmax\s*=\s*{_NUMBER}\s+text\s*=\s*"((?:[^"]|"")*)"')
# The short form is numbers that stand alone, texts in quotes and words in <>.
_TOKEN = re.compile(r'"((?:[^"]|"")*)"|<(\w+)>|(?<!\S)([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?!\S)')

_GLIDE = re.compile(r"(?<=[aɑæɐəeɛɔoʌɜi])[jw](?!.)")


def read_phones(path: str | Path, phone_set: str = "auto") -> tuple[Phone, ...]:
    """Mouth classes of the tier "phones" of a TextGrid, in seconds, without gaps; ValueError as `phones_of_tier`."""
    path = Path(path)
    return phones_of_tier(read_tiers(decoded(path.read_bytes(), path.name), path.name), path.name, phone_set)


def decoded(data: bytes, name: str) -> str:
    """Text of a file in UTF-8 or UTF-16. ValueError for other bytes."""
    try:
        return data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{name} is no text in UTF-8 or UTF-16: save it as one.") from error


def read_tiers(text: str, name: str) -> dict[str, list[Interval]]:
    """The interval tiers of a TextGrid by name. ValueError, with the file's `name`, for another text."""
    parts = _ITEM.split(text)[1:]
    tiers = {named[1]: _intervals(part) for part in parts if (named := _NAME.search(part))} if parts else _short(text)
    if not tiers:
        raise ValueError(f"{name} is no TextGrid, or a damaged one: save it from Praat as a text file.")
    return tiers


def _intervals(part: str) -> list[Interval]:
    """The intervals of one tier of the long form."""
    return [(float(start), float(end), said.replace('""', '"')) for start, end, said in _INTERVAL.findall(part)]


def _short(text: str) -> dict[str, list[Interval]]:
    """The interval tiers of the short form; none where it is another text."""
    tokens = [_value(match) for match in _TOKEN.finditer(text)]
    tiers: dict[str, list[Interval]] = {}
    try:
        at, count = 6, int(tokens[5])  # after: the type, the class, two times, <exists>
        for _ in range(count if tokens[1] == "TextGrid" else 0):
            kind, tier, size = tokens[at], str(tokens[at + 1]), int(tokens[at + 4])
            at, width = at + 5, 3 if kind == "IntervalTier" else 2
            rows = [tokens[i : i + width] for i in range(at, at + size * width, width)]
            at += size * width
            if kind == "IntervalTier":
                tiers[tier] = [(float(start), float(end), str(said)) for start, end, said in rows]
    except (IndexError, TypeError, ValueError, OverflowError):
        return {}
    return tiers


def _value(match: re.Match) -> str | float:
    text, word, number = match.groups()
    return float(number) if number is not None else word if text is None else text.replace('""', '"')


def phones_of_tier(tiers: dict[str, list[Interval]], name: str, phone_set: str = "auto") -> tuple[Phone, ...]:
    """The phones of the tier "phones", or of one whose name ends so ("ann - phones", as MFA writes several speakers).

    ValueError where there is none, or one without intervals."""
    found = next((tier for key, tier in tiers.items() if key.lower().split(" - ")[-1].strip() == TIER), None)
    if found is None:
        raise ValueError(f'{name} has no tier "{TIER}": align the recording, or give that name to the tier of phones.')
    if not found:
        raise ValueError(f'{name}: the tier "{TIER}" has no intervals')
    return phones_of_intervals(found, phone_set)


def phones_of_intervals(intervals: Iterable[Interval], phone_set: str = "auto") -> tuple[Phone, ...]:
    """Timed symbols to viseme classes, silence between them. Stress marks may be there or not; an interval that begins
    before the one before it has ended is cut."""
    rows = list(intervals)
    if phone_set == "auto":
        phone_set = phone_set_of([symbol for _, _, symbol in rows])
    phones: list[Phone] = []
    for start, end, symbol in rows:
        before = phones[-1].end if phones else start
        if start > before + 1e-4:
            phones.append(Phone(before, start, SILENCE))
        start = max(start, before)
        if end > start:
            phones += split_classes(start, end, _plain(symbol.strip(), phone_set), phone_set)
    return tuple(phones)


def _plain(symbol: str, phone_set: str) -> str:
    """ARPABET in small letters without stress; of IPA the diphthongs that MFA writes with glides ("aj", "ow") with
    vowels, since a glide of its own would shut the lips."""
    if phone_set == "arpabet":
        return symbol.lower().rstrip("0123456789")
    return _GLIDE.sub(lambda match: {"j": "ɪ", "w": "ʊ"}[match[0]], symbol) if phone_set == "ipa" else symbol
