"""The papers' tables with our figures in them, on whatever data is there: a cell that has no figure says what it lacks,
a data set, weights or the file of a network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ....files import whole_file
from ...corpus.paint import paint_clips
from ...corpus.tracks import draw_tracks
from ...datasets.manifest import Entry, write_manifest
from ..report import SEED
from .measures import MEASURES, shown
from .papers import PaperTable
from .protocols import Protocol
from .samples import Sample, read_samples
from .statistics import Statistics
from .tables import ARROWS, CAUTION, markdown, printed, protocol_rows
from .weights import FILES

DRAWN = "drawn"  # the name of the set that is drawn for the table
DRAWN_SIZE = 256


@dataclass(frozen=True)
class Part:
    """What was found on a set: films of `clips` clips judged, or `lacks`, why there are none, in a few words."""

    data: str
    clips: int = 0
    statistics: Statistics | None = None
    lacks: str = ""


def published_table(protocol: Protocol, parts: Sequence[Part], drives: Sequence[str]) -> str:
    """A row for each method on each set, then for each of the paper's sets the paper's rows, and that of ours where it
    is not among the parts."""
    titles = [f"{title} {ARROWS[MEASURES[name].better]}" for title, name, _ in protocol.columns]
    rows = [["data", "method", *titles]]
    for part in parts:
        rows += _rows(protocol, part, drives)
    done = {part.data for part in parts}
    for table in protocol.tables:
        data = next(name for name in protocol.sets if name in table.title)
        if data not in done:
            done.add(data)
            rows.append([data, "ours", *(f"no {data}" for _ in titles)])
        which = ": ".join(filter(None, ("paper", table.title.partition(data)[2].strip(", "))))
        rows += [[data, f"{which}: {method}", *printed(values)] for method, values in table.rows.items()]
    if not protocol.tables:
        rows.append(["", "paper", *("not in the supplement" for _ in titles)])
    return markdown(rows) + "\n" + CAUTION + "\n"


def study_table(table: PaperTable) -> str:
    """The user study: ours waits for people, whom `study` asks."""
    rows = [["", *table.columns], ["ours", *("no participants" for _ in table.columns)]]
    return markdown([*rows, *([name, *printed(values)] for name, values in table.rows.items())])


def _rows(protocol: Protocol, part: Part, drives: Sequence[str]) -> Iterator[list[str]]:
    clips = f"{part.clips} clip{'s' if part.clips != 1 else ''}"
    if part.statistics is None:
        yield [part.data, "ours", *(part.lacks for _ in protocol.columns)]
        return
    missing = part.statistics.verdict.missing
    for label, cells in protocol_rows(part.statistics, protocol, drives):
        yield [
            f"{part.data}, {clips}",
            label,
            *(_cell(name, cells[title], missing) for title, name, _ in protocol.columns),
        ]


def _cell(name: str, value: float | None, missing: dict[str, str]) -> str:
    if value is not None:
        return shown(name, value)
    needs = missing.get(name, "")
    return f"no {FILES[needs].published[0] if needs in FILES else needs}" if needs else "-"


def clips_of_set(place: str | Path, split: str | None, most: int) -> list[Sample]:
    """The clips of a list, or of a folder that `prepare` wrote. FileNotFoundError where there is none; else errors as
    `read_samples`."""
    place = Path(place)
    if not place.exists():
        raise FileNotFoundError(f"There is no {place}.")
    return read_samples(place / "clips.csv" if place.is_dir() else place, split, most)


def drawn_clips(folder: str | Path, framing: str, count: int) -> list[Sample]:
    """So many drawn people who speak, held out from training by the seed of the model card, drawn (or completed) in
    `folder`; with their list, clips.csv."""
    folder = Path(folder)
    draw_tracks(folder, count, SEED, splits=("val", "test"), framing=framing)
    clips = [folder / "clips" / f"voice_{SEED}_{i:06d}" for i in range(count)]
    paint_clips(clips, SEED, DRAWN_SIZE)
    entries = [Entry(clip / "video.mp4", clip / "audio.wav", f"drawn/{clip.name}", split="test") for clip in clips]
    return read_samples(write_manifest(folder / "clips.csv", entries), "test")


def write_table(folder: str | Path, text: str) -> Path:
    """table.md in a folder, whole."""
    path = Path(folder) / "table.md"
    with whole_file(path) as partial:
        partial.write_text(text, "utf8")
    return path
