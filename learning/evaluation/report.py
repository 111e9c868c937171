"""The figures of the model card, measured in one run on held-out people and voices."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...files import whole_file
from ...networks.motion_model.model import MotionModel
from ...networks.renderer.model import Renderer
from ..corpus.speech.voices import split_of
from ..datasets.framing import check_framing
from ..datasets.stills import StillSet
from ..datasets.tracks import Track, load_tracks
from .gestures import measure_gestures
from .outline import measure_outline
from .reenactment import measure_reenactment
from .sheets import driven_sheet, motion_sheet
from .voices import FOLLOWED, measure_lip_sync, measure_rendered_lip_sync

SEED = 900_000  # of the evaluation corpus: no training corpus uses it
GROUPS, CLIPS = 64, 16
FACES = 6  # drawn faces that are animated with voices

Progress = Callable[[str, int, int], None]  # what, done, total

# name among the figures, title, aim
ROWS: tuple[tuple[str, str, str], ...] = (
    ("gain_video", "driven by video, over copying the source (dB)", ">= 4"),
    ("gain_twin", "driven by another person, over copying (dB)", ">= 2"),
    ("gain_written", "driven by parameters, over copying (dB)", ""),
    ("video", "driven by video, PSNR (dB)", ""),
    ("copy", "the copied source, PSNR (dB)", ""),
    ("ssim", "driven by video, SSIM", ""),
    ("ssim_copy", "the copied source, SSIM", ""),
    ("mouth", "inside the open mouth, PSNR (dB)", ""),
    ("mouth_copy", "inside the open mouth, copied (dB)", ""),
    ("outline", "background around turned and tilted heads, PSNR (dB)", ""),
    ("outline_copy", "the same of the copied source (dB)", ""),
    ("rest", "at rest, PSNR against the source (dB)", ">= 38"),
    ("jaw", "voice: correlation of mouth opening at its best lag", ">= 0.75"),
    ("lag", "voice: that lag (frames)", "-1 to 1"),
    ("amplitude", "voice: amplitude of opening over the truth", "0.7 to 1.3"),
    ("reach", "voice: how far lips open, of the truth (10th to 90th percentile)", "0.85 to 1.2"),
    ("width_reach", "voice: how far their width goes, of the truth", "0.85 to 1.2"),
    ("velocity", "voice: velocity over the truth", "0.7 to 1.3"),
    ("acceleration", "voice: acceleration over the truth", "0.7 to 1.3"),
    ("silence", "silence: opening (of a wide mouth)", "<= 0.1"),
    ("rendered_jaw", "voice: the same seen by our own encoder in finished frames, mean of {faces:.0f} drawn faces", ""),
    ("rendered_jaw_lowest", "voice: the same of the worst of these faces", ""),
    *((name, f"voice: correlation of {name}", "") for name in FOLLOWED[1:]),
    ("beats_near", "hands: part of the beats within .2 s of a stressed vowel", ""),
    ("beats_shuffled", "hands: the same with the vowels of another clip", ""),
    ("beats_gain", "hands: the difference, 95 % [{beats_low:.2f}, {beats_high:.2f}], {beats_clips:.0f} clips", "> 0"),
    ("beats_a_second", "hands: beats a second", ""),
    ("true_beats_gain", "hands as drawn: the same difference", ""),
    ("true_beats_a_second", "hands as drawn: beats a second", ""),
    ("hand_reach", "hands: deviation of their height over the truth", "0.7 to 1.3"),
    ("div", "DIV of motion (ours)", ""),
    ("div_true", "DIV of the drawn motion", ""),
    ("tgd", "TGD against the drawn motion (ours)", ""),
)


def evaluate(
    renderer: Renderer,
    motion_model: MotionModel | None,
    *,
    corpus: str | Path | None = None,
    out: str | Path | None = None,
    groups: int = GROUPS,
    clips: int = CLIPS,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Every figure of the card that needs no real data; see `measure_reenactment` and `measure_lip_sync` for the names.

    corpus: a folder of held-out stills and clips; None draws one of seed 900000 under `out`, on voices of the splits
    "val" and "test". out: a folder for figures.json, figures.md and contact sheets. motion_model None leaves the voices
    out. Raises ValueError when neither corpus nor out is given, FileNotFoundError for a corpus without stills.
    """
    drawn_here = corpus is None
    if drawn_here:
        if out is None:
            raise ValueError("evaluate needs a corpus to measure on, or a folder `out` to draw one in")
        framing = "half" if renderer.config.arms else "head"
        corpus = draw_held_out(Path(out) / "corpus", groups, clips, progress, framing)
    stills = StillSet(corpus)
    check_framing(corpus, stills.parameters().shape[-1], renderer.config.arms)
    renderer.eval()
    figures: dict[str, Any] = measure_reenactment(renderer, stills, groups, progress=_named(progress, "reenactment"))
    if drawn_here and not renderer.config.arms:  # where heads can be drawn
        figures |= measure_outline(renderer)
    if motion_model is not None:
        tracks = held_out_tracks(corpus)
        photo = stills.get(torch.tensor([0]).numpy()).rgb[0, 0, 0].float() / 255
        figures |= measure_lip_sync(
            renderer, motion_model.eval(), tracks, photo, clips=clips, progress=_named(progress, "voices")
        )
        if renderer.config.arms:
            figures |= measure_gestures(renderer, motion_model, tracks, clips=clips, progress=_named(progress, "hands"))
        photos = speaking_faces(stills)
        figures |= measure_rendered_lip_sync(
            renderer, motion_model, tracks, photos, progress=_named(progress, "speaking faces")
        )
    if out is not None:
        write_report(figures, table(figures), out)
        driven_sheet(renderer, stills, Path(out) / "driven.jpg")
        motion_sheet(renderer, faces_of(stills, 4), Path(out) / "commanded.jpg")
    return figures


def draw_held_out(
    folder: Path, groups: int, clips: int, progress: Progress | None = None, framing: str = "head"
) -> Path:
    """Draw (or complete) the evaluation corpus, in one process."""
    from ..corpus.stills import draw_stills
    from ..corpus.tracks import draw_tracks

    draw_stills(folder, groups, SEED, progress=_named(progress, "drawing faces"), framing=framing)
    draw_tracks(folder, clips, SEED, _named(progress, "drawing voices"), splits=("val", "test"), framing=framing)
    return folder


def held_out_tracks(corpus: str | Path) -> list[Track]:
    """Clips of the splits "test" and "val"."""
    every = load_tracks(corpus, None)
    kept = [track for track in every if _split(track) != "train"]
    if not kept:
        raise FileNotFoundError(f"{corpus} has clips, but all of them are of training voices; evaluate on others")
    return kept


def _split(track: Track) -> str:
    meta = json.loads((track.folder / "meta.json").read_text("utf8"))
    return meta.get("split") or split_of(meta.get("speaker", ""))


def faces_of(stills: StillSet, count: int) -> list[Tensor]:
    """The sources (3,S,S) of the first groups."""
    given = stills.get(torch.arange(min(count, len(stills))).numpy()).rgb[:, 0, 0]
    return list(given.cpu().permute(0, 3, 1, 2).float() / 255)


def speaking_faces(stills: StillSet, count: int = FACES, seed: int = SEED) -> list[Tensor]:
    """The sources (S,S,3) in [0,1] of different groups, drawn by a seed: at most `count`, or as many as there are."""
    picked = np.random.default_rng(seed).permutation(len(stills))[:count]
    return list(stills.get(picked).rgb[:, 0, 0].cpu().float() / 255)


def table(figures: dict[str, Any]) -> str:
    """Markdown for the model card: the figures, and their aims."""
    lines = ["| measured on people and voices held out of training | value | aim |", "|---|---|---|"]
    for name, title, aim in ROWS:
        if name in figures:
            lines.append(f"| {title.format(**figures)} | {figures[name]:.2f} | {aim} |")
    return "\n".join(lines) + "\n"


def write_report(figures: dict[str, Any], tables: str, folder: str | Path) -> None:
    """figures.json and figures.md, each complete or not at all."""
    for name, text in (("figures.json", json.dumps(figures, indent=1) + "\n"), ("figures.md", tables)):
        with whole_file(Path(folder) / name) as partial:
            partial.write_text(text, "utf8")


def _named(progress: Progress | None, name: str) -> Callable[[int, int], None] | None:
    return None if progress is None else lambda done, total: progress(name, done, total)
