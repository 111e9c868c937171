"""Evaluation on a user's own files of real faces and voices, with MediaPipe as reference. None is used for training."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...media.audio import load_audio
from ...media.faces import NoFaceError
from ...media.photo import load_photo
from ...networks.motion_model.model import MotionModel
from ...networks.renderer.model import Renderer
from ...pipelines.framing import frame_portrait
from ...pipelines.speaking import prepare_voice
from ...vocabulary import FPS, SAMPLES_A_FRAME
from .actalker.mouth_boxes import measure_mouth_box
from .face_mesh import FaceBoxes, FaceMesh, measure_portrait, media_pipe, media_pipe_faces
from .films import measure_films
from .finding import measure_finder
from .metrics import mean_of
from .sheets import motion_sheet, write_sheet
from .speakers import measure_speakers, measure_talking_portrait

ASSETS = Path(__file__).parents[2] / "assets"
SPEAKER = ASSETS / "portrait_2.jpg"  # animated with the real voices: its lips are closed, so that any gap is motion
VOICE, VOICE_SECONDS = ASSETS / "greeting.flac", 3.0  # that the portraits are animated with
FOLLOWS = 0.5  # correlation from which on a mouth counts as following the voice

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
VIDEOS = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".mpg")

Progress = Callable[[str, int, int], None]  # what, done, total

ROWS: tuple[tuple[str, str, str, str], ...] = (
    ("speakers", "lips", "lips from real voices: correlation before rendering", ">= 0.45"),
    ("speakers", "loudness", "the same of loudness", ""),
    ("speakers", "above", "lips above loudness", ">= 0.15"),
    ("speakers", "rendered", "lips from real voices, seen in the finished video", ">= 0.40"),
    ("speakers", "reach_ratio", "how far they open, of the speakers' own (10th to 90th percentile)", "0.85 to 1.2"),
    ("speakers", "width", "width of the mouth, seen in the finished video", ">= 0.50"),
    ("speakers", "width_reach_ratio", "how far it goes, of the speakers' own", "0.85 to 1.2"),
    ("speakers", "count", "real speakers", ">= 6"),
    ("portraits", "jaw_correlation", "commanded mouth: correlation", ">= 0.9"),
    ("portraits", "jaw_slope", "commanded mouth: part that is seen", ">= 0.6"),
    ("portraits", "yaw_slope", "commanded turn: part that is seen", ">= 0.8"),
    ("portraits", "blink_slope", "commanded blink: part that is seen", ">= 0.7"),
    ("portraits", "voice", "mouth seen in speaking portraits: correlation with the commanded one", ""),
    ("portraits", "voice_lowest", "the same on the worst portrait", ""),
    ("portraits", "follows", "part of the portraits whose mouth follows the voice (0.5 and above)", "1"),
    ("portraits", "mouth_covered", "ACTalker's mouth box: part of the lips (MediaPipe) inside it", "1"),
    ("portraits", "mouth_larger", "its area, in areas of the lips' box", ""),
    ("portraits", "count", "portraits", ">= 10"),
    ("videos", "gain", "real films from their first frame, over copying it (dB)", ""),
    ("videos", "better", "part of the films that are better than the copy", "1"),
    ("videos", "count", "films", ">= 6"),
    ("finder", "found", "face finder: part of MediaPipe's faces found", ">= 0.95"),
    ("finder", "faces", "MediaPipe's faces", ""),
    ("finder", "false", "found in pictures without faces", "0"),
    ("finder", "faceless", "pictures without faces", ""),
)

COUNTS = ("count", "faces", "false", "faceless")


@dataclass(frozen=True)
class RealFiles:
    """Files to measure on; an empty list leaves its measure out."""

    portraits: Sequence[Path] = field(default_factory=list)
    videos: Sequence[Path] = field(default_factory=list)
    speakers: Sequence[Path] = field(default_factory=list)
    faces: Sequence[Path] = field(default_factory=list)
    faceless: Sequence[Path] = field(default_factory=list)


def files_of(paths: Sequence[str | Path], suffixes: tuple[str, ...]) -> list[Path]:
    """The files, with each folder replaced by those in it that end in one of the suffixes, in the order of their names.

    FileNotFoundError for a path that does not exist or a folder that holds none."""
    files: list[Path] = []
    for path in map(Path, paths):
        inside = sorted(p for p in path.iterdir() if p.suffix.lower() in suffixes) if path.is_dir() else [path]
        if not inside or not inside[0].is_file():
            raise FileNotFoundError(f"{path}: there is no file that ends in {', '.join(suffixes)}")
        files += inside
    return files


def evaluate_real(
    renderer: Renderer,
    motion_model: MotionModel | None,
    files: RealFiles,
    out: str | Path,
    *,
    mesh: FaceMesh | None = None,
    boxes: FaceBoxes | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """{"speakers" | "portraits" | "videos" | "finder": {"mean": figures, "each": {file: figures}}}, for given files.

    out: a folder for contact sheets and for the videos of the speakers. mesh and boxes: the reference detectors,
    MediaPipe's by default. motion_model None leaves the voices out.
    """
    out, figures = Path(out), {}
    mesh = mesh or (media_pipe() if files.speakers or files.portraits else None)
    if files.speakers and motion_model is not None:
        report = _named(progress, "voices")
        photo = portrait_of(SPEAKER)
        each = measure_speakers(
            renderer, motion_model, files.speakers, photo, mesh, out=out / "speakers", progress=report
        )
        figures["speakers"] = {"mean": _speakers(each), "each": each}
    if files.portraits:
        each = _measure_portraits(renderer, motion_model, files.portraits, mesh, out, _named(progress, "portraits"))
        figures["portraits"] = {"mean": _portraits(each), "each": each}
    if files.videos:
        each, rows = measure_films(renderer, files.videos, progress=_named(progress, "films"))
        if rows:
            write_sheet(rows, ["first frame", *(3 * ["film", "ours"])], out / "films.jpg")
        figures["videos"] = {"mean": _films(each), "each": each}
    if files.faces or files.faceless:
        judge = boxes or media_pipe_faces()
        each = measure_finder(files.faces, files.faceless, judge, progress=_named(progress, "faces"))
        figures["finder"] = {"mean": _finder(each), "each": each}
    return figures


def portrait_of(path: str | Path) -> Tensor | None:
    """The square portrait (S,S,3) of the largest face in a photo, cut as `animate` cuts it; None without a face."""
    try:
        return frame_portrait(load_photo(path)).picture
    except NoFaceError:
        return None


def _measure_portraits(renderer, motion_model, photos, mesh, out: Path, progress) -> dict[str, dict[str, float]]:
    """Commanded movements and a voice on each portrait; photos in which no face is found have no figures."""
    heard = prepare_voice(*load_audio(VOICE)).waveform[0, : round(VOICE_SECONDS * FPS) * SAMPLES_A_FRAME]
    figures, squares, rows = {}, [], []
    for number, path in enumerate(photos):
        photo, values = portrait_of(path), {}
        if photo is not None:
            squares.append(photo.movedim(-1, 0))
            values = measure_portrait(renderer, squares[-1], mesh) | measure_mouth_box(photo, mesh)
            if motion_model is not None:
                spoken, frames = measure_talking_portrait(renderer, motion_model, photo, heard, mesh)
                values |= spoken
                rows.append(frames)
        figures[Path(path).name] = values
        if progress is not None:
            progress(number + 1, len(photos))
    if squares:
        motion_sheet(renderer, squares, out / "portraits.jpg")
    if rows:
        times = torch.linspace(0, VOICE_SECONDS - 1 / FPS, len(rows[0])).tolist()
        write_sheet(rows, [f"{time:.1f} s" for time in times], out / "spoken.jpg")
    return figures


def _speakers(each: dict[str, dict[str, float]]) -> dict[str, float]:
    mean = mean_of(list(each.values()))
    more = {"above": mean["lips"] - mean["loudness"]} if mean else {}
    for name in ("reach", "width_reach"):  # of the means: a person who hardly moves would rule a mean of ratios
        if mean.get(f"own_{name}"):
            more[f"{name}_ratio"] = mean[name] / mean[f"own_{name}"]
    return mean | more | {"count": float(len(each))}


def _portraits(each: dict[str, dict[str, float]]) -> dict[str, float]:
    voices = [row["voice"] for row in each.values() if math.isfinite(row.get("voice", math.nan))]
    follow = {"follows": sum(v >= FOLLOWS for v in voices) / len(each), "voice_lowest": min(voices)} if voices else {}
    return mean_of(list(each.values())) | follow | {"count": float(sum(bool(row) for row in each.values()))}


def _films(each: dict[str, dict[str, float]]) -> dict[str, float]:
    better = {"better": sum(row["gain"] > 0 for row in each.values()) / len(each)} if each else {}
    return mean_of(list(each.values())) | better | {"count": float(len(each))}


def _finder(each: dict[str, dict[str, float]]) -> dict[str, float]:
    total = {name: sum(row.get(name, 0.0) for row in each.values()) for name in ("faces", "found", "more", "false")}
    share = {"found": total["found"] / total["faces"] if total["faces"] else math.nan}
    return total | share | {"faceless": float(sum("false" in row for row in each.values()))}


def real_table(figures: dict[str, Any]) -> str:
    """Markdown for the model card of what `evaluate_real` found."""
    lines = ["| measured on real people | value | aim |", "|---|---|---|"]
    for part, name, title, aim in ROWS:
        value = figures.get(part, {}).get("mean", {}).get(name)
        if value is not None and math.isfinite(value):
            lines.append(f"| {title} | {value:.{0 if name in COUNTS else 2}f} | {aim} |")
    return "\n".join(lines) + "\n"


def _named(progress: Progress | None, name: str) -> Callable[[int, int], None] | None:
    return None if progress is None else lambda done, total: progress(name, done, total)
