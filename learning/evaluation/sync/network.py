"""Two small networks that put a mouth and the sound around it near each other where both are of one moment.

The idea is SyncNet's (Chung and Zisserman, "Out of time", 2016); sizes, features and loss are ours: one embedding a
frame instead of one for five, a log-mel spectrogram, and a softmax over the shifts of the same clip, so that voice,
face and room, which are the same at all shifts, cannot help.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ....networks.fields import check_fields, check_names
from ....networks.motion_model.audio_stem import LogMelStem, prepare
from ....networks.motion_model.config import MotionModelConfig
from ....vocabulary import SAMPLES_A_FRAME

MOUTH = (48, 64)  # rows and columns of a mouth's picture
TOKENS_A_FRAME = 2


@dataclass(frozen=True)
class SyncConfig:
    """Sizes of both networks; a checkpoint holds them."""

    width: int = 128
    """Of an embedding, and of the audio network."""
    channels: tuple[int, ...] = (24, 48, 80, 112)
    """Of the picture's convolutions, each at half the resolution of the one before."""
    mels: int = 40

    def __post_init__(self) -> None:
        check_fields(self, {"mels": (1, 256)})

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SyncConfig:
        """The inverse of `to_dict`. ValueError names unknown fields and those with impossible values."""
        check_names(cls, values)
        channels = values.get("channels")
        return cls(**dict(values) | ({"channels": tuple(channels)} if isinstance(channels, list) else {}))


class MouthEncoder(nn.Module):
    """Mouths (B,T,48,64) -> (B,T,width); each embedding sees five frames, and two more on either side faintly."""

    def __init__(self, config: SyncConfig):
        super().__init__()
        first, *others = config.channels
        self.motion = nn.Conv3d(1, first, 5, (1, 2, 2), 2, bias=False)
        self.motion_norm = nn.GroupNorm(4, first)
        self.blocks = nn.ModuleList()
        for before, after in zip(config.channels, others, strict=False):
            self.blocks.append(
                nn.Sequential(nn.Conv2d(before, after, 3, 2, 1, bias=False), nn.GroupNorm(4, after), nn.GELU())
            )
        rows, columns = (side >> len(config.channels) for side in MOUTH)
        self.flat = nn.Linear(config.channels[-1] * rows * columns, config.width)
        self.around = nn.Conv1d(config.width, config.width, 5, padding=2)

    def forward(self, mouths: Tensor) -> Tensor:
        x = self.motion(mouths[:, None]).transpose(1, 2)
        batch, frames = x.shape[:2]
        x = F.gelu(self.motion_norm(x.flatten(0, 1)))
        for block in self.blocks:
            x = block(x)
        x = self.flat(x.flatten(1)).unflatten(0, (batch, frames))
        return x + self.around(F.gelu(x).transpose(1, 2)).transpose(1, 2)


class VoiceEncoder(nn.Module):
    """Sound (B,640*T) at 16 kHz -> (B,T,width); each embedding hears .2 s on either side of its frame."""

    def __init__(self, config: SyncConfig):
        super().__init__()
        self.stem = LogMelStem(MotionModelConfig(mels=config.mels), config.width)
        self.layers = nn.ModuleList(nn.Conv1d(config.width, config.width, 5, padding=2) for _ in range(3))
        self.frames = nn.Conv1d(config.width, config.width, 4, stride=2, padding=1)

    def forward(self, waveform: Tensor) -> Tensor:
        frames = waveform.shape[1] // SAMPLES_A_FRAME
        x = prepare(waveform).tokens(self.stem, 0, TOKENS_A_FRAME * frames).transpose(1, 2)
        for layer in self.layers:
            x = x + layer(F.gelu(x))
        return self.frames(F.gelu(x)).transpose(1, 2)


class SyncNetwork(nn.Module):
    """Mouths and sound of T frames -> how well each frame's mouth fits each frame's sound."""

    def __init__(self, config: SyncConfig | None = None):
        super().__init__()
        self.config = config or SyncConfig()
        self.mouth, self.voice = MouthEncoder(self.config), VoiceEncoder(self.config)
        self.sharpness = nn.Parameter(torch.tensor(2.5))  # exp of it divides the similarities' softmax

    def forward(self, mouths: Tensor, waveform: Tensor) -> Tensor:
        """mouths (B,T,48,64) in [0,1], waveform (B,640*T) -> cosines (B,T,T): [b,t,u] of mouth t and sound u."""
        return self.seen(mouths) @ self.heard(waveform).mT

    def seen(self, mouths: Tensor) -> Tensor:
        """mouths (B,T,48,64) in [0,1] -> embeddings (B,T,width) of length 1."""
        pixels = mouths - mouths.mean((1, 2, 3), keepdim=True)
        pixels = pixels / pixels.std((1, 2, 3), keepdim=True).clamp_min(0.02)
        return F.normalize(self.mouth(pixels), dim=-1)

    def heard(self, waveform: Tensor) -> Tensor:
        """waveform (B,640*T) at 16 kHz -> embeddings (B,T,width) of length 1."""
        return F.normalize(self.voice(waveform), dim=-1)


def by_shift(cosines: Tensor, reach: int) -> Tensor:
    """(B,T,T) -> (B,T,2*reach+1): the cosines of each mouth with the sounds from `reach` frames before it to `reach`
    after it; NaN where the clip has none."""
    frames = cosines.shape[-1]
    shifts = torch.arange(-reach, reach + 1, device=cosines.device)
    at = torch.arange(frames, device=cosines.device)[:, None] + shifts
    inside = (at >= 0) & (at < frames)
    picked = cosines.gather(-1, at.clamp(0, frames - 1).expand(*cosines.shape[:-2], -1, -1))
    return torch.where(inside, picked, torch.nan)
