"""A film dubbed: a new voice moves the mouth of a filmed face, and all the rest stays the film's own pixels.

Three passes over the film, each with one frame in memory: `track_face` follows the face, `read_face` reads its 24
parameters in every frame, `dub` draws the mouth of every frame on its nearest key frames, which are the frames before
and after it in which the lips are closed, dissolved from one to the other. A frame of its own as the source would keep
a fifth to a third of the film's own lip opening, since the encoder reads open mouths too small (docs/dubbing.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from ..media.crop import Crop, cut
from ..media.motion import Motion
from ..media.mouth_region import MouthRegion
from ..networks.renderer.model import Renderer, Source
from .devices import Progress, autocast
from .dub_plan import DubbingSettings, plan_shot, voice_parameters
from .face_reading import ReadFace, same_film
from .lips import OPENING, PARTED
from .portrait import encode_source, extract_appearance
from .regions import parameters_to_motion
from .threads import in_order, worker_count
from .tracking import FaceTrack

DISSOLVE = 0.4  # of the time between two key frames: lips of both are seen at once no longer than needed
OVERDONE = 0.5  # of a key frame's remaining opening, by which its closing is overdone

Read = Callable[[], Iterator[Tensor]]
"""Gives the film from its beginning, each time: frames (H,W,3) in [0,1]."""


@dataclass(frozen=True, eq=False)
class _Key:
    number: int
    source: Source
    appearance: Tensor
    parameters: Tensor  # (24,)


class _KeyReader:
    """The key frames of a shot, encoded as they are needed, from a reading of the film that runs ahead."""

    def __init__(
        self, renderer: Renderer, frames: Iterator[Tensor], track: FaceTrack, bf16: bool, device: torch.device
    ):
        self._renderer, self._frames, self._track = renderer, enumerate(frames), track
        self._place = {"bf16": bf16, "keep_on": device}
        self._kept: dict[int, _Key] = {}

    def __call__(self, number: int, parameters: Tensor) -> _Key:
        """The key at this frame of the film; numbers never fall by more than one key."""
        if number not in self._kept:
            frame = next(frame for at, frame in self._frames if at == number)
            source = encode_source(self._renderer, cut(frame, self._track.crop(number), None), **self._place)
            key = _Key(number, source, extract_appearance(self._renderer, source, **self._place), parameters)
            self._kept = {n: k for n, k in self._kept.items() if n >= max(self._kept)} | {number: key}
        return self._kept[number]


def dub(
    renderer: Renderer,
    read: Read,
    track: FaceTrack,
    face: ReadFace,
    motion: Motion,
    settings: DubbingSettings | None = None,
    *,
    first: int = 0,
    bf16: bool = False,
    progress: Progress | None = None,
) -> Iterator[Tensor]:
    """The second pass: frames (1,H,W,3) float32 in [0,1] on the CPU, one by one, as many as the film has from frame
    `first` on.

    motion: of the new voice, from `generate_motion`. Frames in which the face is not seen or turned away come out as
    they are, to the bit, and so does everything outside of the mouth's region (media/mouth_region.py). Raises
    ValueError for motion of another renderer, and for another film than the tracked one."""
    settings = settings or DubbingSettings()
    voice = voice_parameters(renderer, motion, track, settings)
    device = next(renderer.parameters()).device
    keys = _KeyReader(renderer, same_film(read(), track), track, bf16, device)

    def work(item: _Item) -> Tensor:
        with torch.inference_mode(), autocast(device, bf16):
            return _drawn(renderer, item, settings.articulation, device)

    items = _items(same_film(read(), track), track, face.parameters, voice, keys, first)
    for number, frame in enumerate(in_order(work, items, worker_count(device, 4)), first):
        yield frame[None]
        if progress is not None:
            progress(number + 1, track.frames)


@dataclass(frozen=True, eq=False)
class _Item:
    """One frame, and what it needs: keys with their weights (none: it is left alone), the target (24,), the crop."""

    frame: Tensor
    keys: list[tuple[_Key, float]] = field(default_factory=list)
    target: Tensor | None = None
    weight: float = 0.0
    crop: Crop | None = None
    marks: np.ndarray | None = None


def _items(
    frames: Iterator[Tensor], track: FaceTrack, parameters: Tensor, voice: Tensor, keys: _KeyReader, first: int
) -> Iterator[_Item]:
    plan, planned = None, None
    for number, frame in islice(enumerate(frames), first, None):
        shot = track.shot(number)
        if shot is not planned:
            planned, part = shot, slice(shot.first, shot.last)
            plan = plan_shot(shot, parameters[part], voice[part], float(track.fps))
        at = number - shot.first
        if plan is None or not plan.weights[at]:
            yield _Item(frame)
            continue
        near = [(keys(shot.first + k, parameters[shot.first + k]), weight) for k, weight in _nearest(plan.keys, at)]
        crop = track.crop(number)
        yield _Item(frame, near, plan.targets[at], float(plan.weights[at]), crop, track.marks(number))


def _nearest(keys: list[int], at: int) -> list[tuple[int, float]]:
    """The key before a frame and the one after it, with their parts in the picture."""
    before = max((key for key in keys if key <= at), default=keys[0])
    after = min((key for key in keys if key >= at), default=keys[-1])
    if before == after:
        return [(before, 1.0)]
    x = ((at - before) / (after - before) - (1 - DISSOLVE) / 2) / DISSOLVE
    x = min(max(x, 0.0), 1.0)
    return [(key, part) for key, part in ((before, 1 - x), (after, x)) if part]


def _drawn(renderer: Renderer, item: _Item, articulation: float, device: torch.device) -> Tensor:
    """The finished frame (H,W,3)."""
    if not item.keys:
        return item.frame[..., :3].float()
    crop, frame = item.crop, item.frame[..., :3].float().clone()
    rows, columns = slice(max(0, crop.y0), crop.y0 + crop.size), slice(max(0, crop.x0), crop.x0 + crop.size)
    piece = np.ascontiguousarray(frame[rows, columns].numpy())
    region = MouthRegion(item.marks - (columns.start, rows.start), piece.shape[:2])
    drawn = np.zeros_like(piece)
    for key, part in item.keys:
        with torch.autocast(device.type, enabled=False):
            motion = _motion_on(renderer, key, item.target)
        picture = renderer.decode(key.source, key.appearance, motion, (crop.size, crop.size), articulation).image[0]
        picture = picture.permute(1, 2, 0).float().cpu().numpy()
        drawn += part * region.aligned(piece, _inside(crop, picture, piece.shape))
    region.blend(piece, drawn, item.weight)
    frame[rows, columns] = torch.from_numpy(piece)
    return frame


def _inside(crop: Crop, picture: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The part of a drawn crop (S,S,3) that lies in the film's picture."""
    y, x = max(0, -crop.y0), max(0, -crop.x0)
    return np.ascontiguousarray(picture[y : y + shape[0], x : x + shape[1]])


def _motion_on(renderer: Renderer, key: _Key, target: Tensor) -> Tensor:
    """(1,768): the target's parameters (24,) on a key frame, whose remaining opening is closed a little too far."""
    target = target.clone()
    target[OPENING] -= OVERDONE * (key.parameters[OPENING] - PARTED).clamp(min=0)
    change = parameters_to_motion(renderer, target[None]) - parameters_to_motion(renderer, key.parameters[None])
    return renderer.within_limits(key.source.motion + change.to(key.source.motion), key.source)
