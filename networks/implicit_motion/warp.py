"""The warping calculator: displacement fields, their inversion and resampling.

A field is (B,2,H,W) in units of half the picture (grid coordinates run over [-1,1]), so it has no resolution of its
own: the same field moves a 32x32 feature map and a 4000-pixel photograph."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def identity_grid(height: int, width: int, device: torch.device) -> Tensor:
    """(1,2,H,W) pixel centres, x then y, in [-1,1] (align_corners=False)."""
    ys = (torch.arange(height, device=device) + 0.5) / height * 2 - 1
    xs = (torch.arange(width, device=device) + 0.5) / width * 2 - 1
    y, x = torch.meshgrid(ys, xs, indexing="ij")
    return torch.stack([x, y])[None]


def warp(features: Tensor, field: Tensor) -> Tensor:
    """Sample (B,C,H,W) at identity + field (B,2,h,w); the border repeats, because zeros make dark edges under shoulder
    motion.

    Runs in float32 whatever the precision around it: bf16 sampling is slower on CPUs and loses sub-pixel positions.
    """
    height, width = features.shape[-2:]
    field = field.float()
    if field.shape[-2:] != (height, width):
        field = F.interpolate(field, size=(height, width), mode="bilinear", align_corners=False)
    grid = (identity_grid(height, width, field.device) + field).permute(0, 2, 3, 1)
    with torch.autocast(features.device.type, enabled=False):
        return F.grid_sample(features.float(), grid, padding_mode="border", align_corners=False).to(features.dtype)


def invert(forward: Tensor, steps: int) -> Tensor:
    """Backward field of a forward one: the fixed point of b(x) = -f(x + b(x)), exact where motion is smooth.

    Forward motion is predicted on the source, where the anatomy is known once; sampling needs the backward one.
    """
    backward = -forward
    for _ in range(steps):
        backward = -warp(forward, backward)
    return backward


def convex_upsample(field: Tensor, weights: Tensor) -> Tensor:
    """Double a field's resolution: each fine value is a convex combination of its 3x3 coarse neighbours.

    field (B,2,h,w), weights (B,4,9,h,w) summing to 1 over the 9. The source predicts the weights once, so lips part
    along their own line at no cost a frame."""
    b, _, h, w = field.shape
    neighbours = F.unfold(F.pad(field, (1, 1, 1, 1), mode="replicate"), 3).view(b, 2, 1, 9, h, w)
    fine = (neighbours * weights[:, None].to(field.dtype)).sum(3)  # (B,2,4,h,w)
    return F.pixel_shuffle(fine.view(b, 8, h, w), 2)
