"""The few layers that every stage-1 module is built from."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def group_norm(channels: int) -> nn.GroupNorm:
    """GroupNorm with about eight channels a group: independent of batch size, so batched equals one by one."""
    return nn.GroupNorm(next(g for g in (8, 6, 4, 2, 1) if channels % g == 0), channels)


def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    """A padded convolution that keeps its input's scale (He initialisation, no bias at the start).

    PyTorch's default loses two thirds of the variance a layer: after four, a picture is a whisper under constant
    biases, and the motion encoder sat at its starting loss for thousands of pictures."""
    layer = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)
    return layer


class ResBlock(nn.Module):
    """Pre-activation residual block: [norm, SiLU, conv3x3] twice, plus the input; starts as the identity."""

    def __init__(self, channels: int, norm: bool = True):
        super().__init__()
        make_norm = group_norm if norm else lambda _: nn.Identity()
        self.norm1, self.norm2 = make_norm(channels), make_norm(channels)
        self.conv1 = conv(channels, channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        return x + self.conv2(F.silu(self.norm2(h)))


class Modulate(nn.Module):
    """Feature-wise scale and shift by a vector (FiLM); starts as the identity, and a zero vector is always the
    identity."""

    def __init__(self, vector: int, channels: int):
        super().__init__()
        self.linear = nn.Linear(vector, 2 * channels, bias=False)
        nn.init.zeros_(self.linear.weight)

    def forward(self, x: Tensor, vector: Tensor) -> Tensor:
        scale, shift = self.linear(vector)[:, :, None, None].chunk(2, dim=1)
        return x * (1 + scale) + shift


def blocks(count: int, channels: int, norm: bool = True) -> nn.Sequential:
    """`count` residual blocks in a row."""
    return nn.Sequential(*(ResBlock(channels, norm) for _ in range(count)))


def upsample(x: Tensor) -> Tensor:
    """Nearest x2, the cheapest and free of ringing."""
    return F.interpolate(x, scale_factor=2, mode="nearest")


def resize(x: Tensor, size: int | tuple[int, int]) -> Tensor:
    """Bilinear when growing, area when shrinking, nothing when equal."""
    height, width = (size, size) if isinstance(size, int) else size
    if x.shape[-2:] == (height, width):
        return x
    if x.shape[-2] >= height and x.shape[-1] >= width:
        return F.interpolate(x, size=(height, width), mode="area")
    return F.interpolate(x, size=(height, width), mode="bilinear", align_corners=False)


def with_coordinates(x: Tensor) -> Tensor:
    """Append two channels, x and y in [-1,1]: faces are framed alike, so position is a cue."""
    b, _, h, w = x.shape
    ys = torch.linspace(-1, 1, h, device=x.device, dtype=x.dtype).view(1, 1, h, 1).expand(b, 1, h, w)
    xs = torch.linspace(-1, 1, w, device=x.device, dtype=x.dtype).view(1, 1, 1, w).expand(b, 1, h, w)
    return torch.cat([x, xs, ys], dim=1)


class Pyramid(nn.Module):
    """An image in [0,1] to feature maps at 1/2, 1/4, ... of its side: `widths` channels a level, residual blocks from
    the second on."""

    def __init__(self, widths: tuple[int, ...], block_counts: tuple[int, ...]):
        super().__init__()
        levels, previous = [], 5  # RGB and two coordinates
        for i, (width, count) in enumerate(zip(widths, block_counts, strict=True)):
            stem = conv(previous, width, 5 if i == 0 else 3, stride=2)
            levels.append(nn.Sequential(stem, *(ResBlock(width) for _ in range(count if i else 0))))
            previous = width
        self.levels = nn.ModuleList(levels)

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B,3,H,W) to [(B,widths[i],H/2^(i+1),W/2^(i+1))]."""
        x, features = with_coordinates(image * 2 - 1), []
        for i, level in enumerate(self.levels):
            x = level(F.silu(x) if i == 1 else x)  # later levels end in residual blocks, which activate for themselves
            features.append(x)
        return features
