"""A portrait and a driving video, as the networks see them.

Networks stay on the device they are on; results go to `keep_on` (the CPU by default). Pictures are (H,W,3) float in
[0,1].
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import islice

import torch
from torch import Tensor

from ..media.motion import Motion
from ..media.picture import checked
from ..networks.renderer.model import Renderer, Source
from .devices import Progress, autocast, device_of
from .limits import MotionLimits


def _network_image(photo: Tensor, device: torch.device) -> Tensor:
    """(H,W,3|4) or (B,H,W,3|4) -> (B,3,H,W) on the device."""
    photo = photo if photo.ndim == 4 else photo[None]
    return photo[..., :3].permute(0, 3, 1, 2).to(device, torch.float32)


@torch.inference_mode()
def encode_source(
    renderer: Renderer,
    photo: Tensor,
    *,
    alpha: Tensor | None = None,
    bf16: bool = False,
    keep_on: str | torch.device = "cpu",
) -> Source:
    """A square portrait (H,W,3) in [0,1] -> its encoding, computed once per portrait. ValueError for other pictures.

    alpha (H,W) in [0,1], 1 opaque: frames then have four channels, and what is transparent moves with the head."""
    if photo.ndim == 4 and photo.shape[0] != 1:
        raise ValueError(f"One portrait is needed, but {photo.shape[0]} pictures came in; choose one of them first.")
    device = device_of(renderer)
    picture, limits = _network_image(checked(photo, "the portrait"), device), MotionLimits(renderer, "the portrait")
    with autocast(device, bf16):
        motion = renderer.encode_motion(picture)
    motion = limits.clamp(motion.float().cpu()).to(device)
    limits.warn()
    if alpha is not None:
        if alpha.shape != picture.shape[-2:]:
            given, wanted = ("x".join(str(n) for n in reversed(x.shape[-2:])) for x in (alpha, picture))
            raise ValueError(f"The portrait is {wanted} and its mask {given}: cut both in the same way.")
        picture = torch.cat([picture, alpha.to(picture)[None, None].clamp(0, 1)], 1)
    with autocast(device, bf16):
        return renderer.encode_source(picture, motion=motion).toned().to(keep_on)


@torch.inference_mode()
def extract_appearance(
    renderer: Renderer, source: Source, *, bf16: bool = False, keep_on: str | torch.device = "cpu"
) -> Tensor:
    """F_A (1,appearance_dim) float32 of an encoded portrait."""
    device = device_of(renderer)
    with autocast(device, bf16):
        return renderer.extract_appearance(source.to(device)).float().to(keep_on)


def batches(frames: Iterable[Tensor], size: int) -> Iterator[Tensor]:
    """Single pictures (H,W,3) -> stacks of at most `size` of them (b,H,W,3)."""
    iterator = iter(frames)
    while chunk := list(islice(iterator, size)):
        yield torch.stack([torch.as_tensor(frame) for frame in chunk])


@torch.inference_mode()
def encode_driving_video(
    renderer: Renderer,
    frames: Iterable[Tensor],
    fps: Fraction,
    *,
    batch: int = 8,
    bf16: bool = False,
    total: int | None = None,
    progress: Progress | None = None,
) -> Motion:
    """The frames (H,W,3) in [0,1] of a driving video -> its Motion, relative to its first frame; framing parameters are
    relative to the first frame's. ValueError for other pictures. Motion that no face makes is clamped, with a warning
    (limits.py)."""
    motion = encode_motions(renderer, frames, batch=batch, bf16=bf16, total=total, progress=progress)
    device = device_of(renderer)
    with torch.autocast(device.type, enabled=False):
        motion = renderer.centred(motion.to(device), motion[0].to(device)).float().cpu()
    limits = MotionLimits(renderer, "the driving video")
    motion = limits.clamp(motion)
    limits.warn()
    return Motion(motion, motion[0].clone(), fps, renderer.motion_language, renderer.motion_encoder_id)


@torch.inference_mode()
def encode_motions(
    renderer: Renderer,
    frames: Iterable[Tensor],
    *,
    batch: int = 8,
    bf16: bool = False,
    total: int | None = None,
    progress: Progress | None = None,
) -> Tensor:
    """The frames (H,W,3) in [0,1] of a driving video, cut to a face -> their motion (T,768) float32 on the CPU, as the
    encoder gives it. ValueError for other pictures and for none."""
    device, done = device_of(renderer), 0
    values: list[Tensor] = []
    for pictures in batches(frames, batch):
        pictures = _network_image(checked(pictures, "the driving video"), device)
        with autocast(device, bf16):
            values.append(renderer.encode_motion(pictures).float().cpu())
        done += len(pictures)
        if progress is not None:
            progress(done, max(done, total or done))
    if not values:
        raise ValueError("The driving video has no frames.")
    return torch.cat(values)
