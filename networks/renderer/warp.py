"""Warping: displacement fields, their inversion and resampling.

A field is (B,2,H,W) in units of half the picture (grid coordinates run over [-1,1]), so the same field can warp a 32x32
feature map and a 4000-pixel photograph."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .layers import bilinear, is_channels_last

ROW = 16  # least number of channels for which `_sample_rows` is faster


def identity_grid(height: int, width: int, device: torch.device) -> Tensor:
    """(1,2,H,W) pixel centres, x then y, in [-1,1] (align_corners=False)."""
    x, y = (torch.linspace(1 / n - 1, 1 - 1 / n, n, device=device) for n in (width, height))
    return torch.stack([x.expand(height, -1), y[:, None].expand(-1, width)])[None]


def warp(features: Tensor, field: Tensor) -> Tensor:
    """Sample (B,C,H,W) at identity + field (B,2,h,w), with border padding: zeros make dark edges when shoulders move.

    Runs in float32 whatever autocast says: bf16 sampling is slower on CPUs and loses sub-pixel positions. At inference
    on a CPU, channels-last features are sampled by `_sample_rows`.
    """
    height, width = features.shape[-2:]
    field = field.float()
    if field.shape[-2:] != (height, width):
        field = bilinear(field, (height, width))
    on_cpu = features.device.type == "cpu" and not torch.is_grad_enabled()
    if on_cpu and features.shape[1] >= ROW and is_channels_last(features):
        return _sample_rows(features.float(), field).to(features.dtype)
    grid = (identity_grid(height, width, field.device) + field).permute(0, 2, 3, 1)
    with torch.autocast(features.device.type, enabled=False):
        return F.grid_sample(features.float(), grid, padding_mode="border", align_corners=False).to(features.dtype)


def warp_planes(features: Tensor, fields: Tensor) -> Tensor:
    """Sample each depth plane of (B,C,D,H,W) at identity + its own field, (B,2,D,h,w)."""
    planes = warp(features.transpose(1, 2).flatten(0, 1), fields.transpose(1, 2).flatten(0, 1))
    return planes.unflatten(0, (-1, features.shape[2])).transpose(1, 2)


def warp_volume(features: Tensor, displacement: Tensor) -> Tensor:
    """Sample (B,C,D,H,W) at identity + displacement (B,3,D,h,w), x, y and depth in units of half the volume; trilinear,
    in float32, with border padding."""
    depth, height, width = features.shape[2:]
    displacement = F.interpolate(displacement.float(), features.shape[2:], mode="trilinear", align_corners=False)
    plane = identity_grid(height, width, features.device)[:, :, None].expand(-1, -1, depth, -1, -1)
    z = torch.linspace(1 / depth - 1, 1 - 1 / depth, depth, device=features.device)
    grid = torch.cat([plane, z.view(1, 1, -1, 1, 1).expand(1, 1, depth, height, width)], 1) + displacement
    with torch.autocast(features.device.type, enabled=False):
        sampled = F.grid_sample(
            features.float(), grid.permute(0, 2, 3, 4, 1), padding_mode="border", align_corners=False
        )
    return sampled.to(features.dtype)


def _sample_rows(features: Tensor, field: Tensor) -> Tensor:
    """The result of grid_sample as sums of four weighted rows of a table (pixels, channels): ten times faster, because
    grid_sample gathers single elements."""
    count, channels, height, width = features.shape
    columns, rows = (torch.arange(n, dtype=torch.float32) for n in (width, height))
    x = torch.add(columns, field[:, 0], alpha=width / 2).clamp_(0, width - 1)  # in pixels
    y = torch.add(rows[:, None], field[:, 1], alpha=height / 2).clamp_(0, height - 1)
    left, top = x.floor().clamp_(max=width - 2), y.floor().clamp_(max=height - 2)
    right, below = x - left, y - top
    corner = (top * width + left).int().flatten(1)
    single = features.stride(0) == 0 or count == 1  # one portrait for all
    if not single:
        corner += torch.arange(count, dtype=torch.int32)[:, None] * (height * width)
    corners = corner.flatten()[:, None] + torch.tensor([0, 1, width, width + 1], dtype=torch.int32)
    weights = torch.stack([(1 - right) * (1 - below), right * (1 - below), (1 - right) * below, right * below], -1)
    table = (features[:1] if single else features).permute(0, 2, 3, 1).reshape(-1, channels)
    sampled = F.embedding_bag(corners, table, mode="sum", per_sample_weights=weights.flatten(0, 2))
    return sampled.view(count, height, width, channels).permute(0, 3, 1, 2)


def invert(forward: Tensor, steps: int) -> Tensor:
    """Backward field of a forward one: the fixed point of b(x) = -f(x + b(x)), exact where motion is smooth.

    The forward field is predicted on the source, whose maps are computed once; sampling needs the backward one.
    """
    backward = -forward
    for _ in range(steps):
        backward = -warp(forward, backward)
    return backward


def convex_upsample(field: Tensor, weights: Tensor) -> Tensor:
    """Double a field's resolution: each fine value is a convex combination of its 3x3 coarse neighbours.

    field (B,2,h,w), weights (B,4,9,h,w) summing to 1 over the 9 (RAFT, Teed & Deng 2020). The weights are predicted
    once per portrait, so the field gets sharp edges, such as between the lips, without work per frame."""
    b, _, h, w = field.shape
    neighbours = F.unfold(F.pad(field, (1, 1, 1, 1), mode="replicate"), 3).view(b, 2, 1, 9, h, w)
    fine = (neighbours * weights[:, None].to(field.dtype)).sum(3)  # (B,2,4,h,w)
    return F.pixel_shuffle(fine.view(b, 8, h, w), 2)
