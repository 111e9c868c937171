"""Mamba-g: the whole utterance -> F_ag, a speaking style and a stream of prosody."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..mamba.mamba1 import BidirectionalMamba
from ..mamba.mamba2 import BidirectionalMamba2
from ..mamba.norms import RMSNorm
from .audio_stem import TOKEN, audio_stem, prepare
from .config import MotionModelConfig

BLOCK = 1024  # tokens that the stem encodes at once, so that memory hardly grows with the clip


@dataclass(frozen=True)
class GlobalAudio:
    """F_ag."""

    style: Tensor  # (B, global_width): speaking style, one vector an utterance
    frames: Tensor  # (B, T, global_width): prosody, 25 a second

    def window(self, start: int, stop: int) -> GlobalAudio:
        """The same style with frames start .. stop."""
        return GlobalAudio(self.style, self.frames[:, start:stop])


class MambaGlobal(nn.Module):
    """Bidirectional Mamba-2, or Mamba (`scan`), over all tokens of the clip.

    Style is attention pooling with one learned query (the paper's "coarse speaking style", without style labels); the
    frame features, the mean of each frame's two tokens, add the prosody, which is longer than a 0.2 s slice.
    """

    def __init__(self, config: MotionModelConfig):
        super().__init__()
        width = config.global_width
        layer = {"ssd": BidirectionalMamba2, "selective": BidirectionalMamba}[config.scan]
        self.stem = audio_stem(config, width)
        self.norms = nn.ModuleList(RMSNorm(width) for _ in range(config.global_layers))
        self.layers = nn.ModuleList(layer(width, **config.scan_options) for _ in range(config.global_layers))
        self.final_norm = RMSNorm(width)
        self.query = nn.Linear(width, 1)

    def forward(self, waveform: Tensor) -> GlobalAudio:
        """waveform (B, N) mono 16 kHz -> F_ag with T = N // 640. Raises ValueError for less than a frame."""
        speech = prepare(waveform)
        tokens = speech.waveform.shape[1] // TOKEN
        spans = [(start, min(start + BLOCK, tokens)) for start in range(0, tokens, BLOCK)]
        x = torch.cat([speech.tokens(self.stem, start, stop) for start, stop in spans], 1)
        for norm, layer in zip(self.norms, self.layers, strict=True):
            x = x + layer(norm(x))
        x = self.final_norm(x)
        attention = torch.softmax(self.query(x).float(), 1).to(x.dtype)
        return GlobalAudio((attention * x).sum(1), x.unflatten(1, (-1, 2)).mean(2))
