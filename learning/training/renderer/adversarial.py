"""L_adv: patch discriminators on the picture, the mouth and the eyes, learning beside the renderer."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from ...datasets.stills import EYE_CORNERS, MOUTH_CORNERS

CROP = 64  # side of a region's crop
RAMP = 0.2  # share of its part over which L_adv reaches its weight, while the discriminators catch up
REACH = {"mouth": 0.55, "eyes": 0.75}  # half a crop's side in distances of the outer corners of the eyes


class PatchDiscriminator(nn.Module):
    """Four strided, spectrally normalised convolutions and a verdict for each patch."""

    def __init__(self, width: int = 32):
        super().__init__()
        widths = [3, width, 2 * width, 4 * width, 8 * width]
        pairs = zip(widths, widths[1:], strict=False)
        self.convolutions = nn.ModuleList(spectral_norm(nn.Conv2d(a, b, 4, stride=2, padding=1)) for a, b in pairs)
        self.verdict = spectral_norm(nn.Conv2d(widths[-1], 1, 3, padding=1))

    def forward(self, pictures: Tensor) -> tuple[Tensor, list[Tensor]]:
        """(B,3,H,W) in [0,1] -> verdicts (B,1,H/16,W/16), positive for real, and the features they come from."""
        x, features = pictures * 2 - 1, []
        for convolution in self.convolutions:
            x = F.leaky_relu(convolution(x), 0.2)
            features.append(x)
        return self.verdict(x), features


REGIONS = ("picture", "mouth", "eyes")


def regions(pictures: Tensor, landmarks: Tensor | None, side: int = CROP) -> dict[str, Tensor]:
    """The picture (N,3,H,W) whole, and crops (N,3,side,side) around mouth and eyes by landmarks (N,K,2) in [0,1];
    without landmarks the picture alone."""
    if landmarks is None:
        return {"picture": pictures}
    marks = landmarks.to(pictures.device, torch.float32) * 2 - 1
    apart = (marks[:, EYE_CORNERS[0]] - marks[:, EYE_CORNERS[1]]).norm(dim=1).clamp_min(0.2)
    crops = {"picture": pictures}
    for name, corners in (("mouth", MOUTH_CORNERS), ("eyes", EYE_CORNERS)):
        theta = torch.zeros(len(marks), 2, 3, device=pictures.device)
        theta[:, 0, 0] = theta[:, 1, 1] = REACH[name] * apart
        theta[:, :, 2] = marks[:, corners].mean(1)
        grid = F.affine_grid(theta, [len(marks), 3, side, side], align_corners=False)
        crops[name] = F.grid_sample(pictures.float(), grid, padding_mode="border", align_corners=False)
    return crops


class Adversary(nn.Module):
    """One discriminator a region; films without landmarks have the "picture" alone.

    `terms` is what the renderer descends on, `mistakes` what the discriminators do."""

    def __init__(self, width: int = 32, names: tuple[str, ...] = REGIONS, rate: float = 2e-4):
        super().__init__()
        self.rate = rate
        self.discriminators = nn.ModuleDict({name: PatchDiscriminator(width) for name in names})

    def optimizer(self) -> torch.optim.Optimizer:
        """For the discriminators."""
        return torch.optim.AdamW(self.parameters(), lr=self.rate, betas=(0.5, 0.99), weight_decay=0.0)

    def terms(self, fake: Tensor, real: Tensor, landmarks: Tensor | None, progress: float) -> dict[str, Tensor]:
        """Hinge loss of the renderer and the distance of features, over regions; (N,3,H,W) and landmarks (N,K,2).

        At `progress` 0 of this part of the schedule they count nothing, from RAMP on all. The discriminators get no
        gradient.
        """
        self.requires_grad_(False)
        hinge, distance = [], []
        seen, wanted = regions(fake, landmarks), regions(real, landmarks)
        for name, discriminator in self.discriminators.items():
            verdict, features = discriminator(seen[name])
            with torch.no_grad():
                truth = discriminator(wanted[name])[1]
            hinge.append(-verdict.float().mean())
            distance += [F.l1_loss(a.float(), b.float()) for a, b in zip(features, truth, strict=True)]
        self.requires_grad_(True)
        terms = {"adversarial": torch.stack(hinge).mean(), "features": torch.stack(distance).mean()}
        return {name: min(1.0, progress / RAMP) * value for name, value in terms.items()}

    def mistakes(self, fake: Tensor, real: Tensor, landmarks: Tensor | None) -> Tensor:
        """Hinge loss of the discriminators, over regions; the renderer gets no gradient."""
        losses = []
        with torch.autocast(fake.device.type, enabled=False):
            made, given = regions(fake.detach().float(), landmarks), regions(real, landmarks)
            for name, discriminator in self.discriminators.items():
                no, yes = discriminator(torch.cat([made[name], given[name]]))[0].chunk(2)
                losses.append((F.relu(1 + no).mean() + F.relu(1 - yes).mean()) / 2)
            return torch.stack(losses).mean()

    def of_crops(self, made: Tensor, given: Tensor, told: Tensor, progress: float) -> dict[str, Tensor]:
        """Both of that for crops (N,3,S,S) of the only region, as "discriminator" the mistakes.

        Rows `told` (N,) bool have a real crop, by which the discriminator and the distance of features learn; the
        renderer hears the verdict of all."""
        (discriminator,) = self.discriminators.values()
        discriminator.requires_grad_(False)
        hinge = -discriminator(made)[0].mean()
        distance = mistakes = made.sum() * 0
        if told.any():
            share = told.float().mean()
            with torch.no_grad():
                truth = discriminator(given[told])[1]
            features = discriminator(made[told])[1]
            distance = share * torch.stack([F.l1_loss(a, b) for a, b in zip(features, truth, strict=True)]).sum()
            discriminator.requires_grad_(True)
            no, yes = discriminator(torch.cat([made[told].detach(), given[told]]))[0].chunk(2)
            mistakes = share * (F.relu(1 + no).mean() + F.relu(1 - yes).mean()) / 2
        discriminator.requires_grad_(True)
        ramp = min(1.0, progress / RAMP)
        return {"adversarial": ramp * hinge, "features": ramp * distance, "discriminator": mistakes}
