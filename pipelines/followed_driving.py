"""A driving video as people film it: the head travels and the crop follows it, the face is lost for a while, the scene
changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from ..media.crop import CROP_SCALE, cut
from ..media.faces import NoFaceError
from ..media.motion import Motion
from ..networks.renderer.model import Renderer
from .devices import Progress
from .framing import DRIVING_SIZE
from .limits import MotionLimits
from .neutral import FOUND, with_neutral
from .portrait import encode_motions
from .tracking import FaceTrack, track_face

EASE = 0.4  # seconds in which motion that was held comes to where the face is found again


@dataclass(frozen=True, eq=False)
class FollowedDriving:
    """The motion, how many frames it was held in because no face was seen, and the frames that begin another scene."""

    motion: Motion
    lost: int
    cuts: list[int]

    def report(self) -> str:
        """One or two sentences."""
        frames, fps = self.motion.frames, float(self.motion.fps)
        told = f"The face is seen in {frames - self.lost} of {frames} frames"
        told += ", and held in the others." if self.lost else "."
        if self.cuts:
            times = ", ".join(f"{number / fps:.2f}" for number in self.cuts[:6]) + (
                " ..." if len(self.cuts) > 6 else ""
            )
            told += f" The scene changes at {times} s: cut the video there if the head jumps."
        return told


def follow_driving(
    renderer: Renderer,
    read: Callable[[], Iterable[Tensor]],
    fps: Fraction,
    *,
    finder: str = "auto",
    which: str | int = "largest",
    scale: float = CROP_SCALE,
    neutral: str | float = FOUND,
    batch: int = 8,
    bf16: bool = False,
    total: int | None = None,
    progress: Progress | None = None,
) -> FollowedDriving:
    """A video to motion, with a crop that follows the face.

    read: gives the frames (H,W,3) in [0,1] anew each time it is called, which is twice: to find the face, and to encode
    it. neutral: as `with_neutral`; the other arguments as `track_face` and `encode_driving_video`. Where head and
    shoulders are in the crop counts from the first frame of every scene. NoFaceError where there is no face at all."""
    track = track_face(read(), fps, finder=finder, which=which, scale=scale, total=total, progress=progress)
    seen = torch.cat([shot.seen for shot in track.shots])
    if not seen.any():
        raise NoFaceError("No face was found in the whole driving video: choose a video in which one is seen.")
    values = encode_motions(
        renderer, _crops(read(), track, seen), batch=batch, bf16=bf16, total=int(seen.sum()), progress=progress
    )
    limits = MotionLimits(renderer, "the driving video")
    values = limits.clamp(centred_in_scenes(renderer, values, track, seen))
    limits.warn()
    motion = held(values, seen, round(EASE * fps))
    motion = Motion(motion, motion[0].clone(), fps, renderer.motion_language, renderer.motion_encoder_id)
    cuts = [shot.first for shot in track.shots[1:]]
    return FollowedDriving(with_neutral(motion, renderer, neutral), int((~seen).sum()), cuts)


def _crops(frames: Iterable[Tensor], track: FaceTrack, seen: Tensor) -> Iterator[Tensor]:
    for number, frame in enumerate(frames):
        if number < len(seen) and seen[number]:
            yield cut(frame, track.crop(number), DRIVING_SIZE)


def centred_in_scenes(renderer: Renderer, values: Tensor, track: FaceTrack, seen: Tensor) -> Tensor:
    """Motion (n,768) of the frames that are seen, its framing parameters relative to the first one of its scene."""
    device = next(renderer.parameters()).device
    numbers, found = seen.nonzero().flatten(), []
    for shot in track.shots:
        part = values[(numbers >= shot.first) & (numbers < shot.last)].to(device)
        if len(part):
            found.append(renderer.centred(part, part[0]).float().cpu())
    return torch.cat(found)


def held(values: Tensor, seen: Tensor, ease: int) -> Tensor:
    """Motion (n,768) of the n frames that are `seen` (T,) -> (T,768): in between the last one is held, and in the last
    `ease` frames before the next one goes smoothly to it; before the first and after the last these are held."""
    before = (seen.cumsum(0) - 1).clamp(min=0)
    filled = values[before].clone()
    numbers = seen.nonzero().flatten().tolist()
    for index, (last, following) in enumerate(zip(numbers, numbers[1:], strict=False)):
        steps = min(ease, following - last - 1)
        if steps:
            x = torch.arange(1, steps + 1) / (steps + 1)
            weight = (x * x * (3 - 2 * x))[:, None]
            filled[following - steps : following] = torch.lerp(values[index], values[index + 1], weight)
    return filled
