"""Mamba-l: short slices of the audio, one a frame -> F_al."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...vocabulary import SAMPLES_A_FRAME
from ..mamba.mamba1 import Mamba
from ..mamba.mamba2 import Mamba2
from ..mamba.norms import RMSNorm
from .audio_stem import TOKEN, NormalisedAudio, audio_stem, prepare
from .config import MotionModelConfig

BLOCK = 256  # frames whose slices are encoded at once, so that memory does not grow with the clip


class MambaLocal(nn.Module):
    """Mamba-2, or Mamba (`scan`), over the 0.2 s slice centred on each frame, all slices in parallel.

    The features of a frame come from its own two tokens, which by then have seen the slice up to them, and from the
    last token, which has seen the whole slice.
    """

    def __init__(self, config: MotionModelConfig):
        super().__init__()
        self.config = config
        width = config.local_width
        layer = {"ssd": Mamba2, "selective": Mamba}[config.scan]
        self.stem = audio_stem(config, width)
        self.norms = nn.ModuleList(RMSNorm(width) for _ in range(config.local_layers))
        self.layers = nn.ModuleList(layer(width, **config.scan_options) for _ in range(config.local_layers))
        self.final_norm = RMSNorm(width)
        self.project = nn.Linear(2 * width, width)

    def slices(self, speech: NormalisedAudio, start: int, stop: int) -> Tensor:
        """The slices of frames start .. stop of a_1:T as tokens: (B, stop - start, segment_tokens, width)."""
        tokens, a_frame = self.config.segment_tokens, SAMPLES_A_FRAME // TOKEN
        side = (tokens - a_frame) // 2
        first, last = start * a_frame - side, stop * a_frame + side
        if self.config.exact_slices:
            cut = speech.samples(first * TOKEN, last * TOKEN).unfold(1, tokens * TOKEN, a_frame * TOKEN)
            alone = F.pad(cut.flatten(0, 1), (self.stem.BEFORE, self.stem.AFTER))
            return self.stem(alone).unflatten(0, cut.shape[:2])
        return speech.tokens(self.stem, first, last).unfold(1, tokens, a_frame).transpose(2, 3)

    def encode_slices(self, x: Tensor) -> Tensor:
        """Slices (n, segment_tokens, width) -> (n, width)."""
        for norm, layer in zip(self.norms, self.layers, strict=True):
            x = x + layer(norm(x))
        centre = x.shape[1] // 2
        x = torch.stack([x[:, centre - 1 : centre + 1].mean(1), x[:, -1]], 1)
        return self.project(self.final_norm(x).flatten(1))

    def forward(self, waveform: Tensor) -> Tensor:
        """waveform (B, N) mono 16 kHz -> (B, N // 640, local_width). Raises ValueError for less than a frame."""
        speech = prepare(waveform)
        frames = speech.waveform.shape[1] // SAMPLES_A_FRAME

        def features(start: int, stop: int) -> Tensor:
            slices = self.slices(speech, start, stop)
            return self.encode_slices(slices.flatten(0, 1)).unflatten(0, slices.shape[:2])

        return torch.cat([features(start, min(start + BLOCK, frames)) for start in range(0, frames, BLOCK)], 1)
