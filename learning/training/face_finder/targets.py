"""Targets of the face finder for a scene, and its losses."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ....networks.face_finder import BASES, STRIDES
from .. import processes
from .scenes import SMALLEST, VISIBLE

RANGES = ((8.0, 36.0), (28.0, 86.0), (66.0, 1e9))  # box sides in pixels assigned to each level; neighbours overlap
MARGIN = 1.3  # faces up to this factor outside a level's range are ignored in its loss
SPREAD = 0.14  # sigma of the heat map's Gaussian in box sides
NEAR = 0.16  # cells closer to the centre than this, in box sides, are positive (centre sampling, FCOS)


def make_targets(faces: np.ndarray, size: int) -> list[np.ndarray]:
    """Faces (n,13) of a scene -> for each level (16,s,s) float32.

    Channels: 0 heat, 1 its weight in the loss, 2 whether a face is assigned to the cell, 3.. its row in pixels."""
    targets = []
    for stride, (low, high) in zip(STRIDES, RANGES, strict=True):
        cells = size // stride
        target = np.zeros((16, cells, cells), np.float32)
        target[1] = 1
        centers = (np.arange(cells, dtype=np.float32) + 0.5) * stride
        for row in sorted(faces, key=lambda f: -f[2]):  # nearer faces, drawn later, are usually smaller
            _add_face(target, row, centers, stride, low, high, size)
        targets.append(target)
    return targets


def _add_face(
    target: np.ndarray, row: np.ndarray, centers: np.ndarray, stride: int, low: float, high: float, size: int
):
    """Write one face into a level's target in place."""
    x, y, side = row[:3]
    dx, dy = centers[None, :] - x, centers[:, None] - y
    inside = np.minimum(row[:2] + side / 2, size) - np.maximum(row[:2] - side / 2, 0)
    clear = side >= SMALLEST and inside.min() > 0 and inside.prod() >= VISIBLE * side * side
    if not clear or not low <= side <= high:
        if not clear or low / MARGIN <= side <= high * MARGIN:
            target[1][(np.abs(dx) < side / 2) & (np.abs(dy) < side / 2)] = 0
        return
    distance = dx * dx + dy * dy
    sigma = max(SPREAD * side, 0.45 * stride)
    target[0] = np.maximum(target[0], np.exp(-distance / (2 * sigma * sigma)))
    mine = distance < (NEAR * side) ** 2
    mine.flat[distance.argmin()] = True
    target[0][mine] = 1
    target[1][mine] = 1
    target[2][mine] = 1
    target[3:, mine] = row[:, None]


def losses(outputs: list[Tensor], targets: list[Tensor]) -> dict[str, Tensor]:
    """Scalars: "heat" (CenterNet's focal loss a face cell), "box" and "marks" (smooth L1 in units of the box).

    Each is the sum over a slice's pictures and levels by its part of the face cells in the whole batch.
    """
    heat = box = marks = cells = outputs[0].new_zeros(len(outputs[0]))  # of each picture
    for output, target, stride, base in zip(outputs, targets, STRIDES, BASES, strict=True):
        output = output.float()
        wanted, weight, mine = target[:, 0], target[:, 1], target[:, 2]
        p = output[:, 0].sigmoid().clamp(1e-5, 1 - 1e-5)
        found, empty = (1 - p) ** 2 * p.log(), (1 - wanted) ** 4 * p**2 * (1 - p).log()
        heat = heat - (weight * torch.where(mine > 0, found, empty)).sum((1, 2))
        centers = (torch.arange(output.shape[-1], device=output.device) + 0.5) * stride
        side = target[:, 5].clamp(min=1)
        offset = torch.stack([target[:, 3] - centers[None, None, :], target[:, 4] - centers[None, :, None]], 1) / base
        error = F.smooth_l1_loss(output[:, 1:3], offset, beta=0.05, reduction="none").sum(1) * (base / side)
        error = error + F.smooth_l1_loss(output[:, 3], (side / base).log(), beta=0.05, reduction="none")
        box = box + (mine * error).sum((1, 2))
        around = (target[:, 6:].unflatten(1, (-1, 2)) - target[:, 3:5][:, None]) / side[:, None, None]
        error = F.smooth_l1_loss(output[:, 4:], around.flatten(1, 2), beta=0.05, reduction="none").mean(1)
        marks = marks + (mine * error).sum((1, 2))
        cells = cells + mine.sum((1, 2))
    a_picture = processes.total(cells.sum()).clamp(min=1) / processes.total(cells.new_full((), len(cells)))
    return {name: value.mean() / a_picture for name, value in (("heat", heat), ("box", box), ("marks", marks))}
