"""ArcFace's 50-layer residual network in insightface's layout; the identity embedding of ACTalker."""

import torch
from torch import nn

BN_EPS = 1e-5


class Block(nn.Module):
    def __init__(self, channels: int, width: int, stride: int, project: bool):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(channels, eps=BN_EPS)
        self.conv1 = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width, eps=BN_EPS)
        self.prelu = nn.PReLU(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(width, eps=BN_EPS)
        self.downsample = None
        if project:
            conv = nn.Conv2d(channels, width, 1, stride=stride, bias=False)
            self.downsample = nn.Sequential(conv, nn.BatchNorm2d(width, eps=BN_EPS))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.prelu(self.bn2(self.conv1(self.bn1(x))))
        return self.bn3(self.conv2(y)) + (x if self.downsample is None else self.downsample(x))


class ArcFace(nn.Module):
    """Face (n, 3, 112, 112) RGB in -1..1 to an embedding (n, 512), not normalised. Use in eval mode."""

    def __init__(self, features: int = 512, width: int = 64, blocks: tuple[int, ...] = (3, 4, 14, 3), size: int = 112):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width, eps=BN_EPS)
        self.prelu = nn.PReLU(width)
        channels = width
        self.stages = len(blocks)
        for i, count in enumerate(blocks):
            wide = width << i
            stage = [Block(channels, wide, 2, project=True)]
            stage += [Block(wide, wide, 1, project=False) for _ in range(count - 1)]
            self.add_module(f"layer{i + 1}", nn.Sequential(*stage))
            channels = wide
        self.bn2 = nn.BatchNorm2d(channels, eps=BN_EPS)
        self.fc = nn.Linear(channels * (size >> self.stages) ** 2, features)
        self.features = nn.BatchNorm1d(features, eps=BN_EPS)

    def forward(self, face: torch.Tensor) -> torch.Tensor:
        x = self.prelu(self.bn1(self.conv1(face)))
        for i in range(self.stages):
            x = getattr(self, f"layer{i + 1}")(x)
        return self.features(self.fc(self.bn2(x).flatten(1)))
