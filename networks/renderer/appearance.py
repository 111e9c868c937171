"""Appearance extractor: the compact identity vector F_A (paper, "Appearance Extractor")."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import RendererConfig


class AppearanceExtractor(nn.Module):
    """Coarsest features (B,C,h,w) -> F_A (B,appearance_dim), layer-normalised, from mean pooling and attention pooling
    with one learned query. Fine detail is left to the decoder's skip connections."""

    def __init__(self, channels: int, config: RendererConfig):
        super().__init__()
        self.query = nn.Conv2d(channels, 1, 1)
        self.project = nn.Sequential(
            nn.Linear(2 * channels, 2 * channels), nn.SiLU(), nn.Linear(2 * channels, config.appearance_dim)
        )
        self.norm = nn.LayerNorm(config.appearance_dim)

    def forward(self, features: Tensor) -> Tensor:
        x = F.silu(features)
        attention = self.query(x).flatten(2).softmax(-1)  # (B,1,hw)
        attended = (x.flatten(2) * attention).sum(-1)
        return self.norm(self.project(torch.cat([x.mean((2, 3)), attended], dim=1)))
