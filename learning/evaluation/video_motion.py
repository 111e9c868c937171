"""What motion learnt from video is worth: decibels, part by part, and how far it tells who moves, which it should not.

    python -m mamba_portrait.learning.evaluation.video_motion runs/semi.safetensors films.csv data/held_out

prints lines for each person of a list's split "test", and for all people of a corpus's stills together; of these with
95 % intervals over people."""

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
from ..datasets.stills import StillSet
from .method_findings import interval
from .metrics import psnr

FRAMES = 7  # of a film, evenly spread: the first is the source
PARTS = ("both", "named", "free")
GAINS = ("over_copying", "over_another_frame", "psnr")


def has_parts(renderer: Renderer) -> bool:
    """Whether motion has a named and an unnamed part: in a "semi" space, and in a "free" one with a fitted read-out."""
    return renderer.config.readout and renderer.config.motion_space != "named"


def over_copying(renderer: Renderer, clips: Sequence[np.ndarray], size: int, part: str = "both") -> dict[str, float]:
    """Mean `gains` of the clips, by name."""
    return dict(zip(GAINS, gains(renderer, clips, size, part).mean(0).numpy().round(3).tolist(), strict=True))


@torch.no_grad()
def gains(renderer: Renderer, clips: Sequence[np.ndarray], size: int, part: str = "both") -> Tensor:
    """(C,3) of C clips (N,S,S,3) uint8: decibels over copying their first frame, over the same network driven by
    another frame of the clip (a blur gains on the first alone), and PSNR. part: "both", or only the "named" or the
    "free" one of motion."""
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
    return torch.tensor(rows, dtype=torch.float64)


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
    if has_parts(renderer):
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
    if has_parts(renderer):
        free = renderer.free_part(first), renderer.free_part(second)
        parts |= {"named": (first - free[0], second - free[1]), "free": free}
    values = {"chance": 1 / len(clips)}
    for name, (a, b) in parts.items():
        alike = F.normalize(a, dim=-1) @ F.normalize(b, dim=-1).T
        own = torch.arange(len(alike), device=alike.device)
        values[name] = float(sum((alike.argmax(d) == own).float().mean() for d in (0, 1)) / 2)
    return {name: round(value, 4) for name, value in values.items()}


@torch.no_grad()
def told_elsewhere(renderer: Renderer, first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> dict[str, float]:
    """As `told_apart`, by who somebody is alone. The frames of a clip have its light, clothes, framing and often one
    pose in common, so that motion without any identity finds them; here clip n of `first` and of `second` show the same
    person in two scenes, and the nearest frame is looked for in the other scene. Share of frames of both."""
    both = [[_encoded(renderer, clip) for clip in clips] for clips in (first, second)]
    who = [torch.tensor([n for n, clip in enumerate(clips) for _ in clip]) for clips in both]
    motion = [torch.cat(clips) - torch.cat(clips).mean(0) for clips in both]
    parts = {"whole": motion}
    if has_parts(renderer):
        free = [renderer.free_part(x) for x in motion]
        parts |= {"named": [x - y for x, y in zip(motion, free, strict=True)], "free": free}
    values = {"chance": 1 / len(first)}
    for name, (a, b) in parts.items():
        apart = torch.cdist(a, b).cpu()
        hits = who[1][apart.argmin(1)] == who[0], who[0][apart.argmin(0)] == who[1]
        values[name] = float(torch.cat(hits).float().mean())
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


def over_people(rows: Tensor, people: Sequence[int]) -> str:
    """`gains` (C,3) of clips of so many people, each person's mean weighing the same, with 95 % intervals."""
    who = torch.as_tensor(people)
    means = torch.stack([rows[who == person].mean(0) for person in who.unique()])
    found = zip(GAINS, map(interval, means.T), strict=True)
    return ", ".join(f"{name} {mean:.2f} [{low:.2f}, {high:.2f}]" for name, (mean, low, high) in found)


def _people_of(place: str | Path) -> list[int]:
    """Numbers of the people in the clips of drawn stills, in the order of `groups_of`."""
    stills = StillSet(place)
    people = stills.people()
    return list(range(2 * len(stills))) if people is None else people.flatten().tolist()


def _two_scenes(people: Sequence[int], clips: Sequence[np.ndarray]) -> list[tuple[np.ndarray, ...]]:
    """The first and the second clip of each person who has two."""
    of_person: dict[int, list[np.ndarray]] = {}
    for person, clip in zip(people, clips, strict=True):
        of_person.setdefault(person, []).append(clip)
    return list(zip(*(found[:2] for found in of_person.values() if len(found) > 1), strict=True))


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Measure motion learnt from video.")
    parser.add_argument("renderer", help="a renderer's file, or shipped")
    parser.add_argument("data", nargs="+", help="lists of clips (their split test), corpora with stills")
    parser.add_argument("--size", type=Range(16, 4096).read, default=128)
    parser.add_argument("--clips", type=Range(1, 1_000_000_000).read, help="of each person, or of a corpus, at most")
    options = parser.parse_args(arguments)
    renderer = load_renderer(None if options.renderer == "shipped" else options.renderer)
    parts = PARTS if has_parts(renderer) else PARTS[:1]
    for place in options.data:
        for name, clips in groups_of(place, options.size):
            clips, listed = clips[: options.clips], Path(place).suffix.lower() in SUFFIXES
            people = range(len(clips)) if listed else _people_of(place)[: len(clips)]
            for part in parts:
                rows = gains(renderer, clips, options.size, part)
                print(name, len(clips), "clips", part, over_people(rows, people), flush=True)
            if not listed:  # clips of a list are often of one person
                once = list(dict(zip(people, clips, strict=True)).values())  # one scene of each
                print(name, "people told apart", told_apart(renderer, once), flush=True)
                print(name, "people told apart by changes", told_by_changes(renderer, once), flush=True)
                if scenes := _two_scenes(people, clips):
                    print(name, "people told in another scene", told_elsewhere(renderer, *scenes), flush=True)


if __name__ == "__main__":
    main()
