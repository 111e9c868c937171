"""A small U-Net, for what is found in a portrait once."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .layers import bilinear, group_norm


class UNet(nn.Module):
    """Maps (B,inputs,H,W) -> features (B,widths[0],H,W), by way of half the size for each further width."""

    def __init__(self, inputs: int, widths: tuple[int, ...]):
        super().__init__()
        self.down = nn.ModuleList(_block(a, b) for a, b in zip((inputs, *widths[:-1]), widths, strict=True))
        self.up = nn.ModuleList(_block(a + b, b) for a, b in zip(widths[:0:-1], widths[-2::-1], strict=True))

    def features(self, x: Tensor) -> Tensor:
        """(B,inputs,H,W) -> (B,widths[0],H,W)."""
        levels = []
        for block in self.down:
            x = block(F.avg_pool2d(x, 2) if levels else x)
            levels.append(x)
        for block, level in zip(self.up, levels[-2::-1], strict=True):
            x = block(torch.cat([bilinear(x, tuple(level.shape[-2:])), level], 1))
        return x


def _block(before: int, after: int) -> nn.Sequential:
    layers = []
    for channels in (before, after):
        layers += [nn.Conv2d(channels, after, 3, padding=1), group_norm(after), nn.SiLU()]
    return nn.Sequential(*layers)
