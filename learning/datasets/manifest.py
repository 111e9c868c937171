"""The one list of films and recordings that preparing, training and judging read: CSV with a header, or JSON lines.

A line is a clip. Columns, of which any may be missing or empty but `speaker` and one of `video` and `audio`:

    video       a film, or a picture
    audio       its sound, where that is a file of its own
    speaker     DATASET/NAME, such as grid/s33 (splits.py says who is held out)
    scene       what tells recordings of a speaker apart: a room, a day, a camera
    split       train, val or test; by default what splits.py says
    transcript  the words
    textgrid    Praat's, with a tier of phones
    landmarks   of MediaPipe's face mesh: an .npy, or an .npz with an array (T,K,2 or 3) named as the clip
    labels      the mouth's own curves, such as blend shapes: an .npz
    start       seconds after the beginning of the film at which the clip begins
    seconds     its length
    fps         rows a second of landmarks and labels (default: the film's own)

Paths are relative to the list. A line that would train on somebody who is held out is refused.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from ...files import whole_file
from .splits import SPLITS, check_training, split_of

PATHS = ("video", "audio", "textgrid", "landmarks", "labels")
NUMBERS = ("start", "seconds", "fps")
SUFFIXES = (".csv", ".jsonl")


@dataclass(frozen=True)
class Entry:
    """A clip. Paths are absolute, or relative to the working folder, and None where there is none."""

    video: Path | None = None
    audio: Path | None = None
    speaker: str = ""
    scene: str = ""
    split: str = "train"
    transcript: str = ""
    textgrid: Path | None = None
    landmarks: Path | None = None
    labels: Path | None = None
    start: float = 0.0
    seconds: float | None = None
    fps: float | None = None

    @property
    def clip(self) -> str:
        """The name of its file without suffix; not unique where several clips are cut from one film."""
        return (self.video or self.audio).stem

    @property
    def sound(self) -> Path:
        """The file that holds its sound, if anything does: its own, or the film."""
        return self.audio or self.video


COLUMNS = tuple(field.name for field in fields(Entry))


def read_manifest(path: str | Path, split: str | None = None) -> list[Entry]:
    """The clips of a list, or those of one split of it, in its order.

    Raises FileNotFoundError where there is no list, and ValueError with the list's name and the line for: a file that
    is not there, a column or a split that does not exist, a number that is none, a clip without speaker or file, and
    somebody held out in another split than test (HeldOutError); likewise where no line is of the split.
    """
    path = Path(path)
    if split is not None and split not in SPLITS:
        raise ValueError(f"There is no split '{split}'; use one of {', '.join(SPLITS)}.")
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"{path} is no list of clips: name a file that ends in {' or '.join(SUFFIXES)}.")
    if not path.is_file():
        raise FileNotFoundError(f"There is no list of clips {path}; `prepare` writes one, or write it by hand.")
    entries = [_entry(row, path.parent, f"{path} line {line}") for line, row in _rows(path)]
    found = [entry for entry in entries if split in (None, entry.split)]
    if not found:
        raise ValueError(f"{path} lists no clip{f' of the split {split!r}' if split else ''}.")
    return found


def _rows(path: Path) -> Iterator[tuple[int, dict]]:
    """Each line's number and its columns."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            if path.suffix.lower() == ".csv":
                reader = csv.DictReader(file)
                for row in reader:
                    if None in row or None in row.values():
                        raise ValueError(f"{path} line {reader.line_num} has not as many columns as the first line.")
                    yield reader.line_num, row
                return
            for line, text in enumerate(file, 1):
                if text.strip():
                    yield line, _json(text, f"{path} line {line}")
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} cannot be read as a list of clips: {error}; save it as UTF-8.") from error


def _json(text: str, where: str) -> dict:
    try:
        row = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{where} is not JSON: {error}.") from error
    if not isinstance(row, dict):
        raise ValueError(f'{where} must be an object such as {{"video": "a.mp4", "speaker": "ann"}}.')
    return row


def _entry(row: dict, folder: Path, where: str) -> Entry:
    unknown = set(row) - set(COLUMNS)
    if unknown:
        raise ValueError(f"{where}: there is no column '{sorted(map(str, unknown))[0]}'; use {', '.join(COLUMNS)}.")
    given = {name: value for name, value in row.items() if value not in (None, "")}
    if not given.get("speaker"):
        raise ValueError(f"{where} names no speaker.")
    if "video" not in given and "audio" not in given:
        raise ValueError(f"{where} names neither a video nor an audio file.")
    values: dict = {name: str(value) for name, value in given.items()}
    for name in set(PATHS) & set(values):
        values[name] = folder / values[name]
        if not values[name].is_file():
            raise ValueError(f"{where}: there is no file {values[name]} ({name}); paths are relative to the list.")
    for name in set(NUMBERS) & set(values):
        values[name] = _number(values[name], name, where)
    clip = (values.get("video") or values["audio"]).stem
    split = values.setdefault("split", split_of(values["speaker"], clip))
    if split not in SPLITS:
        raise ValueError(f"{where}: there is no split '{split}'; use one of {', '.join(SPLITS)}.")
    if split != "test":
        check_training(values["speaker"], clip, where)
    return Entry(**values)


def _number(text: str, name: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not (0 <= value < float("inf")) or (name != "start" and value == 0):
        raise ValueError(
            f"{where}: {name} must be a number of {'frames a second' if name == 'fps' else 'seconds'} "
            f"{'from' if name == 'start' else 'above'} 0, not '{text}'."
        )
    return value


def write_manifest(path: str | Path, entries: Iterable[Entry]) -> Path:
    """Write a list, CSV or JSON lines by its suffix, with paths relative to it; it appears only when complete."""
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"A list of clips is a file that ends in {' or '.join(SUFFIXES)}, not {path.name}.")
    rows = [_row(entry, path.parent) for entry in entries]
    with whole_file(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        if path.suffix.lower() == ".csv":
            used = {"video", "speaker", "split"}.union(*rows)
            writer = csv.DictWriter(file, [name for name in COLUMNS if name in used], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        else:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return path


def _row(entry: Entry, folder: Path) -> dict:
    """What a line tells of a clip: columns that are not empty."""
    row = {}
    for name in COLUMNS:
        value = getattr(entry, name)
        if value in (None, "") or (name == "start" and value == 0):
            continue
        row[name] = _relative(value, folder) if name in PATHS else value
    return row


def _relative(file: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(file, folder)).as_posix()
    except ValueError:  # on another drive
        return str(Path(file).absolute())
