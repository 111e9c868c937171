"""TextGrids of a part of a film, and of GRID's .align files."""

from __future__ import annotations

import re
from pathlib import Path

ALIGN_UNIT = 25_000  # of GRID's .align files, in a second
SILENCES = ("sil", "sp")
_NUMBER = r"(-?[\d.]+(?:[eE][-+]?\d+)?)"
_INTERVAL = re.compile(rf'xmin\s*=\s*{_NUMBER}\s+xmax\s*=\s*{_NUMBER}\s+text\s*=\s*"((?:[^"]|"")*)"')
_TIER = re.compile(r'name\s*=\s*"((?:[^"]|"")*)"')

Intervals = list[tuple[float, float, str]]


def read_tiers(path: str | Path) -> dict[str, Intervals]:
    """Tiers of intervals by name, in seconds, of a TextGrid in Praat's long text form. ValueError for another file."""
    parts = re.split(r"item\s*\[\d+\]\s*:", Path(path).read_text("utf8"))[1:]
    tiers = {}
    for part in parts:
        if name := _TIER.search(part):
            tiers[name[1]] = [(float(start), float(end), text) for start, end, text in _INTERVAL.findall(part)]
    if not tiers:
        raise ValueError(f"{path} has no tier of intervals: save the TextGrid as a long text file.")
    return tiers


def read_align(path: str | Path) -> Intervals:
    """The words of a GRID .align file, in seconds; silences are empty."""
    rows = [line.split() for line in Path(path).read_text("utf8").splitlines() if line.strip()]
    if not rows or any(len(row) != 3 or not (row[0] + row[1]).isdecimal() for row in rows):
        raise ValueError(f"{path} is no .align file of GRID: its lines must be START END WORD.")
    return [
        (int(start) / ALIGN_UNIT, int(end) / ALIGN_UNIT, "" if word in SILENCES else word) for start, end, word in rows
    ]


def part_of(tiers: dict[str, Intervals], start: float, seconds: float) -> dict[str, Intervals]:
    """The intervals of a part of the recording, from its own beginning, cut at its edges."""
    cut = {}
    for name, intervals in tiers.items():
        moved = [(max(0.0, a - start), min(seconds, b - start), text) for a, b, text in intervals]
        cut[name] = [(a, b, text) for a, b, text in moved if b > a]
    return cut


def written(tiers: dict[str, Intervals], seconds: float) -> str:
    """A TextGrid in Praat's long text form; what lies between intervals is empty ones."""
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {seconds:g}"]
    lines += ["tiers? <exists>", f"size = {len(tiers)}", "item []:"]
    for number, (name, intervals) in enumerate(tiers.items(), 1):
        whole = _without_gaps(intervals, seconds)
        lines += [
            f"    item [{number}]:",
            '        class = "IntervalTier"',
            f'        name = "{name}"',
            "        xmin = 0",
        ]
        lines += [f"        xmax = {seconds:g}", f"        intervals: size = {len(whole)}"]
        for place, (start, end, text) in enumerate(whole, 1):
            lines += [
                f"        intervals [{place}]:",
                f"            xmin = {start:.6g}",
                f"            xmax = {end:.6g}",
            ]
            lines.append(f'            text = "{text}"')
    return "\n".join(lines) + "\n"


def _without_gaps(intervals: Intervals, seconds: float) -> Intervals:
    whole, at = [], 0.0
    for start, end, text in intervals:
        if start > at + 1e-4:
            whole.append((at, start, ""))
        whole.append((max(at, start), end, text))
        at = end
    return whole if at > seconds - 1e-4 else [*whole, (at, seconds, "")]
