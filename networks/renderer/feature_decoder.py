"""The image decoder U as the paper prints it: I_R = U(phi_r), from the blended feature alone."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from .config import RendererConfig
from .layers import blocks, conv, shuffle_up, upsample


class FeatureDecoder(nn.Module):
    """phi_r (B,C*S_d,S/8,S/8) -> picture (B,3,S,S) in [0,1]: residual blocks at 1/8, 1/4 and 1/2, then four sub-pixels
    a position."""

    def __init__(self, channels: int, config: RendererConfig):
        super().__init__()
        low, middle, high = config.decoder_widths
        n = config.decoder_blocks
        self.low = nn.Sequential(conv(channels, low), blocks(n, low))
        self.middle = nn.Sequential(conv(low, middle), blocks(n + 1, middle, norm=False))
        self.high = nn.Sequential(conv(middle, high), blocks(n, high, norm=False))
        self.leave = nn.Conv2d(high, 12, 3, padding=1)
        nn.init.normal_(self.leave.weight, std=0.01)
        nn.init.zeros_(self.leave.bias)

    def forward(self, phi: Tensor) -> Tensor:
        x = self.middle(upsample(F.silu(self.low(phi))))
        x = self.high(upsample(F.silu(x)))
        return shuffle_up(self.leave(F.silu(x)).float()).sigmoid()
