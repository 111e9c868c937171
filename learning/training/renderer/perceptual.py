"""L_per: distance of pictures in the features of VGG-19, at four resolutions."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ....model_loaders.pickles import read_pickle

LAYERS = (64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512)  # to relu5_1; 0 halves the side
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SCALES = (1.0, 0.5, 0.25, 0.125)
SMALLEST = 32  # a side below this is nothing but its own border by relu5_1


class PerceptualLoss(nn.Module):
    """Mean L1 distance of relu1_1 .. relu5_1 at sizes 1, 1/2, 1/4, 1/8 [P: VGG-19; layers and sizes are the field's].

    With `weights`, a VGG-19 file of torchvision (.pth or .safetensors), the features are the paper's. Without, the
    network has the same shape at `width` of it and random weights of a fixed seed, which do about as well where every
    pixel has a target ("Generic Perceptual Loss", CVPR 2021), each layer scaled to unit variance.
    The mean, not a sum of tens, so that the weight of the whole stays readable beside other losses.
    """

    def __init__(self, weights: str | Path | None = None, width: float = 0.5):
        super().__init__()
        self.convolutions = nn.ModuleList()
        previous = 3
        for channels in (c for c in LAYERS if c):
            channels = channels if weights else max(4, round(channels * width))
            self.convolutions.append(nn.Conv2d(previous, channels, 3, padding=1))
            previous = channels
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1), persistent=False)
        if weights:
            self._load(Path(weights))
        else:
            self._randomise(torch.Generator().manual_seed(19))
        self.requires_grad_(False).eval()

    def forward(self, picture: Tensor, truth: Tensor) -> Tensor:
        """Both (B,3,H,W) in [0,1] -> a scalar; the truth gives no gradient."""
        distances = []
        for scale in SCALES:
            if min(picture.shape[-2:]) * scale < SMALLEST:
                break
            if scale < 1:
                picture, truth = F.avg_pool2d(picture, 2), F.avg_pool2d(truth, 2)
            with torch.no_grad():
                wanted = self.features(truth)
            pairs = zip(self.features(picture), wanted, strict=True)
            distances += [F.l1_loss(a.float(), b.float()) for a, b in pairs]
        if not distances:
            raise ValueError(f"L_per needs pictures of at least {SMALLEST} pixels, not {tuple(picture.shape[-2:])}")
        return torch.stack(distances).mean()

    def features(self, picture: Tensor) -> list[Tensor]:
        """relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1 of (B,3,H,W)."""
        x = ((picture - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        kept, first, convolutions = [], True, iter(self.convolutions)
        for channels in LAYERS:
            if channels == 0:
                x, first = F.max_pool2d(x, 2), True
                continue
            x = F.relu(next(convolutions)(x))
            if first:
                kept.append(x)
            first = False
        return kept

    def _load(self, path: Path) -> None:
        if not path.exists():
            raise FileNotFoundError(f"no VGG-19 weights at {path}: give torchvision's vgg19 file, or none at all")
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state = load_file(str(path))
        else:
            state = read_pickle(path)
        position = 0  # torchvision counts convolutions, activations and pools alike
        convolutions = iter(self.convolutions)
        for channels in LAYERS:
            if channels:
                convolution = next(convolutions)
                for name in ("weight", "bias"):
                    value = state.get(f"features.{position}.{name}")
                    if not isinstance(value, torch.Tensor) or value.shape != getattr(convolution, name).shape:
                        raise ValueError(
                            f"{path.name} is not a VGG-19 of torchvision: features.{position}.{name} does not fit"
                        )
                    getattr(convolution, name).data.copy_(value)
            position += 2 if channels else 1

    @torch.no_grad()
    def _randomise(self, generator: torch.Generator) -> None:
        """He initialisation, then every layer scaled to unit variance on noise that is smooth as pictures are."""
        noise = torch.randn(4, 3, 16, 16, generator=generator)
        x = F.interpolate(noise, size=(64, 64), mode="bilinear") + 0.3 * torch.randn(4, 3, 64, 64, generator=generator)
        convolutions = iter(self.convolutions)
        for channels in LAYERS:
            if channels == 0:
                x = F.max_pool2d(x, 2)
                continue
            convolution = next(convolutions)
            fan = convolution.weight[0].numel()
            convolution.weight.copy_(torch.randn(convolution.weight.shape, generator=generator) * (2 / fan) ** 0.5)
            convolution.bias.zero_()
            scale = convolution(x).std().clamp_min(1e-6)
            convolution.weight.div_(scale)
            x = F.relu(convolution(x))
