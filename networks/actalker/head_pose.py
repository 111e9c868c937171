"""Head rotation and translation: a ResNet-18 with group norms (published as `HeadPose`)."""

import torch
from torch import nn
from torch.nn import functional as F


class BasicBlock(nn.Module):
    def __init__(self, channels: int, width: int, stride: int, groups: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.GroupNorm(groups, width)  # named as the batch norms they took the place of
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.GroupNorm(groups, width)
        self.shortcut = nn.Sequential()
        if stride != 1 or channels != width:
            self.shortcut.append(nn.Conv2d(channels, width, 1, stride=stride, bias=False))
            self.shortcut.append(nn.GroupNorm(groups, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class ResNet18(nn.Module):
    def __init__(self, outputs: int, width: int, groups: int):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.GroupNorm(groups, width)
        channels = width
        for i in range(4):
            wide = width << i
            first = BasicBlock(channels, wide, 2 if i else 1, groups)
            self.add_module(f"layer{i + 1}", nn.Sequential(first, BasicBlock(wide, wide, 1, groups)))
            channels = wide
        self.fc = nn.Linear(channels, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, stride=2, padding=1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


class HeadPoseEncoder(nn.Module):
    """Head crop (n, 3, 256, 256) RGB in -1..1 to rotation (n, 3), -180..180 degrees, and translation (n, 3), -2..2."""

    def __init__(self, width: int = 64, groups: int = 32):
        super().__init__()
        self.head_pose_net = ResNet18(6, width, groups)

    def forward(self, head: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        turn, shift = torch.sigmoid(self.head_pose_net(head)).split(3, -1)
        return turn * 360 - 180, shift * 4 - 2
