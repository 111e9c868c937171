"""Image encoder: features of the source picture (F_S and texture skips)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from .config import RendererConfig
from .layers import Pyramid, ResBlock, conv, resize


class ImageEncoder(nn.Module):
    """Photo to context features at motion_size and texture skips at image_size; once per portrait."""

    def __init__(self, config: RendererConfig):
        super().__init__()
        self.config = config
        levels = len(config.encoder_widths)
        self.context = Pyramid(config.encoder_widths, (config.encoder_blocks,) * levels)
        half, quarter = config.skip_widths
        self.texture_half = nn.Sequential(conv(3, half, 5, stride=2), nn.SiLU(), conv(half, half))
        self.texture_quarter = nn.Sequential(conv(half, quarter, stride=2), ResBlock(quarter, norm=False))

    def forward(self, image: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """(B,3,S,S) in [0,1], S = image_size or any multiple of 8 -> (F_S pyramid, [skip at S/2, skip at S/4]).

        The skips are convolutional with a small receptive field, so training may run them at another size first.
        """
        context = self.context(resize(image, self.config.motion_size))
        half = self.texture_half(image * 2 - 1)
        return context, [half, self.texture_quarter(F.silu(half))]
