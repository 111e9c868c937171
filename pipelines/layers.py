"""Rendering in stages, and what it is made of: the motion field, the warped photo, what is painted over it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import NamedTuple

import torch
from torch import Tensor

from ..media.motion import Motion
from ..networks.renderer.deviation import Deviation
from ..networks.renderer.layers import bilinear, resize
from ..networks.renderer.lmdd import MotionField
from ..networks.renderer.model import Renderer, Source
from ..networks.renderer.warp import invert
from .devices import Progress, autocast
from .flow import INVERSION_STEPS, Flow, same_length
from .halving import joined
from .rendering import each_batch
from .settings import RenderingSettings
from .threads import in_order, worker_count


@dataclass(frozen=True)
class Fields:
    """What DIT and LMDD say of every frame: T in place of the batch."""

    motion: MotionField
    deviation: Deviation
    fps: Fraction

    @property
    def frames(self) -> int:
        return len(self.motion.field)

    @property
    def flow(self) -> Flow:
        return Flow(self.motion.field.float(), self.fps)

    @property
    def hidden(self) -> Tensor:
        """(T,h,w) in [0,1]: 1 where the photo does not show what belongs here, before the decoder refines it."""
        return 1 - self.motion.visible[:, 0].float().sigmoid()

    def moved_by(self, flow: Flow) -> Fields:
        """The same with another displacement of as many frames."""
        same_length(flow.frames, self.frames, "flow", "field")
        values = bilinear(flow.values, self.motion.field.shape[-2:]).to(self.motion.field)
        if torch.equal(values, self.motion.field):
            return self
        forward = self.motion.forward
        if forward is not None:  # by which the plate is shown where a head has left
            forward = resize(invert(values, INVERSION_STEPS), tuple(forward.shape[-2:])).to(forward)
        return replace(self, motion=self.motion._replace(field=values, forward=forward))

    def part(self, start: int, stop: int) -> Fields:
        """The frames start .. stop."""
        cut = [tuple(None if t is None else t[start:stop] for t in group) for group in (self.motion, self.deviation)]
        return Fields(MotionField(*cut[0]), Deviation(*cut[1]), self.fps)


class Layers(NamedTuple):
    """A batch of frames and what they are made of."""

    frames: Tensor  # (b,H,W,3) in [0,1]
    painted: Tensor  # (b,H,W) in [0,1]: 1 where the picture is painted or the plate, 0 where it is the warped photo
    flow: Tensor  # (b,2,h,w)


def _layers(rendered) -> Layers:
    size = tuple(rendered.image.shape[-2:])
    kept = bilinear(rendered.keep.float(), size)
    painted = 1 - (kept if rendered.left is None else kept * (1 - rendered.left.float()))[:, 0]
    return Layers(rendered.image.permute(0, 2, 3, 1).cpu(), painted.cpu(), rendered.motion.field.float().cpu())


def render_layers(
    renderer: Renderer,
    source: Source,
    appearance: Tensor,
    motion: Motion,
    settings: RenderingSettings,
    size: tuple[int, int],
    *,
    bf16: bool = False,
    progress: Progress | None = None,
) -> Iterator[Layers]:
    """`rendering.render` with the mask and the flow of each batch."""

    def work(portrait: Source, looks: Tensor, target: Tensor) -> Layers:
        return _layers(renderer.decode(portrait, looks, target, size=size, articulation=settings.articulation))

    yield from each_batch(work, renderer, source, appearance, motion, settings, size, bf16=bf16, progress=progress)


def bytes_a_frame(renderer: Renderer) -> int:
    """Of its `Fields`."""
    c = renderer.config
    half, deviation = (c.motion_size // 2) ** 2, c.regions * 3 * c.depth_planes + c.deviation_channels * c.motion_depth
    volume = 0 if c.warp == "field" else 3 * c.depth_planes * half
    return 4 * (16 * half + (c.refine_width + 3) * half + volume + deviation * c.motion_grid**2 + c.deviation_dim)


def motion_fields(
    renderer: Renderer,
    source: Source,
    appearance: Tensor,
    motion: Motion,
    settings: RenderingSettings,
    *,
    bf16: bool = False,
    progress: Progress | None = None,
) -> Fields:
    """The first stage: the fields of all frames, on the CPU, about 1 MB a frame with the shipped weights."""

    def work(portrait: Source, looks: Tensor, target: Tensor) -> tuple:
        field, deviation = renderer.motion_field(portrait, looks, target)
        return tuple(None if t is None else t.cpu() for t in (*field, *deviation))

    size = tuple(source.image.shape[-2:])
    made = each_batch(work, renderer, source, appearance, motion, settings, size, bf16=bf16, progress=progress)
    parts = joined(list(made))
    count = len(MotionField._fields)
    return Fields(MotionField(*parts[:count]), Deviation(*parts[count:]), motion.fps)


def _on(device: torch.device, group: MotionField | Deviation) -> MotionField | Deviation:
    return type(group)(*(None if tensor is None else tensor.to(device) for tensor in group))


def _ranges(count: int, batch: int) -> list[tuple[int, int]]:
    return [(start, min(start + batch, count)) for start in range(0, count, batch)]


def warp_photo(
    renderer: Renderer, source: Source, flow: Flow, size: tuple[int, int], batch: int = RenderingSettings.batch
) -> Iterator[Tensor]:
    """The second stage: the photo moved by the flow, batches (b,H,W,3) on the CPU."""
    device = next(renderer.parameters()).device
    portrait = source.to(device).at_size(size)
    workers = worker_count(device, batch)

    def work(part: tuple[int, int]) -> Tensor:
        with torch.inference_mode():
            warped = renderer.warp_photo(portrait, flow.values[slice(*part)].to(device), size)
        return warped.permute(0, 2, 3, 1).cpu()

    yield from in_order(work, _ranges(flow.frames, max(1, batch // workers)), workers)


def paint(
    renderer: Renderer,
    source: Source,
    appearance: Tensor,
    fields: Fields,
    warped: Tensor,
    articulation: float = 1.0,
    *,
    batch: int = RenderingSettings.batch,
    bf16: bool = False,
) -> Iterator[Layers]:
    """The third stage: what the photo does not show, painted over its warped frames (T,H,W,3). ValueError for another
    number of frames than the fields have."""
    same_length(len(warped), fields.frames, "warped photo", "field")
    device = next(renderer.parameters()).device
    portrait = source.to(device).at_size(tuple(warped.shape[1:3]))  # once, as in `each_batch`
    looks, workers = appearance.to(device), worker_count(device, batch)

    def work(part: tuple[int, int]) -> Layers:
        some, pictures = fields.part(*part), warped[slice(*part)]
        field, deviation = (_on(device, group) for group in (some.motion, some.deviation))
        with torch.inference_mode(), autocast(device, bf16):
            pictures = pictures.to(device).permute(0, 3, 1, 2)
            return _layers(renderer.paint(portrait, looks, field, deviation, pictures, articulation))

    yield from in_order(work, _ranges(fields.frames, max(1, batch // workers)), workers)
