"""Phones of a recording from a Praat TextGrid, as Montreal Forced Aligner writes it."""

import re
from pathlib import Path

from ....visemes.phones import SILENCE, Phone, split_classes

TIER = "phones"
_NUMBER = r"(-?[\d.]+(?:[eE][-+]?\d+)?)"
_INTERVAL = re.compile(rf'xmin\s*=\s*{_NUMBER}\s+xmax\s*=\s*{_NUMBER}\s+text\s*=\s*"((?:[^"]|"")*)"')


def read_phones(path: str | Path, phone_set: str = "arpabet") -> tuple[Phone, ...]:
    """Mouth classes of the tier "phones" of a TextGrid in Praat's long text form, in seconds, without gaps.

    Stress marks of ARPABET may be there or not; empty intervals are silence. ValueError where the file has no such
    tier or a tier without intervals.
    """
    path = Path(path)
    text = path.read_text("utf8")
    tiers = re.split(r"item\s*\[\d+\]\s*:", text)[1:]
    wanted = [tier for tier in tiers if re.search(rf'name\s*=\s*"{TIER}"', tier)]
    if not wanted:
        raise ValueError(f'{path} has no tier "{TIER}": align the recording, and save the TextGrid as a long text file')
    phones: list[Phone] = []
    for start, end, symbol in _INTERVAL.findall(wanted[0]):
        begin, stop = float(start), float(end)
        if phones and begin > phones[-1].end + 1e-4:
            phones.append(Phone(phones[-1].end, begin, SILENCE))
        if stop > begin:
            phones += split_classes(begin, stop, re.sub(r"\d+$", "", symbol.strip().lower()), phone_set)
    if not phones:
        raise ValueError(f'{path}: the tier "{TIER}" has no intervals')
    return tuple(phones)
