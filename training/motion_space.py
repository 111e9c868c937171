"""First part of stage 1: the motion encoder learns to see what moves, on drawn heads whose parameters are known.

Alone it learns this in minutes; together with the renderer it hardly starts, because the renderer finds other ways to lower
its loss. Twins (two people with one motion) keep identity out of the 768 numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..corpus.parameters import INDEX, PARAMETERS
from ..datasets.stills import StillSet
from ..networks.implicit_motion.layers import resize
from ..networks.implicit_motion.renderer import Renderer
from .photometric import jostle, vary

_SCALES = {"jaw": 2.0, "yaw": 3.0, "pitch": 3.0, "roll": 3.0, "shift_x": 6.0, "shift_y": 6.0, "shift_z": 3.0}
_SCALES |= {"shoulder_x": 6.0, "shoulder_y": 6.0, "gaze_x": 2.0, "gaze_y": 2.0, "tongue": 0.3}


def parameter_scale(device: torch.device | str = "cpu") -> Tensor:
    """(24,) weights that make the parameters comparable: radians and shifts are small numbers; the tongue is mostly hidden."""
    return torch.tensor([_SCALES.get(name, 1.0) for name in PARAMETERS], device=device)


@dataclass(frozen=True)
class MotionSpaceWeights:
    absolute: float = 1.0
    relative: float = 2.0
    write: float = 1.0  # what is written from parameters reads back as them
    agree: float = 0.5  # the encoder sees the motion that is written for the same change


class MotionSpaceTask:
    """One loss for the motion encoder and the read-out, on random groups."""

    def __init__(self, renderer: Renderer, stills: StillSet, weights: MotionSpaceWeights | None = None):
        self.renderer, self.stills, self.weights = renderer, stills, weights or MotionSpaceWeights()

    def parameters(self) -> list[Tensor]:
        modules = (self.renderer.motion_encoder, self.renderer.parameters_of_motion)
        return [p for m in modules for p in m.parameters()]

    def losses(self, images: Tensor, truth: Tensor) -> dict[str, Tensor]:
        """images (N,4,3,S,S): four frames a person; truth (N,4,24) -> unweighted terms."""
        scale = parameter_scale(images.device)
        framing = torch.ones_like(scale)  # jostled pictures say nothing of where the head stood
        framing[[INDEX["shift_x"], INDEX["shift_y"], INDEX["shift_z"]]] = 0
        motion = self.renderer.encode_motion(images.flatten(0, 1)).view(*images.shape[:2], -1)
        read = self.renderer.read_parameters(motion)
        written = self.renderer.motion_from_parameters(truth)
        change, written_change = motion[:, 1:] - motion[:, :1], written[:, 1:] - written[:, :1]
        energy = written_change.detach().square().mean() + 1e-3
        return {
            "absolute": F.smooth_l1_loss(read * scale * framing, truth * scale * framing, beta=0.2),
            "relative": F.smooth_l1_loss((read[:, 1:] - read[:, :1]) * scale, (truth[:, 1:] - truth[:, :1]) * scale, beta=0.2),
            "write": F.smooth_l1_loss(self.renderer.read_parameters(written) * scale, truth * scale, beta=0.2),
            # The written side is the teacher: pulled both ways, the two agreed on nothing and neither grew.
            "agree": (change - written_change.detach()).square().mean() / energy,
        }

    def batch(self, indices, generator: torch.Generator | None, augment: bool = True) -> tuple[Tensor, Tensor]:
        """Both people of each group, at the encoder's size."""
        groups = self.stills.get(indices)
        images = groups.rgb.flatten(0, 2).permute(0, 3, 1, 2).float() / 255
        images = resize(images, self.renderer.config.motion_size)
        if augment:
            images = vary(jostle(images, generator, shared=4), generator, shared=4)
        return images.view(-1, 4, *images.shape[1:]), groups.param.flatten(0, 1)

    @torch.no_grad()
    def explained(self, indices) -> dict[str, float]:
        """R^2 of each parameter's change on groups held out."""
        images, truth = self.batch(indices, None, augment=False)
        motion = torch.cat([self.renderer.encode_motion(x) for x in images.flatten(0, 1).split(64)])
        read = self.renderer.read_parameters(motion.float()).view_as(truth)
        change, wanted = read[:, 1:] - read[:, :1], truth[:, 1:] - truth[:, :1]
        r2 = 1 - (change - wanted).square().mean((0, 1)) / wanted.square().mean((0, 1)).clamp_min(1e-8)
        return {name: round(float(r2[i]), 3) for i, name in enumerate(PARAMETERS)}
