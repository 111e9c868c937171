"""The flow of rendered frames: edited, and used to carry along detail that another program adds, so that it does not
flicker."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import torch
from torch import Tensor

from ..networks.renderer.layers import bilinear, resize
from ..networks.renderer.warp import invert, warp
from .devices import Progress

INVERSION_STEPS = 6
REACH = 3  # standard deviations of the window over which detail is averaged


@dataclass(frozen=True)
class Flow:
    """Where each pixel of each frame comes from in the portrait.

    values (T,2,h,w) float32: x and y of the displacement from the frame's pixel to the portrait's, in units of half the
    picture, at any resolution. fps: frames a second.
    """

    values: Tensor
    fps: Fraction

    @property
    def frames(self) -> int:
        return len(self.values)


def same_length(given: int, needed: int, what: str, other: str) -> None:
    """Refuse values of different motions: ValueError."""
    if given != needed:
        raise ValueError(f"The {what} has {given} frames and the {other} {needed}: both must be of the same motion.")


def flow_of_pictures(pictures: Tensor, fps: Fraction) -> Flow:
    """A displacement from elsewhere, as pictures (T,H,W,3) in [0,1]: red to the right, green down, one half is none, 0
    and 1 are half the picture."""
    return Flow(2 * pictures[..., :2].permute(0, 3, 1, 2).float() - 1, fps)


def edit_flow(flow: Flow, strength: float = 1.0, mask: Tensor | None = None, other: Flow | None = None) -> Flow:
    """`other`, or the flow itself, times `strength` where the mask (1 or T,h,w) is 1; unchanged where it is 0.

    Raises ValueError for another number of frames."""
    edited = flow.values
    if other is not None:
        same_length(other.frames, flow.frames, "other flow", "flow")
        edited = bilinear(other.values.to(edited), edited.shape[-2:])
    edited = edited * strength
    if mask is not None:
        if len(mask) != 1:
            same_length(len(mask), flow.frames, "mask", "flow")
        edited = torch.lerp(flow.values, edited, resize(mask[:, None].to(edited), tuple(edited.shape[-2:])))
    return replace(flow, values=edited)


@torch.inference_mode()
def carry_along(
    frames: Tensor, detailed: Tensor, flow: Flow, mask: Tensor, steadiness: float, progress: Progress | None = None
) -> Iterator[Tensor]:
    """Frames (T,h,w,3) with the detail of `detailed`, one by one (1,H,W,3) at the size of `detailed`.

    One detailed picture is the portrait itself, restored or enlarged: it is warped by the flow, and the frames are kept
    where the mask (T,h,w) says that they are painted. As many as there are frames are the frames themselves, each
    restored by itself: what that changed is carried to the portrait by the flow, averaged over neighbouring frames with
    a Gaussian of `steadiness` frames (0: not at all), carried back, and added where the mask is.
    """
    same_length(flow.frames, len(frames), "flow", "frames")
    same_length(len(mask), len(frames), "mask", "frames")
    if len(detailed) not in (1, len(frames)):
        raise ValueError(
            f"Detailed pictures: give one, the portrait, or {len(frames)}, the frames; not {len(detailed)}."
        )
    make = _portrait_detail if len(detailed) == 1 < len(frames) else _frame_detail
    for index, picture in enumerate(make(frames, detailed, flow, mask, steadiness), 1):
        yield picture.clamp(0, 1).permute(0, 2, 3, 1)
        if progress is not None:
            progress(index, len(frames))


def _picture(batch: Tensor, index: int, size: tuple[int, int]) -> Tensor:
    """(1,3,H,W) of a batch (T,h,w,3), at the size."""
    return resize(batch[index : index + 1, ..., :3].permute(0, 3, 1, 2).float().cpu(), size)


def _at(mask: Tensor, index: int, size: tuple[int, int]) -> Tensor:
    return resize(mask[index : index + 1, None].float().cpu(), size)


def _portrait_detail(frames: Tensor, detailed: Tensor, flow: Flow, mask: Tensor, steadiness: float) -> Iterator[Tensor]:
    size = tuple(detailed.shape[1:3])
    photo = _picture(detailed, 0, size)
    for i in range(len(frames)):
        yield torch.lerp(warp(photo, flow.values[i : i + 1]), _picture(frames, i, size), _at(mask, i, size))


def _frame_detail(frames: Tensor, detailed: Tensor, flow: Flow, mask: Tensor, steadiness: float) -> Iterator[Tensor]:
    size, count = tuple(detailed.shape[1:3]), len(frames)
    reach = round(REACH * steadiness)
    on_portrait: dict[int, tuple[Tensor, Tensor]] = {}

    def change(i: int) -> Tensor:
        return _picture(detailed, i, size) - _picture(frames, i, size)

    def carried(i: int) -> tuple[Tensor, Tensor]:
        """What was changed in frame i, and how much it counts, on the portrait."""
        if i not in on_portrait:
            forward = invert(flow.values[i : i + 1], INVERSION_STEPS)
            weight = _at(mask, i, size)
            on_portrait[i] = warp(change(i) * weight, forward), warp(weight, forward)
        return on_portrait[i]

    for i in range(count):
        weight = _at(mask, i, size)
        if reach == 0:
            yield torch.lerp(_picture(frames, i, size), _picture(detailed, i, size), weight)
            continue
        total, counted = torch.zeros(1, 3, *size), torch.full((1, 1, *size), 1e-4)
        for j in range(max(0, i - reach), min(count, i + reach + 1)):
            share = torch.tensor(-0.5 * ((i - j) / steadiness) ** 2).exp()
            total, counted = total + share * carried(j)[0], counted + share * carried(j)[1]
        on_portrait.pop(i - reach, None)
        yield _picture(frames, i, size) + weight * warp(total / counted, flow.values[i : i + 1])
