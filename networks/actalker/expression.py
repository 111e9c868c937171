"""Expression features of a face: a ResNet-50 with group norms of one group (published as `HeadExpression`)."""

import torch
from torch import nn
from torch.nn import functional as F


class Bottleneck(nn.Module):
    def __init__(self, channels: int, width: int, stride: int):
        super().__init__()
        out = 4 * width
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.gn1 = nn.GroupNorm(1, width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.gn2 = nn.GroupNorm(1, width)
        self.conv3 = nn.Conv2d(width, out, 1, bias=False)
        self.gn3 = nn.GroupNorm(1, out)
        self.downsample = None
        if stride != 1 or channels != out:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, out, 1, stride=stride, bias=False), nn.GroupNorm(1, out)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.gn1(self.conv1(x)))
        y = F.relu(self.gn2(self.conv2(y)))
        y = self.gn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet50(nn.Module):
    def __init__(self, features: int, width: int, blocks: tuple[int, ...]):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.gn1 = nn.GroupNorm(1, width)
        self.stages = len(blocks)
        channels = width
        for i, count in enumerate(blocks):
            stage = nn.Sequential()
            for j in range(count):
                stage.append(Bottleneck(channels, width << i, 2 if i and not j else 1))
                channels = 4 * (width << i)
            self.add_module(f"layer{i + 1}", stage)
        self.fc = nn.Linear(channels, features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.max_pool2d(F.relu(self.gn1(self.conv1(x))), 3, stride=2, padding=1)
        for i in range(self.stages):
            x = getattr(self, f"layer{i + 1}")(x)
        return self.fc(x.mean((2, 3)))


class ExpressionEncoder(nn.Module):
    """Face crop (n, 3, 256, 256) RGB in 0..1, without mean and deviation, to features (n, 512)."""

    def __init__(self, features: int = 512, width: int = 64, blocks: tuple[int, ...] = (3, 4, 6, 3)):
        super().__init__()
        self.resnet50 = ResNet50(features, width, blocks)

    def forward(self, face: torch.Tensor) -> torch.Tensor:
        return self.resnet50(face)
