"""Photographic variation: what cameras, files and light do, so that drawn heads stop looking like one camera."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ...datasets.batch_slice import Draws


@torch.autocast("cpu", enabled=False)
@torch.autocast("cuda", enabled=False)
def vary(images: Tensor, draws: Draws, shared: int = 1) -> Tensor:
    """Random gamma, brightness, contrast, saturation, tint, blur and noise on (B,3,H,W) in [0,1].

    `shared` consecutive images get the same treatment (frames of a clip), a row of `draws`; about a quarter are
    blurred, 30 % get noise, 15 % are black and white and 10 % have as little detail as an old print: on such photos
    mouths opened beside the lips.
    """

    def uniform(*shape: int) -> Tensor:
        return draws.uniform(*shape).repeat_interleave(shared, 0)

    x = recoloured(images, draws, shared)
    amount = (uniform(1, 1, 1) < 0.25) * uniform(1, 1, 1)
    x = torch.lerp(x, _soft(x), amount)
    x = torch.where(uniform(1, 1, 1) < 0.1, _coarse(x), x)
    level = 0.03 * uniform(1, 1, 1) * (uniform(1, 1, 1) < 0.3)
    x = x + level * draws.each(shared).normal(*x.shape[1:])
    return x.clamp(0, 1)


@torch.autocast("cpu", enabled=False)
@torch.autocast("cuda", enabled=False)
def recoloured(images: Tensor, draws: Draws, shared: int = 1) -> Tensor:
    """The colours of `vary` alone; not clamped."""

    def normal(*shape: int) -> Tensor:
        return draws.normal(*shape).repeat_interleave(shared, 0)

    def uniform(*shape: int) -> Tensor:
        return draws.uniform(*shape).repeat_interleave(shared, 0)

    x = images.clamp_min(1e-4).pow((0.25 * normal(1, 1, 1)).exp())
    gray = x.mean(1, keepdim=True)
    saturation = (1 + 0.35 * normal(1, 1, 1)).clamp(0, 2) * (uniform(1, 1, 1) > 0.15)
    x = (gray + (x - gray) * saturation) * (0.07 * normal(3, 1, 1)).exp()
    return (x - 0.5) * (0.22 * normal(1, 1, 1)).exp() + 0.5 + 0.06 * normal(1, 1, 1)


def _soft(x: Tensor) -> Tensor:
    """Blur by a 5x5 binomial kernel, whatever the size."""
    k = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0], device=x.device) / 16
    c = x.shape[1]
    x = F.conv2d(F.pad(x, (2, 2, 0, 0), mode="replicate"), k.view(1, 1, 1, 5).expand(c, 1, 1, 5), groups=c)
    return F.conv2d(F.pad(x, (0, 0, 2, 2), mode="replicate"), k.view(1, 1, 5, 1).expand(c, 1, 5, 1), groups=c)


def _coarse(x: Tensor) -> Tensor:
    """Half of the detail a side."""
    small = F.interpolate(x, scale_factor=0.5, mode="area")
    return F.interpolate(small, size=x.shape[-2:], mode="bilinear", align_corners=False)


@torch.autocast("cpu", enabled=False)
@torch.autocast("cuda", enabled=False)
def jostle(
    images: Tensor, points: Tensor, draws: Draws, shared: int = 1, zoom: float = 0.06, move: float = 0.03
) -> tuple[Tensor, Tensor]:
    """Random scale (`zoom`: 6 %) and shift (`move`: 3 % of the picture), the same for `shared` consecutive images:
    framing is not motion.

    images (B,C,H,W), as in `vary`; points (B,P,2) in [0,1] lie on them and move along."""
    b = images.shape[0]
    noise = draws.normal(3).repeat_interleave(shared, 0)
    scale, shift = (zoom * noise[:, 0]).exp(), 2 * move * noise[:, 1:]
    theta = torch.cat([torch.diag_embed(scale[:, None].expand(b, 2)), shift[:, :, None]], dim=2)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    moved = (points * 2 - 1 - shift[:, None]) / scale[:, None, None]
    return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False), (moved + 1) / 2
