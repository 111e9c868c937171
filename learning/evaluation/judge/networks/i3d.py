"""I3D (Carreira and Zisserman 2017), whose Kinetics-400 logits FVD compares; with the parameter names of the published
`rgb_imagenet.pt`."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .padding import pad_same

MIXED = {  # name: channels in, and of the branches: 1x1; 1x1 and 3x3; 1x1 and 3x3; 1x1 after pooling
    "Mixed_3b": (192, (64, 96, 128, 16, 32, 32)),
    "Mixed_3c": (256, (128, 128, 192, 32, 96, 64)),
    "Mixed_4b": (480, (192, 96, 208, 16, 48, 64)),
    "Mixed_4c": (512, (160, 112, 224, 24, 64, 64)),
    "Mixed_4d": (512, (128, 128, 256, 24, 64, 64)),
    "Mixed_4e": (512, (112, 144, 288, 32, 64, 64)),
    "Mixed_4f": (528, (256, 160, 320, 32, 128, 128)),
    "Mixed_5b": (832, (256, 160, 320, 32, 128, 128)),
    "Mixed_5c": (832, (384, 192, 384, 48, 128, 128)),
}
POOLS = {"Mixed_4b": (3, 3, 3), "Mixed_5b": (2, 2, 2)}  # kernel before a module, with stride 2
CLASSES = 400


class Unit3D(nn.Module):
    """Convolution with SAME padding, normalisation and ReLU; the last one has a bias instead of both."""

    def __init__(self, channels: int, width: int, kernel: int, stride: int = 1, plain: bool = False):
        super().__init__()
        self.conv3d = nn.Conv3d(channels, width, kernel, stride, bias=plain)
        self.bn = None if plain else nn.BatchNorm3d(width, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv3d(pad_same(x, self.conv3d.kernel_size, self.conv3d.stride))
        return x if self.bn is None else F.relu(self.bn(x))


class Mixed(nn.Module):
    """Inception's module: four branches side by side."""

    def __init__(self, channels: int, widths: tuple[int, ...]):
        super().__init__()
        self.b0 = Unit3D(channels, widths[0], 1)
        self.b1a, self.b1b = Unit3D(channels, widths[1], 1), Unit3D(widths[1], widths[2], 3)
        self.b2a, self.b2b = Unit3D(channels, widths[3], 1), Unit3D(widths[3], widths[4], 3)
        self.b3b = Unit3D(channels, widths[5], 1)

    def forward(self, x: Tensor) -> Tensor:
        pooled = max_pool(x, (3, 3, 3), (1, 1, 1))
        return torch.cat([self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(pooled)], 1)


def max_pool(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
    """Largest values with SAME padding by zeros, which lie under all values after a ReLU."""
    return F.max_pool3d(pad_same(x, kernel, stride), kernel, stride)


class I3D(nn.Module):
    """Clips (B,3,T,224,224) in [-1,1], T at least 9 -> logits (B,400), averaged over time."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv3d_1a_7x7 = Unit3D(3, 64, 7, 2)
        self.Conv3d_2b_1x1 = Unit3D(64, 64, 1)
        self.Conv3d_2c_3x3 = Unit3D(64, 192, 3)
        for name, (channels, widths) in MIXED.items():
            self.add_module(name, Mixed(channels, widths))
        self.logits = Unit3D(1024, CLASSES, 1, plain=True)

    def forward(self, clips: Tensor) -> Tensor:
        x = max_pool(self.Conv3d_1a_7x7(clips), (1, 3, 3), (1, 2, 2))
        x = max_pool(self.Conv3d_2c_3x3(self.Conv3d_2b_1x1(x)), (1, 3, 3), (1, 2, 2))
        for name in MIXED:
            if name in POOLS:
                x = max_pool(x, POOLS[name], (2, 2, 2))
            x = self.get_submodule(name)(x)
        return self.logits(F.avg_pool3d(x, (2, 7, 7), 1)).mean((2, 3, 4))
