"""Motion encoder: a frame to its 768 implicit motion numbers, and their supervised read-out."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from .layers import Pyramid, resize
from .renderer_config import RendererConfig


class MotionEncoder(nn.Module):
    """(B,3,H,W) in [0,1] -> M (B,768). The 8x8 grid is kept (V is 8x8x12 [P]), so a number stays with the place it speaks of."""

    def __init__(self, config: RendererConfig):
        super().__init__()
        self.config = config
        self.pyramid = Pyramid(config.motion_widths, config.motion_blocks)
        self.head = nn.Conv2d(config.motion_widths[-1], config.motion_depth, 1)
        nn.init.normal_(self.head.weight, std=0.02)

    def forward(self, frames: Tensor) -> Tensor:
        x = self.pyramid(resize(frames, self.config.motion_size))[-1]
        return self.head(F.silu(x)).float().permute(0, 2, 3, 1).flatten(1)


READ_GAIN = 0.1  # small, so that the 768 numbers themselves come out at about unit scale


class MotionParameters(nn.Module):
    """Between the 768 numbers and the parameters of a drawn head (supervised where the corpus has labels).

    Reading is linear, so that differences of motion read as differences of parameters; this is the handle for editing,
    joint control and measuring. Writing is a small network whose output reads back as its input.
    """

    def __init__(self, config: RendererConfig):
        super().__init__()
        self.reader = nn.Linear(config.motion_dim, config.parameters)
        self.writer = nn.Sequential(
            nn.Linear(config.parameters, 256), nn.SiLU(), nn.Linear(256, 256), nn.SiLU(), nn.Linear(256, config.motion_dim)
        )
        nn.init.normal_(self.writer[-1].weight, std=0.5)  # motion starts at unit scale: from nothing it took long to grow

    def read(self, motion: Tensor) -> Tensor:
        """(...,768) -> (...,24)."""
        return self.reader(motion) * READ_GAIN

    def write(self, parameters: Tensor) -> Tensor:
        """(...,24) -> (...,768)."""
        return self.writer(parameters)
