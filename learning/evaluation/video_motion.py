"""What motion learnt from video is worth: decibels, part by part, and how far it tells who moves, which it should not.

    python -m mamba_portrait.learning.evaluation.video_motion runs/semi.safetensors films.csv data/held_out

prints a line for each person of a list's split "test", and one for all people of a corpus's stills."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...model_loaders.checkpoint import load_renderer
from ...networks.renderer.layers import resize
from ...networks.renderer.model import Renderer
from ...sampling.settings import Range
from ..datasets.film_frames import FilmFrames, PlainStills
from ..datasets.manifest import SUFFIXES
from .metrics import psnr

FRAMES = 7  # of a film, evenly spread: the first is the source
PARTS = ("both", "named", "free")


@torch.no_grad()
def over_copying(renderer: Renderer, clips: Sequence[np.ndarray], size: int, part: str = "both") -> dict[str, float]:
    """Decibels over copying the first frame of clips (N,S,S,3) uint8, and over the same network driven by another frame
    of the clip: a blur gains on the first alone. part: "both", or only the "named" or the "free" one of motion."""
    device, rows = next(renderer.parameters()).device, []
    for clip in clips:
        pictures = resize(torch.from_numpy(clip).to(device).permute(0, 3, 1, 2).float() / 255, size)
        motion = renderer.encode_motion(pictures)
        change = motion[1:] - motion[:1]
        free = renderer.free_part(change)
        change = {"both": change, "named": change - free, "free": free}[part]
        source = renderer.encode_source(pictures[:1], motion=motion[:1], size=size)
        appearance, truth = renderer.extract_appearance(source), pictures[1:]
        drawn, wrong = (
            renderer.decode(source, appearance, source.motion + x).image for x in (change, change.roll(1, 0))
        )
        ours, copied, other = (psnr(x, truth) for x in (drawn, pictures[:1].expand_as(truth), wrong))
        rows.append([float((ours - copied).mean()), float((ours - other).mean()), float(ours.mean())])
    values = np.mean(rows, 0).round(3).tolist()
    return dict(zip(("over_copying", "over_another_frame", "psnr"), values, strict=True))


def spread(clip: np.ndarray) -> np.ndarray:
    """FRAMES of a clip's, evenly spread."""
    return clip[np.linspace(0, len(clip) - 1, min(FRAMES, len(clip))).round().astype(int)]


@torch.no_grad()
def told_apart(renderer: Renderer, clips: Sequence[np.ndarray]) -> dict[str, float]:
    """Retrieval of people by their motion, clips (N,S,S,3) uint8 of different people: share of frames whose nearest
    other frame is of the same person, and that share by chance; of the whole motion and of its named and free parts."""
    motion = [_encoded(renderer, clip) for clip in clips]
    who = torch.tensor([number for number, clip in enumerate(clips) for _ in clip], device=motion[0].device)
    motion = torch.cat(motion)
    motion = motion - motion.mean(0)
    same = (who[:, None] == who).float().sum(1) - 1
    values = {"chance": float((same / (len(who) - 1)).mean()), "whole": _nearest(motion, who)}
    if renderer.config.motion_space == "semi":
        free = renderer.free_part(motion)
        values |= {"named": _nearest(motion - free, who), "free": _nearest(free, who)}
    return {name: round(value, 4) for name, value in values.items()}


@torch.no_grad()
def told_by_changes(renderer: Renderer, clips: Sequence[np.ndarray]) -> dict[str, float]:
    """As `told_apart`, by what drives a portrait: changes of motion. The share of clips (N,S,S,3) of at least four
    frames whose change from the first frame to the second is nearest, by cosine, to that from the third to the fourth
    of the same clip. The two have no frame in common: changes from one and the same frame share its errors."""
    motion = torch.stack([_encoded(renderer, clip)[:4] for clip in clips])
    first, second = motion[:, 1] - motion[:, 0], motion[:, 3] - motion[:, 2]
    parts = {"whole": (first, second)}
    if renderer.config.motion_space == "semi":
        free = renderer.free_part(first), renderer.free_part(second)
        parts |= {"named": (first - free[0], second - free[1]), "free": free}
    values = {"chance": 1 / len(clips)}
    for name, (a, b) in parts.items():
        alike = F.normalize(a, dim=-1) @ F.normalize(b, dim=-1).T
        own = torch.arange(len(alike), device=alike.device)
        values[name] = float(sum((alike.argmax(d) == own).float().mean() for d in (0, 1)) / 2)
    return {name: round(value, 4) for name, value in values.items()}


def _encoded(renderer: Renderer, clip: np.ndarray) -> Tensor:
    """Motion (N,768) of a clip's frames (N,S,S,3) uint8."""
    pictures = torch.from_numpy(clip).to(next(renderer.parameters()).device).permute(0, 3, 1, 2).float() / 255
    return renderer.encode_motion(resize(pictures, renderer.config.motion_size)).float()


def _nearest(motion: Tensor, who: Tensor) -> float:
    apart = torch.cdist(motion, motion)
    apart.fill_diagonal_(float("inf"))
    return float((who[apart.argmin(1)] == who).float().mean())


def groups_of(place: str | Path, size: int) -> Iterator[tuple[str, list[np.ndarray]]]:
    """(name, clips (N,S,S,3) uint8) of each person of a list's split "test", or of all people of a corpus's stills."""
    if Path(place).suffix.lower() in SUFFIXES:
        films = FilmFrames(place, size, "test")
        for speaker, entries in films.people.items():
            yield speaker, [spread(films.frames(entry)) for entry in entries]
        return
    drawn = PlainStills(place, size)
    yield str(place), [clip for group in range(len(drawn.stills)) for clip in drawn.pictures(group)]


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Measure motion learnt from video.")
    parser.add_argument("renderer", help="a renderer's file, or shipped")
    parser.add_argument("data", nargs="+", help="lists of clips (their split test), corpora with stills")
    parser.add_argument("--size", type=Range(16, 4096).read, default=128)
    options = parser.parse_args(arguments)
    renderer = load_renderer(None if options.renderer == "shipped" else options.renderer)
    parts = PARTS if renderer.config.motion_space == "semi" else PARTS[:1]
    for place in options.data:
        for name, clips in groups_of(place, options.size):
            for part in parts:
                print(name, len(clips), "clips", part, over_copying(renderer, clips, options.size, part), flush=True)
            if Path(place).suffix.lower() not in SUFFIXES:  # clips of a list are often of one person
                print(name, "people told apart", told_apart(renderer, clips), flush=True)
                print(name, "people told apart by changes", told_by_changes(renderer, clips), flush=True)


if __name__ == "__main__":
    main()
