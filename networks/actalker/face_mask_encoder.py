"""The face mask as a feature at the latents' resolution (the "pose guider" of the published files)."""

import torch
from torch import nn
from torch.nn import functional as F


class FaceMaskEncoder(nn.Module):
    """Face mask (n, 3, H, W) in 0..1 to a feature (n, channels, H / 8, W / 8) for the UNet's first level."""

    def __init__(self, channels: int = 320, widths: tuple[int, ...] = (16, 32, 96, 256)):
        super().__init__()
        self.conv_in = nn.Conv2d(3, widths[0], 3, padding=1)
        self.blocks = nn.ModuleList()
        for narrow, wide in zip(widths, widths[1:], strict=False):
            self.blocks.append(nn.Conv2d(narrow, narrow, 3, padding=1))
            self.blocks.append(nn.Conv2d(narrow, wide, 3, padding=1, stride=2))
        self.conv_out = nn.Conv2d(widths[-1], channels, 3, padding=1)

    def forward(self, mask: torch.Tensor) -> torch.Tensor:
        x = F.silu(self.conv_in(mask))
        for block in self.blocks:
            x = F.silu(block(x))
        return self.conv_out(x)
