"""The pack's face finder: a small anchor-free network (FCOS, Tian et al. 2019; the heat map of CenterNet, Zhou et al.
2019).

Three levels of stride 8, 16 and 32 detect faces of about 2 to 5 cells each; every cell predicts whether a face's centre
lies in it, and if so the square box and five landmarks. The sizes are our choice: 0.7 M parameters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .fields import check_fields, check_names

LANDMARKS = ("left_eye", "right_eye", "nose_tip", "mouth_left", "mouth_right")
"""Storage order; left and right are the image's."""


@dataclass(frozen=True)
class FaceFinderConfig:
    """Widths of the strides 2, 4, 8, 16, 32, residual blocks a level, and width of the shared head."""

    widths: tuple[int, ...] = (16, 24, 40, 72, 96)
    blocks: int = 2
    head: int = 48
    prior: float = 0.01  # probability of a face at the start (focal loss, Lin et al. 2017, section 3.3)

    def __post_init__(self) -> None:
        if isinstance(self.widths, list):  # JSON has no tuples
            object.__setattr__(self, "widths", tuple(self.widths))
        check_fields(self, {"blocks": (0, 64), "prior": (1e-6, 0.5)})
        if len(self.widths) != 5:
            raise ValueError(f"widths must be one number for each of the strides 2, 4, 8, 16 and 32, not {self.widths}")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> FaceFinderConfig:
        """The inverse of `to_dict`. ValueError names unknown fields and those with impossible values."""
        check_names(cls, values)
        return cls(**values)


STRIDES = (8, 16, 32)
BASES = (24.0, 56.0, 140.0)  # side in pixels of the box that a level predicts with log-size 0


def _convolution(c_in: int, c_out: int, stride: int = 1, relu: bool = True) -> nn.Sequential:
    layers = [nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False), nn.BatchNorm2d(c_out)]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if relu else nn.Sequential(*layers)


class Residual(nn.Module):
    """Two convolutions with a skip connection."""

    def __init__(self, channels: int):
        super().__init__()
        self.first, self.second = _convolution(channels, channels), _convolution(channels, channels, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(self.first(x)))


class FaceFinder(nn.Module):
    """Images (B,3,H,W) in [0,1], sides multiples of 32 -> for each stride (B,14,H/s,W/s).

    Channels: 0 logit of a face centred here; 1, 2 centre of the box from the cell's centre, in bases; 3 log(side /
    base); 4..13 the five landmarks from the box's centre, in sides of the box.
    """

    def __init__(self, config: FaceFinderConfig | None = None):
        super().__init__()
        self.config = config = config or FaceFinderConfig()
        w, h = config.widths, config.head
        self.stem = nn.Sequential(_convolution(3, w[0], 2), _convolution(w[0], w[1], 2))
        self.levels = nn.ModuleList(
            nn.Sequential(_convolution(a, b, 2), *(Residual(b) for _ in range(config.blocks)))
            for a, b in zip(w[1:], w[2:], strict=False)
        )
        self.lateral = nn.ModuleList(nn.Conv2d(c, h, 1) for c in w[2:])
        self.head = nn.Sequential(_convolution(h, h), _convolution(h, h))
        self.score = nn.Conv2d(h, 1, 1)
        self.place = nn.ModuleList(nn.Conv2d(h, 3 + 2 * len(LANDMARKS), 1) for _ in STRIDES)
        nn.init.constant_(self.score.bias, -math.log(1 / config.prior - 1))
        for place in self.place:  # start from a centred box of the base size
            nn.init.zeros_(place.weight)
            nn.init.zeros_(place.bias)

    def forward(self, images: Tensor) -> list[Tensor]:
        if images.shape[-1] % 32 or images.shape[-2] % 32:
            raise ValueError(f"FaceFinder needs sides that are multiples of 32, got {tuple(images.shape)}.")
        x, features = self.stem(images * 2 - 1), []
        for level in self.levels:
            x = level(x)
            features.append(x)
        top, merged = None, []
        for feature, lateral in zip(reversed(features), reversed(self.lateral), strict=True):
            top = lateral(feature) if top is None else lateral(feature) + F.interpolate(top, scale_factor=2.0)
            merged.insert(0, top)
        heads = [self.head(m) for m in merged]
        return [torch.cat([self.score(h), place(h)], 1) for h, place in zip(heads, self.place, strict=True)]


def cell_centers(height: int, width: int, stride: int, device: torch.device | None = None) -> tuple[Tensor, Tensor]:
    """Pixel coordinates (height,1) and (1,width) of a level's cell centres: y, x."""
    y = (torch.arange(height, device=device, dtype=torch.float32) + 0.5) * stride
    x = (torch.arange(width, device=device, dtype=torch.float32) + 0.5) * stride
    return y[:, None], x[None, :]


def decode(outputs: list[Tensor], threshold: float) -> list[Tensor]:
    """The network's output -> for each picture (N,14): score, box centre x, y, side, five landmarks x, y, all in
    pixels.

    Rows are the cells above `threshold` that are the largest of their 3x3 neighbours; overlapping boxes are not merged
    yet (see `suppress`)."""
    found: list[list[Tensor]] = [[] for _ in range(outputs[0].shape[0])]
    for output, stride, base in zip(outputs, STRIDES, BASES, strict=True):
        score = output[:, :1].float().sigmoid()
        peak = (score == F.max_pool2d(score, 3, 1, 1)) & (score > threshold)
        y, x = cell_centers(*output.shape[-2:], stride, output.device)
        center_x, center_y = x + base * output[:, 1], y + base * output[:, 2]
        side = base * output[:, 3].clamp(-3, 3).exp()
        marks = output[:, 4:].unflatten(1, (len(LANDMARKS), 2)) * side[:, None, None]
        marks = marks + torch.stack([center_x, center_y], 1)[:, None]
        rows = torch.cat([score, torch.stack([center_x, center_y, side], 1), marks.flatten(1, 2)], 1)
        for picture in range(output.shape[0]):
            found[picture].append(rows[picture][:, peak[picture, 0]].T)
    return [torch.cat(rows) for rows in found]


def suppress(rows: Tensor, overlap: float = 0.55) -> Tensor:
    """Non-maximum suppression of decoded rows (N,14).

    Two boxes are one face when they share more than `overlap` of the smaller one, so that boxes of parts of a face go
    too."""
    rows = rows[rows[:, 0].argsort(descending=True)]
    low, high = rows[:, 1:3] - rows[:, 3:4] / 2, rows[:, 1:3] + rows[:, 3:4] / 2
    shared = (torch.minimum(high[:, None], high) - torch.maximum(low[:, None], low)).clamp(min=0).prod(-1)
    area = rows[:, 3] ** 2
    same = shared > overlap * torch.minimum(area[:, None], area)
    kept: list[int] = []
    for i in range(len(rows)):
        if not any(same[i, j] for j in kept):
            kept.append(i)
    return rows[kept]
