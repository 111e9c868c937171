"""TensorFlow's SAME padding, of which more falls on the far side."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor


def pad_same(x: Tensor, kernel: Sequence[int], stride: Sequence[int]) -> Tensor:
    """Zeros around the last axes of x, so that a kernel without padding gives ceil(length / stride) values on each."""
    sides: list[int] = []
    for length, size, step in zip(x.shape[-len(kernel) :], kernel, stride, strict=True):
        total = max((-(-length // step) - 1) * step + size - length, 0)
        sides = [total // 2, total - total // 2, *sides]
    return F.pad(x, sides)
