"""Closes the parted lips of a photo when a voice drives it.

The motion of a voice is relative to a face at rest with closed lips, that of a video to its first frame. Added to the
pose of a photo with an open mouth, a voice's motion never closed the lips. So the photo's own lip opening is subtracted
for a voice; smile, eyes and head stay the photo's own.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..media.motion import Motion
from ..networks.renderer.model import Renderer
from ..vocabulary import INDEX
from .regions import motion_to_parameters, parameters_to_motion

OPENING = [INDEX[name] for name in ("jaw", "upper_lip", "lower_lip")]
PARTED = 0.1  # least opening parameter that counts as parted; smaller ones are within the encoder's error
AT_REST = 0.05  # largest parameter of a reference that counts as a face at rest
SECONDS = 0.24  # in which the lips close; the first frame is the photo as it is


def lip_opening(renderer: Renderer, own: Tensor, motion: Motion) -> Tensor:
    """(768,) by which the photo's own motion M_0 `own` (768,) opens the lips compared with the motion's reference;
    zeros if that reference is not a face at rest, or if the renderer's motion has no names."""
    if not renderer.config.readout:
        return torch.zeros_like(own)
    source, rest = motion_to_parameters(renderer, own[None]), motion_to_parameters(renderer, motion.reference[None])
    if rest.abs().max() > AT_REST:
        return torch.zeros_like(own)
    excess = torch.zeros_like(source)
    excess[:, OPENING] = (source - rest)[:, OPENING]
    excess[excess < PARTED] = 0
    return (parameters_to_motion(renderer, rest + excess) - parameters_to_motion(renderer, rest))[0].to(own)


def closing_weight(frames: Tensor, fps: float) -> Tensor:
    """(n,) frame indices -> (n,1) how far the lips are closed, from 0 at the first frame smoothly to 1."""
    x = (frames / (SECONDS * fps)).clamp(0, 1)
    return (x * x * (3 - 2 * x))[:, None]
