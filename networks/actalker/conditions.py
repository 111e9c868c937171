"""The conditions of the UNet in the two forms that its attention layers take: per frame, and the window's mean."""

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch.nn import functional as F


class Tokens(NamedTuple):
    """Condition tokens of `rows` frames or windows, gates already multiplied in: (rows, 1 | 32 | 1, D)."""

    identity: torch.Tensor
    audio: torch.Tensor
    motion: torch.Tensor


class LevelMasks(NamedTuple):
    """The masks at one resolution of the UNet: soft (1, L, 1) for attention, indices (n,) for the PCM's selection."""

    audio: torch.Tensor
    motion: torch.Tensor
    audio_index: torch.Tensor
    motion_index: torch.Tensor


class Context(NamedTuple):
    """Input of one cross-attention layer: tokens by row, and masks over the queries (None: everywhere)."""

    tokens: Tokens
    masks: LevelMasks | None


def downsample_mask(mask: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Bicubic reduction of a mask (1, 1, H, W) to (1, L, 1) without antialiasing, as the published weights expect.

    In float32 an all-ones mask stays exactly one at /8, /16 and /32 (the kernel's weights are exact binary fractions).
    """
    return F.interpolate(mask.float(), size=size, mode="bicubic", align_corners=False).flatten(2).transpose(1, 2)


def selected(soft: torch.Tensor) -> torch.Tensor:
    """Positions where a soft mask (1, L, 1) truncates to a non-zero integer: value >= 1. Edges of 0.99 are outside."""
    return (soft.flatten() >= 1.0).nonzero().flatten()


@dataclass
class Conditions:
    """All conditions of a window of frames. Masks are (1, 1, H, W) at the picture's size, tokens (B * F, n, D)."""

    tokens: Tokens
    frames: int
    audio_mask: torch.Tensor
    motion_mask: torch.Tensor
    _levels: dict[tuple[int, int], LevelMasks] = field(default_factory=dict)

    def spatial(self, size: tuple[int, int]) -> Context:
        """For the spatial layers; size (h, w) is the level's. Masks are reduced once per level and call."""
        if size not in self._levels:
            like = self.tokens.identity
            soft = [downsample_mask(mask, size) for mask in (self.audio_mask, self.motion_mask)]
            index = [selected(mask).to(like.device) for mask in soft]
            self._levels[size] = LevelMasks(*(mask.to(like.device, like.dtype) for mask in soft), *index)
        return Context(self.tokens, self._levels[size])

    def temporal(self) -> Context:
        """For the temporal layers: tokens averaged over the window (B, n, D), no masks."""
        return Context(Tokens(*(x.unflatten(0, (-1, self.frames)).mean(1) for x in self.tokens)), None)
