"""Data sets of films that are published as lists: HDTF, and PATS as S2G-MDDiffusion cuts it.

The lists are read in the form in which their repositories publish them; they lie in FOLDER or in a folder of their own.
"""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

from ..manifest import Entry
from .source import FILMS, Layout, Source, Window, clip_name, files_below, with_split

HDTF_PARTS = ("RD", "WDA", "WRA")
PATS_LEFT = {"oliver": 0.38, "chemistry": 0.031, "seth": 0.395, "jon": -1.0}
"""Left edge of S2G-MDDiffusion's square, as high as the film, in parts of the film's width; jon's is the right part."""
PATS_LONGEST = 15.0  # seconds


def hdtf(folder: Path, lists: Path, **_) -> Layout:
    """HDTF: films NAME.mp4 (or PART_NAME.mp4), cut by *_annotion_time.txt and *_crop_wh.txt; or clips NAME_K.mp4.

    Windows are in pixels of the rows that *_resolution.txt gives, and are scaled to a film of another size.
    """
    films = {film.stem: film for film in files_below(folder, FILMS)}
    sources, notes = [], []
    for part in HDTF_PARTS:
        times, windows, rows = (
            _table(lists, f"{part}_{kind}.txt") for kind in ("annotion_time", "crop_wh", "resolution")
        )
        for name, intervals in sorted(times.items()):
            for number, interval in enumerate(intervals):
                clip = f"{name}_{number}"
                film = films.get(name) or films.get(f"{part}_{name}")
                ready = films.get(clip) or films.get(f"{part}_{clip}") or films.get(f"{part}_{name}_{number:03d}")
                if clip not in windows:
                    notes.append(f"{clip} has no window in {part}_crop_wh.txt")
                elif film is None and ready is None:
                    notes.append(f"{name} is not here")
                else:
                    sources.append(_hdtf_clip(clip, film, ready, interval, windows[clip], rows.get(name)))
    if not sources and not notes:
        raise ValueError(f"{lists} holds no *_annotion_time.txt of HDTF; name the folder of its lists with --lists.")
    return Layout(sources, list(dict.fromkeys(notes)))


def _hdtf_clip(
    clip: str, film: Path | None, ready: Path | None, interval: str, window: list[str], rows: list[str] | None
) -> Source:
    left, side, top, _ = (int(number) for number in window)
    start, end = (seconds_of(time) for time in interval.split("-"))
    person = re.sub(r"(_?\d+)+$", "", clip.rpartition("_")[0])
    entry = Entry(film, None, f"hdtf/{person}", clip.rpartition("_")[0], start=start, seconds=end - start)
    if film is None:
        entry = Entry(ready, None, entry.speaker, entry.scene)
    height = int(rows[0]) if rows and rows[0].isdecimal() else 720
    return Source(clip_name("hdtf", clip), with_split(entry), Window(left, top, side, height))


def _table(lists: Path, name: str) -> dict[str, list[str]]:
    """Lines of words: the first, without its suffix, and the others."""
    file = next(iter(sorted(lists.rglob(name))), None)
    lines = (line.split() for line in file.read_text("utf8").splitlines()) if file else ()
    return {re.sub(r"\.mp4$", "", first): rest for first, *rest in filter(None, lines)}


def pats(folder: Path, lists: Path, **_) -> Layout:
    """PATS: cmu_intervals_df.csv over films SPEAKER/VIDEO.mp4, of the four speakers and the intervals of
    S2G-MDDiffusion's filtered_intervals.json, where that lies beside it, in its square and at most 15 s each."""
    table = next(iter(sorted(lists.rglob("cmu_intervals_df.csv"))), None)
    if table is None:
        raise ValueError(f"{lists} holds no cmu_intervals_df.csv of PATS; name its folder with --lists.")
    filtered = next(iter(sorted(lists.rglob("filtered_intervals.json"))), None)
    chosen = {}
    if filtered:
        for split, numbers in json.loads(filtered.read_text("utf8")).items():
            chosen |= {str(number): "val" if split == "dev" else split for number in numbers}
    films = {(part, film.stem): film for film in files_below(folder, FILMS) for part in film.parts[:-1]}
    sources, notes = [], []
    with table.open(encoding="utf8", newline="") as file:
        for row in csv.DictReader(file):
            speaker, number = row["speaker"], str(row["interval_id"]).partition(".")[0]
            split = chosen.get(number) if filtered else {"dev": "val"}.get(row["dataset"], row["dataset"])
            if speaker not in PATS_LEFT or split is None:
                continue
            video = pats_video(row)
            if (speaker, video) not in films:
                notes.append(f"{speaker}/{video}.mp4 is not here")
                continue
            start, end = seconds_of(row["start_time"]), seconds_of(row["end_time"])
            entry = Entry(
                films[speaker, video],
                None,
                f"pats/{speaker}",
                video,
                split,
                start=start,
                seconds=min(PATS_LONGEST, end - start),
            )
            sources.append(Source(clip_name("pats", speaker, number), entry, Window(PATS_LEFT[speaker], 0, 1)))
    return Layout(sources, list(dict.fromkeys(notes)))


def pats_video(row: dict[str, str]) -> str:
    """The name that a downloaded film has: the end of its link."""
    link = row["video_link"]
    return link[-4:] if row["speaker"] == "jon" and "youtube" not in link else link[-11:]


def seconds_of(time: str) -> float:
    """Seconds of [days or date] [H:]M:S[.f]."""
    found = re.search(r"(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)\s*$", time.strip())
    if not found:
        raise ValueError(f"'{time}' in the published list is no time such as 00:01:30.")
    return 3600 * int(found[1] or 0) + 60 * int(found[2]) + float(found[3])


PUBLISHED = {"hdtf": hdtf, "pats": pats}
