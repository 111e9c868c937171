"""Pictures without a face: noise, colours, patches, stripes. Of them a motion encoder should say nothing strange."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ....vocabulary import MOTION
from ...datasets.batch_slice import Draws

KINDS = 5
ROOM = 0.25  # of its range in the corpus, by which a parameter may lie outside of it


def strange_pictures(draws: Draws, size: int) -> Tensor:
    """(N,3,size,size) in [0,1], one for each row of `draws`, of a kind picked at random."""
    kind = draws.integers(KINDS)
    noise, colour = draws.uniform(3, size, size), draws.uniform(3, 1, 1)
    cells = draws.uniform(3, 16, 16)
    wave = torch.arange(size, device=noise.device) * (0.05 + 0.6 * draws.uniform(1, 1, 1))
    pictures = [
        noise,
        colour.expand_as(noise),
        F.interpolate(cells, (size, size), mode="bilinear", align_corners=False),
        F.interpolate(cells[..., :6, :6].contiguous(), (size, size), mode="nearest"),
        colour * (0.5 + 0.5 * torch.sin(wave)).expand(-1, 1, size, size),
    ]
    return torch.stack(pictures, 1)[torch.arange(len(kind)), kind]


def strangeness(parameters: Tensor) -> Tensor:
    """Mean square of how far parameters (...,24) lie outside of what the corpus draws and `ROOM`, in widths of their
    ranges; framing parameters, which the network reads relative to a first picture, count too."""
    low, high = (torch.tensor(side, device=parameters.device) for side in zip(*(p.drawn for p in MOTION), strict=True))
    width = high - low
    return F.relu((parameters - low.lerp(high, 0.5)).abs() / width - 0.5 - ROOM).square().mean()
