"""Implicit depth: features expanded along S_d planes, weighed and refined (paper, "implicit depth feature
estimation")."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from .config import RendererConfig
from .layers import group_norm


class ResBlock3D(nn.Module):
    """[norm, ReLU, conv3d 3x3x3] twice, plus the input; the last convolution starts at zero."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm1, self.norm2 = group_norm(channels), group_norm(channels)
        self.conv1 = nn.Conv3d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv3d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(F.relu(self.norm1(x)))
        return x + self.conv2(F.relu(self.norm2(h)))


class DepthExpansion(nn.Module):
    """F_S (B,C_S,H,W) -> F_id (B,C,S_d,H,W): the depth-aware identity feature; once per portrait."""

    def __init__(self, channels: int, config: RendererConfig):
        super().__init__()
        self.planes, self.channels = config.depth_planes, config.depth_channels
        self.expand = nn.Conv2d(channels, self.channels * self.planes, 1)
        # The paper calls omega_m depth-wise weights, but its global mean leaves C numbers: so FC maps C to S_d, one
        # weight a plane, or (`omega_channels`) to C * S_d.
        weights = self.planes * (self.channels if config.omega_channels else 1)
        self.plane_weights = nn.Sequential(
            nn.Linear(self.channels, self.channels), nn.SiLU(), nn.Linear(self.channels, weights)
        )
        self.refine = nn.Sequential(*(ResBlock3D(self.channels) for _ in range(config.resnet3d_blocks)))
        self.weighs_after = config.omega_after

    def forward(self, features: Tensor) -> Tensor:
        volume = self.expand(features).unflatten(1, (self.channels, self.planes))  # F_m
        return self._weighed(self.refine(volume)) if self.weighs_after else self.refine(self._weighed(volume))

    def _weighed(self, volume: Tensor) -> Tensor:
        omega = self.plane_weights(volume.mean((2, 3, 4))).sigmoid()  # omega_m
        return volume * omega.unflatten(1, (-1, self.planes))[..., None, None]
