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

    PyTorch's default initialisation loses two thirds of the variance a layer: after four layers the signal vanishes
    beside the biases, and the motion encoder stayed at its initial loss for thousands of pictures."""
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
        scale, shift = self.linear(vector)[:, :, None, None].to(x.dtype).chunk(2, dim=1)
        return torch.addcmul(shift, x, 1 + scale)


def blocks(count: int, channels: int, norm: bool = True) -> nn.Sequential:
    """`count` residual blocks in a row."""
    return nn.Sequential(*(ResBlock(channels, norm) for _ in range(count)))


def to_channels_last(x: Tensor) -> Tensor:
    """(B,C,H,W) in channels-last memory order at inference, where the convolutions after it are a third faster.
    Training on a CPU is slower with it, so x is left as it is while gradients are enabled."""
    return x if torch.is_grad_enabled() else x.contiguous(memory_format=torch.channels_last)


def is_channels_last(x: Tensor) -> bool:
    """Whether x (B,C,H,W) is in channels-last memory order."""
    return x.stride(1) == 1 and x.shape[1] > 1


def concat_channels(*maps: Tensor) -> Tensor:
    """Concatenated channels in the memory order of the first map (torch.cat makes mixed orders contiguous)."""
    if is_channels_last(maps[0]):
        return torch.cat([m.movedim(1, -1) for m in maps], dim=-1).movedim(-1, 1)
    return torch.cat(maps, dim=1)


def upsample(x: Tensor) -> Tensor:
    """Nearest x2, the cheapest and free of ringing."""
    return F.interpolate(x, scale_factor=2, mode="nearest")


def conv_of_upsampled(layer: nn.Conv2d, coarse: Tensor, *fine: Tensor) -> Tensor:
    """layer(concat_channels(upsample(coarse), *fine)) of a 3x3 layer, with 4/9 of the work for `coarse`.

    Nearest-neighbour upsampling and a convolution are together one transposed convolution of stride 2. Its 4x4 kernel
    is the flipped 3x3 one, summed over the two pixels a side that share a value."""
    split, weight = coarse.shape[1], layer.weight
    basis = torch.eye(9, device=weight.device).view(9, 1, 3, 3)
    spread = F.conv_transpose2d(basis.flip(2, 3), torch.ones_like(basis[:1, :, :2, :2])).flatten(1)
    kernel = (weight[:, :split].flatten(2) @ spread.to(weight)).unflatten(2, (4, 4)).transpose(0, 1)
    doubled = F.conv_transpose2d(coarse, kernel, stride=2, padding=1)
    return F.conv2d(concat_channels(*fine), weight[:, split:], layer.bias, padding=1).add_(doubled)


def shuffle_up(x: Tensor) -> Tensor:
    """F.pixel_shuffle(x, 2), always contiguous: twice as fast as PyTorch's."""
    b, channels, height, width = x.shape
    return x.unflatten(1, (-1, 2, 2)).permute(0, 1, 4, 2, 5, 3).reshape(b, channels // 4, 2 * height, 2 * width)


def shuffle_down(x: Tensor) -> Tensor:
    """F.pixel_unshuffle(x, 2)."""
    b, channels, height, width = x.shape
    split = x.unflatten(3, (-1, 2)).unflatten(2, (-1, 2)).permute(0, 1, 3, 5, 2, 4)
    return split.reshape(b, 4 * channels, height // 2, width // 2)


def resize(x: Tensor, size: int | tuple[int, int]) -> Tensor:
    """Bilinear when enlarging, area when shrinking, unchanged at equal size."""
    height, width = (size, size) if isinstance(size, int) else size
    if x.shape[-2:] == (height, width):
        return x
    if x.shape[-2] >= height and x.shape[-1] >= width:
        return F.interpolate(x, size=(height, width), mode="area")
    return F.interpolate(x, size=(height, width), mode="bilinear", align_corners=False)


def bilinear(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear resizing to (height, width), contiguous. PyTorch's CPU code is slow on several planes, so fewer than 16
    channels are resized one by one, more in channels-last order; at inference twice the size is made by `doubled`."""
    if x.shape[-2:] == tuple(size):
        return x
    many = x.shape[1] >= 16
    plain = x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_grad_enabled()
    if plain and not many and tuple(size) == (2 * x.shape[-2], 2 * x.shape[-1]):
        return doubled(x)
    maps = x.contiguous(memory_format=torch.channels_last) if many else x.flatten(0, 1)[:, None]
    maps = F.interpolate(maps, size=tuple(size), mode="bilinear", align_corners=False)
    return maps.contiguous().view(*x.shape[:2], *size)


def doubled(x: Tensor) -> Tensor:
    """Bilinear resizing of (B,C,H,W) to twice its height and width: weights 3/4 and 1/4 of neighbours along each axis.
    On a CPU in half the time of F.interpolate, and the same within float rounding."""
    for axis in (2, 3):
        count = x.shape[axis]
        first, last = x.narrow(axis, 0, 1), x.narrow(axis, count - 1, 1)
        left, right = x.narrow(axis, 0, count - 1), x.narrow(axis, 1, count - 1)
        pairs = x.new_empty(*x.shape[: axis + 1], 2, *x.shape[axis + 1 :])
        low, high = pairs.unbind(axis + 1)
        low.narrow(axis, 0, 1).copy_(first)
        torch.lerp(right, left, 0.25, out=low.narrow(axis, 1, count - 1))
        torch.lerp(left, right, 0.25, out=high.narrow(axis, 0, count - 1))
        high.narrow(axis, count - 1, 1).copy_(last)
        x = pairs.flatten(axis, axis + 1)
    return x


def with_coordinates(x: Tensor) -> Tensor:
    """Append two channels, x and y in [-1,1] (CoordConv): faces are framed alike, so position is informative."""
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
            x = level(F.silu(x) if i == 1 else x)  # deeper levels follow residual blocks, which have activations
            features.append(x)
        return features
