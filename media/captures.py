"""Captured faces as tables of named columns: Live Link Face, MediaPipe's and FACEGOOD's blend shapes; and MediaPipe's
landmarks. Read into motion parameters, and written from them."""

from __future__ import annotations

import csv
import io
import math
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..files import whole_file
from ..messages import shown
from ..vocabulary import COUNT
from .arkit import COLUMNS, PLACE, SHAPES, from_arkit, to_arkit
from .facegood import FACEGOOD, from_facegood, to_facegood
from .mesh_parameters import MESH, parameters_of_mesh

FORMS = ("live link", "mediapipe", "facegood")
"""Of tables that are written: Live Link Face's 61 columns, MediaPipe's 52 shapes, FACEGOOD's 33."""
NEUTRALS = ("rest", "first frame")
"""What a capture's movement is told from: its own zero, as phones calibrate it, or the face of its first frame."""
MEDIAPIPE: tuple[str, ...] = (
    "_neutral",
    *sorted(name[0].lower() + name[1:] for name in SHAPES if name != "TongueOut"),
)
SUFFIXES = (".csv", ".npz", ".npy")
LARGEST = 256 << 20  # bytes of a file
MOST_FRAMES = 2_000_000
RATES = (24, 25, 30, 50, 60, 120)
SLOWEST, FASTEST = 1.0, 240.0  # frames a second
TIMES = {"time": 1.0, "timestamp": 1.0, "seconds": 1.0, "timestamp_ms": 1e-3, "time_ms": 1e-3}
"""Columns that tell when a row was seen, and their unit in seconds."""
TABLE_RATE = Fraction(60)  # of a table that tells no times: a phone's

_TIMECODE = re.compile(r"(\d{1,3}):(\d{1,2}):(\d{1,2})[:;](\d{1,3}(?:\.\d+)?)")


@dataclass(frozen=True, eq=False)
class Capture:
    """parameters (T,24) float32 (vocabulary.py), and their frames a second."""

    parameters: np.ndarray
    fps: Fraction


def read_capture(path: str | Path, fps: Fraction | None = None) -> Capture:
    """A capture from a CSV, an NPZ of FACEGOOD's (weights, names, fps), or landmarks (T,478,3) of MediaPipe in an NPY
    or NPZ.

    fps: where the file tells no times (default: 60, of landmarks 25). Frames that were dropped are filled in by the
    times. FileNotFoundError, or ValueError, one sentence, for a file that holds none of these."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path.name}: there is no such file.")
    if path.stat().st_size > LARGEST:
        raise ValueError(f"{path.name} has {path.stat().st_size >> 20} MB, and captures take at most {LARGEST >> 20}.")
    read: dict[str, Callable] = {".csv": _read_csv, ".npz": _read_npz, ".npy": _read_npz}
    if path.suffix.lower() not in read:
        raise ValueError(f"{path.name} is no capture: give a CSV of blend shapes, or landmarks in an NPZ or NPY.")
    capture = read[path.suffix.lower()](path, fps)
    if not np.isfinite(capture.parameters).all():
        raise ValueError(f"{path.name} has numbers that are not finite: export the recording again.")
    return capture


def _read_csv(path: Path, fps: Fraction | None) -> Capture:
    try:
        text = path.read_text("utf-8-sig")
        rows = [row for row in csv.reader(io.StringIO(text)) if any(cell.strip() for cell in row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path.name} is no CSV in UTF-8: export the recording again.") from error
    if len(rows) < 2 or len(rows) > MOST_FRAMES:
        raise ValueError(f"{path.name} has {max(0, len(rows) - 1)} frames: a capture has 1 to {MOST_FRAMES - 1}.")
    head = [name.strip() for name in rows[0]]
    rows = [row for row in rows[1:] if len(row) == len(head)]  # a phone stops in the middle of its last line
    if not rows:
        raise ValueError(f"{path.name}: no line has as many columns as the first one, {len(head)}.")
    times = _times(head, rows, path.name, fps)
    convert, wanted = _form(head, path.name)
    places = {name.lower(): i for i, name in enumerate(head)}
    columns = [places.get(name.lower()) for name in wanted]
    values = np.zeros((len(rows), len(wanted)), np.float32)
    try:
        for at, place in enumerate(columns):
            if place is not None:
                values[:, at] = [float(row[place] or 0) for row in rows]
    except ValueError as error:
        raise ValueError(f"{path.name}: {shown(str(error))} in the column {head[place]}.") from error
    return _evenly(convert(values), *times)


def _form(head: list[str], name: str) -> tuple[Callable[[np.ndarray], np.ndarray], tuple[str, ...]]:
    """How the columns become parameters, and which are read. A half of the shapes is enough."""
    there = {column.lower() for column in head}
    for convert, wanted, known in ((from_arkit, COLUMNS, SHAPES), (from_facegood, FACEGOOD, FACEGOOD)):
        if sum(column.lower() in there for column in known) >= len(known) // 3:
            return convert, wanted
    raise ValueError(
        f"{name} has no columns of blend shapes such as JawOpen and EyeBlinkLeft, or mouth_stretch_c: its first line "
        "must name them."
    )


def _times(head: list[str], rows: list[list[str]], name: str, fps: Fraction | None) -> tuple[np.ndarray, Fraction]:
    """Seconds of each row, and the rate that they come nearest to."""
    lower = [column.lower() for column in head]
    if "timecode" in lower and fps is None:
        cells = [_TIMECODE.fullmatch(row[lower.index("timecode")].strip()) for row in rows]
        if all(cells):
            return _of_timecodes([tuple(map(float, cell.groups())) for cell in cells])
    for column, unit in (
        ("time", 1.0),
        ("timestamp", 1.0),
        ("seconds", 1.0),
        ("timestamp_ms", 1e-3),
        ("time_ms", 1e-3),
    ):
        if column in lower and fps is None:
            try:
                times = unit * np.array([float(row[lower.index(column)]) for row in rows])
            except ValueError as error:
                raise ValueError(f"{name} has {shown(str(error))} in the column {column}.") from error
            if len(times) > 1 and (np.diff(times) > 0).all():
                return times - times[0], _nearest(1 / float(np.median(np.diff(times))))
    rate = fps or TABLE_RATE
    return np.arange(len(rows)) / float(rate), rate


def _of_timecodes(cells: list[tuple[float, ...]]) -> tuple[np.ndarray, Fraction]:
    """Hours, minutes, seconds and frames to seconds. The highest frame number tells how many there are in a second."""
    hours, minutes, seconds, frames = np.array(cells).T
    base = next((rate for rate in RATES if rate > frames.max()), RATES[-1])
    whole = 3600 * hours + 60 * minutes + seconds
    if len(frames) < base:  # shorter than a second: its highest frame number tells little
        base = max(base, 60)
    times = whole + frames / base
    times = np.maximum.accumulate(times - times[0] + 86400 * np.cumsum(np.diff(times, prepend=times[0]) < -43200))
    steps = np.diff(times)[np.diff(times) > 0]  # dropped frames leave the median as it is
    return times, _nearest(1 / float(np.median(steps)) if len(steps) else base)


def _nearest(rate: float) -> Fraction:
    """The usual rate within 2 % of one, else that rate."""
    usual = min(RATES, key=lambda known: abs(known - rate))
    if abs(usual - rate) < 0.02 * usual:
        return Fraction(usual)
    return Fraction(round(min(max(rate, SLOWEST), FASTEST) * 1000), 1000)


def _evenly(parameters: np.ndarray, times: np.ndarray, rate: Fraction) -> Capture:
    """Rows at their times to rows at even ones."""
    frames = max(1, round(times[-1] * float(rate)) + 1)
    if frames > MOST_FRAMES:
        raise ValueError(f"The times of the capture span {times[-1]:g} seconds: they are damaged.")
    even = np.arange(frames) / float(rate)
    columns = [np.interp(even, times, column) for column in parameters.T]
    return Capture(np.stack(columns, 1).astype(np.float32), rate)


def _read_npz(path: Path, fps: Fraction | None) -> Capture:
    try:
        loaded = np.load(path, allow_pickle=False)
        arrays = {"": loaded} if isinstance(loaded, np.ndarray) else {name: loaded[name] for name in loaded.files[:8]}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, MemoryError) as error:
        raise ValueError(f"{path.name} is no NumPy file, or a damaged one: save it again.") from error
    if {"weights", "names"} <= arrays.keys() and arrays["weights"].ndim == 2:
        names = [str(name) for name in np.ravel(arrays["names"])]
        weights = arrays["weights"].astype(np.float32)
        if len(names) != weights.shape[1] or not len(weights):
            raise ValueError(f"{path.name} has {len(names)} names for weights of shape {weights.shape}.")
        rate = fps or Fraction(str(float(np.ravel(arrays.get("fps", 30))[0]))).limit_denominator(1001)
        convert, wanted = _form(names, path.name)
        places = {name.lower(): i for i, name in enumerate(names)}
        chosen = [places.get(name.lower()) for name in wanted]
        empty = np.zeros(len(weights), np.float32)
        return Capture(convert(np.stack([empty if i is None else weights[:, i] for i in chosen], 1)), rate)
    points = next((array for array in arrays.values() if array.ndim == 3 and array.shape[1] >= MESH), None)
    if points is None or points.shape[2] != 3 or not len(points) or not np.issubdtype(points.dtype, np.floating):
        raise ValueError(f"{path.name} holds no landmarks (T,{MESH},3) and no weights with their names.")
    return Capture(parameters_of_mesh(points.astype(np.float32)), fps or Fraction(25))


def write_capture(path: str | Path, parameters: np.ndarray, fps: Fraction, form: str = FORMS[0]) -> Path:
    """Motion parameters (T,24) -> a CSV in one of FORMS; it appears only when complete. ValueError for another form."""
    if form not in FORMS:
        raise ValueError(f"Unknown form '{form}'; use one of {', '.join(FORMS)}.")
    parameters = np.asarray(parameters, np.float32).reshape(-1, COUNT)
    arkit = to_arkit(parameters)
    if form == "live link":
        head, values = ("Timecode", "BlendshapeCount", *COLUMNS), arkit
        front = [(timecode(i, fps), str(len(COLUMNS))) for i in range(len(values))]
    elif form == "mediapipe":
        places = [PLACE[name[0].upper() + name[1:]] for name in MEDIAPIPE[1:]]
        values = np.concatenate([np.zeros((len(arkit), 1), np.float32), arkit[:, places]], 1)
        head, front = ("time", *MEDIAPIPE), [(f"{i / float(fps):.6f}",) for i in range(len(values))]
    else:
        head, values = ("time", *FACEGOOD), to_facegood(arkit)
        front = [(f"{i / float(fps):.6f}",) for i in range(len(values))]
    with whole_file(path) as partial, open(partial, "w", encoding="utf8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(head)
        for first, row in zip(front, values, strict=True):
            writer.writerow([*first, *(f"{value:.10f}" for value in row.tolist())])
    return Path(path)


def timecode(frame: int, fps: Fraction) -> str:
    """Hours:minutes:seconds:frames, the frames with three places behind the point, as phones write them."""
    seconds = math.floor(frame / fps)
    rest = float(frame - seconds * fps)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{rest:06.3f}"
