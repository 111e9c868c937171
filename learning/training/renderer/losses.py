"""Stage-1 losses: the paper's three, and what exact labels of drawn heads add."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ....networks.renderer.layers import resize
from ....networks.renderer.model import Rendered
from ....vocabulary import EYE, SKIN, landmarks
from ...datasets.stills import inside_mouth
from .. import processes

LIDS = landmarks("left_eye", "left_lid"), landmarks("right_eye", "right_lid")
LEFT_EYE, RIGHT_EYE = LIDS[0] + landmarks("left_brow"), LIDS[1] + landmarks("right_brow")
MOUTH = landmarks("mouth", "upper_lip", "lower_lip")
MAX_STRETCH = 0.55  # source pixels a target pixel; a copied lid with fewer is a smear
LID_MOVES = 0.15  # of a blink; lids that move less are copied from the photo


@dataclass(frozen=True)
class Stage1Weights:
    """Weight of each term. The paper gives none; these come from a trial on drawn heads. With mouth and eyes weighted
    less than tenfold, closed lips were stretched instead of parted."""

    flow: float = 1.0
    coarse_flow: float = 1.0
    visible: float = 0.5
    mask: float = 0.5
    pixels: float = 6.0
    synthesis: float = 1.5
    warped: float = 2.0
    structure: float = 1.0
    gradient: float = 3.0
    multiscale: float = 3.0
    threshold_mask: float = 0.1  # L_pg [P], a gate a place; small beside exact flow labels, raise it for real video
    printed_mask: float = 0.0  # L_pg [P] as printed: one root mean square and one gate a picture (film_losses.py)
    perceptual: float = 0.0  # L_per [P]: costs more than the renderer itself, so only where there is a GPU
    adversarial: float = 0.0  # L_adv [P]: likewise, and late
    features: float = 0.0  # distance of the discriminators' features, the field's companion of L_adv
    appearance: float = 0.0  # F_A tells people apart: needs people in several scenes
    motion_space: float = 1.0  # where the motion encoder learns on with the renderer: what holds it

    @classmethod
    def for_gpu(cls) -> Stage1Weights:
        """With the paper's perceptual and adversarial losses."""
        return cls(perceptual=2.0, adversarial=0.1, features=1.0)

    @classmethod
    def printed(cls) -> Stage1Weights:
        """The paper's three losses and nothing else: alpha_1 L_per + alpha_2 L_adv + alpha_3 L_pg. The alphas are open;
        the first two are those of `for_gpu`."""
        none = {field.name: 0.0 for field in fields(cls)}
        return cls(**none | {"perceptual": 2.0, "adversarial": 0.1, "printed_mask": 1.0})


@dataclass
class Target:
    """What N rendered frames should have been."""

    image: Tensor  # (N,3,R,R)
    displacement: Tensor  # (N,2,128,128)
    visible: Tensor  # (N,1,128,128)
    part: Tensor  # (N,1,128,128)
    landmarks: Tensor | None = None  # (N,40,2) in [0,1], for eyes, lips and L_adv
    lids: Tensor | None = None  # (N,2) how far the left and the right lid closed since the source

    @property
    def copied(self) -> Tensor:
        """(N,1,128,128): what the moved photo can show."""
        return self.visible * (1 - self.lid)

    @cached_property
    def lid(self) -> Tensor:
        """Closing and opening lids. Drawn out of a narrow strip, and ending abruptly where it meets the other, a lid is
        painted instead of copied: inverting the field of the source does not find it."""
        if self.lids is None or self.landmarks is None:
            return torch.zeros_like(self.visible)
        moves = (self.lids.abs() > LID_MOVES).float()[..., None, None, None].unbind(1)
        left, right = (self._box(marks, 0.03) * moved for marks, moved in zip(LIDS, moves, strict=True))
        drawn_out = _spread((_density(self.displacement) < MAX_STRETCH).float(), 5)
        return drawn_out * torch.maximum(left, right)

    @property
    def mouth(self) -> Tensor:
        """Mouth interior: what no warp can bring."""
        return inside_mouth(self.part)

    @property
    def eye(self) -> Tensor:
        return (self.part == EYE).float()

    @property
    def around_mouth(self) -> Tensor:
        """Lips and their surroundings, closed ones as well."""
        return torch.maximum(_spread(self.mouth, 15), self._box(MOUTH))

    @property
    def around_eye(self) -> Tensor:
        """Eyes and brows; a closed eye has no eye pixels, so the landmarks count too."""
        return torch.maximum(_spread(self.eye, 5), torch.maximum(self._box(LEFT_EYE), self._box(RIGHT_EYE)))

    def _box(self, marks: tuple[int, ...], margin: float = 0.02) -> Tensor:
        """(N,1,128,128): 1 in the box around some landmarks and `margin` of the picture beyond."""
        if self.landmarks is None:
            return torch.zeros_like(self.visible)
        points = self.landmarks[:, marks]
        size = self.visible.shape[-1]
        centres = (torch.arange(size, device=points.device) + 0.5) / size
        low, high = points.amin(1) - margin, points.amax(1) + margin  # (N,2)
        inside = (centres > low[..., None]) & (centres < high[..., None])  # (N,2,128)
        return (inside[:, 1, :, None] & inside[:, 0, None, :])[:, None].float()


def stage1_losses(rendered: Rendered, target: Target) -> dict[str, Tensor]:
    """Every supervised term, unweighted, as scalars; L_per, L_adv and L_pg stand in files of their own."""
    size = target.image.shape[-1]
    out, synthesis, truth = rendered.image, rendered.synthesis.image, target.image
    around_mouth, around_eye = target.around_mouth, target.around_eye
    weight = 1 + (target.part == SKIN).float() + 6 * target.mouth + 2 * target.eye + 3 * around_mouth + 4 * around_eye
    weight = resize(weight + 12 * target.lid, size)
    copied, uncertain = target.copied, 1 + 9 * torch.maximum(around_mouth, around_eye)
    flow_weight = _flow_weight(target, copied, around_mouth, around_eye)
    visible, coarse = resize(copied, size), rendered.motion.visible.shape[-1]
    return {
        "flow": flow_error(rendered.motion.field, target.displacement, flow_weight),
        "coarse_flow": flow_error(rendered.motion.coarse, target.displacement, flow_weight),
        "visible": F.binary_cross_entropy_with_logits(
            rendered.motion.visible, resize(copied, coarse), weight=resize(uncertain, coarse)
        ),
        "mask": _mask_error(rendered.keep, visible, resize(uncertain, size)),
        "pixels": _mean((out - truth).abs(), weight),
        "synthesis": _mean((synthesis - truth).abs(), weight),
        "warped": _mean((rendered.warped.float() - truth).abs(), visible),
        "structure": 1 - _ssim(out, truth),
        "gradient": _gradient_error(out, truth),
        "multiscale": _multiscale_error(out, truth),
    }


def threshold_mask_loss(deviated: Tensor, truth: Tensor, tau: float = 0.15) -> Tensor:
    """L_pg = sqrt(mean((v_gt - v_dev)^2)) * 1(mean|v_gt - v_dev| > tau)  [P].

    Both (B,C,h,w) are instance-normalised; the channel mean decides the mask per place, and the root is taken over
    masked places (with 1e-6 inside, where its gradient would be infinite). The truth gives no gradient.
    """
    difference = F.instance_norm(deviated.float()) - F.instance_norm(truth.detach().float())
    mask = (difference.abs().mean(1, keepdim=True) > tau).float()
    mean_square = (difference.square() * mask).mean((1, 2, 3)) / mask.mean((1, 2, 3)).clamp_min(1e-3)
    return (mean_square + 1e-6).sqrt().mean()


def _spread(mask: Tensor, size: int) -> Tensor:
    return F.max_pool2d(mask, size, 1, size // 2)


def _mean(error: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean of (N,C,H,W) by (N,1,H,W): the weights are divided by their mean over the whole batch, so that the
    means of its slices are means of the batch."""
    return (error * (weight / processes.mean(weight).clamp_min(1e-12))).mean()


def _density(displacement: Tensor) -> Tensor:
    """(N,2,H,W) backward displacement -> (N,1,H,W) source pixels a target pixel: the field's determinant."""
    n = displacement.shape[-1]
    x, y = F.pad(displacement * (n / 2), (1, 1, 1, 1), mode="replicate").unbind(1)
    (xx, xy), (yx, yy) = (
        ((f[:, 1:-1, 2:] - f[:, 1:-1, :-2]) / 2, (f[:, 2:, 1:-1] - f[:, :-2, 1:-1]) / 2) for f in (x, y)
    )
    return ((1 + xx) * (1 + yy) - xy * yx)[:, None]


def _flow_weight(target: Target, copied: Tensor, around_mouth: Tensor, around_eye: Tensor) -> Tensor:
    """Face over hair over background; hardly anything where the photo shows nothing, or inside the mouth."""
    weight = 1 + 3 * (target.part == SKIN).float() + 4 * target.eye
    weight = weight * (0.1 + 0.9 * copied) * (1 - 0.95 * target.mouth)
    return weight * (1 + 4 * around_mouth + 3 * around_eye)


def flow_error(predicted: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Weighted end-point error in pixels of a 128 picture, with a rounded tip."""
    if predicted.shape[-1] != truth.shape[-1]:
        predicted = resize(predicted, truth.shape[-1])
    error = ((predicted - truth) * (truth.shape[-1] / 2)).square().sum(1, keepdim=True)
    return _mean((error + 0.01).sqrt(), weight)


def _mask_error(keep: Tensor, visible: Tensor, weight: Tensor) -> Tensor:
    """The final mask against visibility: masks of about a half blur large turns."""
    keep = keep.float().clamp(1e-4, 1 - 1e-4)
    return -((visible * keep.log() + (1 - visible) * (1 - keep).log()) * weight).mean()


def _ssim(a: Tensor, b: Tensor) -> Tensor:
    def pool(x: Tensor) -> Tensor:
        return F.avg_pool2d(x, 5, 2)

    mean_a, mean_b = pool(a), pool(b)
    var_a, var_b, cov = pool(a * a) - mean_a**2, pool(b * b) - mean_b**2, pool(a * b) - mean_a * mean_b
    return (
        (2 * mean_a * mean_b + 1e-4) * (2 * cov + 9e-4) / ((mean_a**2 + mean_b**2 + 1e-4) * (var_a + var_b + 9e-4))
    ).mean()


def _gradient_error(a: Tensor, b: Tensor) -> Tensor:
    return sum((a.diff(dim=d) - b.diff(dim=d)).abs().mean() for d in (-1, -2))


def _multiscale_error(a: Tensor, b: Tensor) -> Tensor:
    total = a.new_zeros(())
    for _ in range(2):
        a, b = F.avg_pool2d(a, 4), F.avg_pool2d(b, 4)
        total = total + (a - b).abs().mean()
    return total


def total(losses: dict[str, Tensor], weights: Any) -> Tensor:
    """Weighted sum of the named terms; `weights` has an attribute for each."""
    return torch.stack([getattr(weights, name) * value for name, value in losses.items()]).sum()
