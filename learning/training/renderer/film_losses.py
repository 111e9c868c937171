"""Losses that need no labels: pictures against pictures, and the paper's threshold mask loss as it is printed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ....networks.renderer.model import Rendered

TAU = 0.02  # of the threshold mask loss, in standard deviations of the features


@dataclass(frozen=True)
class FilmWeights:
    """Weight of each term; those of `pixels`, `pooled` and `gradient` are a trial's on real films."""

    pixels: float = 10.0
    pooled: float = 5.0
    gradient: float = 5.0
    synthesis: float = 1.5
    warped: float = 0.0  # the moved photo alone: a renderer that begins from nothing learns to move by it
    flow: float = 0.0  # fields against optical flow found in the pictures (optical_flow.py), less and less
    perceptual: float = 2.0  # L_per [P]; taken where there are features, see `features_of`
    threshold_mask: float = 0.0  # L_pg [P], one root and one gate a place, features normed (losses.py)
    printed_mask: float = 0.1  # L_pg [P] as printed: one root mean square and one gate a picture
    adversarial: float = 0.0  # L_adv [P]
    features: float = 0.0  # distance of the discriminator's features, the field's companion of L_adv
    identity: float = 0.1  # the free part tells what changes within a clip, not whose clip it is
    names: float = 2.4  # the named part goes on meaning what it means

    @classmethod
    def from_nothing(cls) -> FilmWeights:
        """For new weights."""
        return cls(warped=2.0, flow=1.0)

    def with_adversary(self) -> FilmWeights:
        """The same with L_adv."""
        return replace(self, adversarial=0.1, features=1.0)


def likeness(image: Tensor, truth: Tensor) -> dict[str, Tensor]:
    """Unweighted terms of pictures (N,3,R,R) against true ones: L1 of pixels, of pooled pixels, of gradients."""
    return {
        "pixels": F.l1_loss(image, truth),
        "pooled": sum(F.l1_loss(F.avg_pool2d(image, s), F.avg_pool2d(truth, s)) for s in (2, 4, 8)),
        "gradient": sum(F.l1_loss(image.diff(dim=d), truth.diff(dim=d)) for d in (-1, -2)),
    }


def picture_losses(rendered: Rendered, truth: Tensor) -> dict[str, Tensor]:
    """Unweighted terms of rendered frames against true ones (N,3,R,R)."""
    return likeness(rendered.image, truth) | {
        "synthesis": F.l1_loss(rendered.synthesis.image, truth),
        "warped": F.l1_loss(rendered.warped.float(), truth),
    }


def identity_loss(free: Tensor) -> Tensor:
    """log(1 + r) of the free parts (G,N,768) of N frames of each clip, r the mean square of the clips' means over the
    variance within them. Who somebody is stays the same within a clip; what he does has no mean that matters."""
    mean, within = free.mean(1).square().mean(), free.var(1).mean()
    return torch.log1p(mean / within.clamp_min(1e-8))


def printed_mask_loss(deviated: Tensor, truth: Tensor, tau: float = TAU) -> Tensor:
    """L_pg = sqrt(mean((v_gt - v_dev)^2)) * 1(mean|v_gt - v_dev| > tau), means over all of a picture's features [P].

    Both (N,C,h,w). The truth gives no gradient; tau is in standard deviations of its features over the picture, as the
    paper gives neither a number nor a norm."""
    truth = truth.detach().float()
    difference = (deviated.float() - truth) / truth.std((1, 2, 3), keepdim=True).clamp_min(1e-6)
    root = (difference.square().mean((1, 2, 3)) + 1e-12).sqrt()
    gate = (difference.abs().mean((1, 2, 3)) > tau).float()
    return (root * gate).mean()
