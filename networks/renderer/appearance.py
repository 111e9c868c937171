"""Appearance extractor: the compact identity vector F_A (paper, "Appearance Extractor")."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import RendererConfig
from .layers import Pyramid, blocks, resize


class AppearanceExtractor(nn.Module):
    """A portrait -> F_A (B,appearance_dim), layer-normalised, from mean pooling and attention pooling with one learned
    query. Fine detail is left to the decoder's skip connections.

    It reads the image encoder's coarsest features, or with `appearance_pyramid` the photo, by a pyramid of the same
    widths: what tells people apart is not what tells motion."""

    def __init__(self, config: RendererConfig):
        super().__init__()
        channels, levels = config.encoder_widths[-1], len(config.encoder_widths)
        self.size = config.motion_size
        self.pyramid = None
        if config.appearance_pyramid:
            self.pyramid = Pyramid(config.encoder_widths, (config.encoder_blocks,) * levels)
        self.blocks = blocks(config.appearance_blocks, channels)
        self.query = nn.Conv2d(channels, 1, 1)
        self.project = nn.Sequential(
            nn.Linear(2 * channels, 2 * channels), nn.SiLU(), nn.Linear(2 * channels, config.appearance_dim)
        )
        self.norm = nn.LayerNorm(config.appearance_dim)

    def forward(self, features: Tensor, photo: Tensor) -> Tensor:
        """Coarsest features (B,C,h,w) and photo (B,3,S,S) in [0,1], of which one is read."""
        if self.pyramid is not None:
            features = self.pyramid(resize(photo, self.size))[-1]
        x = F.silu(self.blocks(features))
        attention = self.query(x).flatten(2).softmax(-1)  # (B,1,hw)
        attended = (x.flatten(2) * attention).sum(-1)
        return self.norm(self.project(torch.cat([x.mean((2, 3)), attended], dim=1)))
