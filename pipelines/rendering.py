"""Motion on a portrait to frames, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeVar

import torch
from torch import Tensor

from ..media.motion import Motion, fitted_to, retarget
from ..networks.renderer.model import Renderer, Source
from . import lips
from .devices import Progress, autocast, device_of
from .halving import Halving
from .limits import MotionLimits
from .neutral import with_expression_of
from .settings import RenderingSettings
from .threads import in_order, worker_count

T = TypeVar("T")


def frame_size(renderer: Renderer, source: Source, side: int | None = None) -> tuple[int, int]:
    """(height, width) of the frames: a square, or the portrait's own size, enlarged to the network's if it is smaller.

    Always even, as video encoders require."""
    height, width = (side, side) if side else source.image.shape[-2:]
    scale = 1.0 if side else max(1.0, renderer.config.image_size / max(height, width))
    return tuple(max(2, round(length * scale) // 2 * 2) for length in (height, width))


def working_memory(batch: int, height: int, width: int) -> int:
    """Bytes that rendering one batch takes, for the host's memory management: eight pictures and the activations."""
    return batch * 4 * 3 * 8 * (height * width + 64 * 256 * 256)


def render(
    renderer: Renderer,
    source: Source,
    appearance: Tensor,
    motion: Motion,
    settings: RenderingSettings | None = None,
    *,
    first: int = 0,
    bf16: bool = False,
    progress: Progress | None = None,
) -> Iterator[Tensor]:
    """Motion on a portrait -> batches of frames (b,H,W,3) float32 in [0,1] on the CPU, (b,H,W,4) of a source with
    alpha, one by one; H and W are those of `frame_size`. On a CPU several threads render parts of a batch side by side,
    b frames each (`frames_a_part`). first: frames before it, a number of whole parts, are left out. Motion that no face
    makes is clamped, with a warning at the end (limits.py). Raises ValueError for motion of another renderer's motion
    space."""
    settings = settings or RenderingSettings()
    size = frame_size(renderer, source, settings.size)

    def frames(portrait: Source, looks: Tensor, target: Tensor) -> Tensor:
        rendered = renderer.decode(portrait, looks, target, size=size, articulation=settings.articulation)
        return rendered.image.permute(0, 2, 3, 1).cpu()

    rest = {"first": first, "bf16": bf16, "progress": progress}
    yield from each_batch(frames, renderer, source, appearance, motion, settings, size, **rest)


@torch.inference_mode()
def each_batch(
    work: Callable[[Source, Tensor, Tensor], T],
    renderer: Renderer,
    source: Source,
    appearance: Tensor,
    motion: Motion,
    settings: RenderingSettings,
    size: tuple[int, int],
    *,
    first: int = 0,
    bf16: bool = False,
    progress: Progress | None = None,
) -> Iterator[T]:
    """work(source with the photo at `size`, appearance, absolute motion (b,768)) for each batch of frames from `first`
    on, in order; on a CPU by several threads side by side."""
    motion = fitted_to(motion, renderer)
    device = device_of(renderer)
    on_device, appearance = source.to(device).at_size(size), appearance.to(device)
    limits = MotionLimits(renderer, "the motion")
    workers = worker_count(device, settings.batch)

    def decoded(target: Tensor) -> T:
        return work(on_device, appearance, renderer.within_limits(target.to(device), on_device))

    halving = Halving(decoded, "rendering")

    def batch(target: Tensor) -> tuple[int, T]:
        with torch.inference_mode(), autocast(device, bf16):  # both hold for one thread only
            return len(target), halving(target)

    part, done = frames_a_part(renderer, settings), first
    targets = target_motions(renderer, source, motion, settings, limits, part)
    targets = islice(targets, -(-first // part), None)  # those left out are still looked at: limits go on from them
    for count, result in in_order(batch, targets, workers):
        yield result
        done += count
        if progress is not None:
            progress(done, motion.frames)
    limits.warn()


def frames_a_part(renderer: Renderer, settings: RenderingSettings) -> int:
    """Frames that one thread renders at once, from the batch that all render."""
    return settings.batch // worker_count(device_of(renderer), settings.batch)


def target_motions(
    renderer: Renderer, source: Source, motion: Motion, settings: RenderingSettings, limits: MotionLimits, batch: int
) -> Iterator[Tensor]:
    """The absolute motion (b,768) of the frames on the CPU, clamped, `batch` of them at a time."""
    onto = Onto.portrait(renderer, source.motion.float().cpu()[0], motion, settings)
    for start in range(0, motion.frames, batch):
        part = replace(motion, values=motion.values[start : start + batch])
        yield limits.clamp(onto(part, start))


@dataclass(frozen=True, eq=False)
class Onto:
    """How motion becomes that of one portrait: what it is added to, and by how much the photo's own lips close."""

    own: Tensor  # (768,)
    opening: Tensor  # (768,)
    mode: str  # of `retarget`
    gain: float

    @classmethod
    def portrait(cls, renderer: Renderer, own: Tensor, motion: Motion, settings: RenderingSettings) -> Onto:
        """For motion like this on a portrait whose own is (768,)."""
        mode = settings.mode
        if mode == "expression":
            own, mode = with_expression_of(own, motion.reference, renderer), "relative"
        opening = lips.lip_opening(renderer, own, motion) if settings.mode == "relative" else torch.zeros_like(own)
        return cls(own, opening, mode, settings.gain)

    def __call__(self, part: Motion, first: int) -> Tensor:
        """Motion of b frames, of which the first is frame `first` of all -> absolute motion (b,768)."""
        indices = torch.arange(first, first + part.frames)
        closed = lips.closing_weight(indices, float(part.fps)) * min(self.gain, 1.0)
        return retarget(part, self.own, self.mode, self.gain) - closed * self.opening
