"""Mamba-l: short slices of the audio, one a frame -> F_al."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..mamba.mamba2 import Mamba2
from ..mamba.norms import RMSNorm
from .audio_stem import TOKEN, audio_stem, prepare
from .motion_config import MotionModelConfig

BLOCK = 512  # slices in flight at inference, so that memory does not grow with the clip


class MambaLocal(nn.Module):
    """Mamba-2 over the 0.2 s slice centred on each frame, all slices in parallel.

    A frame is read from its own two tokens, which know the slice's past, and from the last one, which knows all of it.
    """

    def __init__(self, config: MotionModelConfig):
        super().__init__()
        self.config = config
        width = config.local_width
        options = dict(d_state=config.d_state, d_conv=config.d_conv, expand=config.expand, headdim=config.headdim)
        self.stem = audio_stem(config, width)
        self.norms = nn.ModuleList(RMSNorm(width) for _ in range(config.local_layers))
        self.layers = nn.ModuleList(Mamba2(width, **options) for _ in range(config.local_layers))
        self.final_norm = RMSNorm(width)
        self.project = nn.Linear(2 * width, width)

    def slices(self, waveform: Tensor) -> Tensor:
        """a_1:T as tokens: (B, N) of one loudness -> (B, T, segment_tokens, width)."""
        tokens, hop = self.config.segment_tokens, self.config.samples_per_frame
        side = (tokens * TOKEN - hop) // 2
        padded = F.pad(waveform, (side, side))
        if self.config.exact_slices:
            cut = padded.unfold(1, tokens * TOKEN, hop)
            return self.stem(cut.flatten(0, 1)).unflatten(0, cut.shape[:2])
        return self.stem(padded).unfold(1, tokens, hop // TOKEN).transpose(2, 3)

    def read(self, x: Tensor) -> Tensor:
        """Slices (n, segment_tokens, width) -> (n, width)."""
        for norm, layer in zip(self.norms, self.layers, strict=True):
            x = x + layer(norm(x))
        centre = x.shape[1] // 2
        x = torch.stack([x[:, centre - 1 : centre + 1].mean(1), x[:, -1]], 1)
        return self.project(self.final_norm(x).flatten(1))

    def forward(self, waveform: Tensor) -> Tensor:
        """waveform (B, N) mono 16 kHz -> (B, N // 640, local_width). Raises ValueError for less than a frame."""
        slices = self.slices(prepare(waveform, self.config))
        flat = slices.flatten(0, 1)
        blocks = (flat,) if self.training else flat.split(BLOCK)
        return torch.cat([self.read(block) for block in blocks]).unflatten(0, slices.shape[:2])
