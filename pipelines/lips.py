"""A photo whose lips are parted closes them to speak.

A voice's motion is told from a face at rest, so it says where the lips are; a video's, from its first frame, says only
how they change. Added to an open mouth as it stands, a voice never brought its lips together: on a real portrait that
gapes they gaped through the whole sentence. Smile, eyes and head stay the photo's own.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..media.motion import Motion
from ..networks.renderer.model import Renderer
from ..vocabulary import INDEX
from .regions import read_regions, write_regions

OPENING = [INDEX[name] for name in ("jaw", "upper_lip", "lower_lip")]
PARTED = 0.1  # of a wide mouth; less is within what the encoder gets wrong
AT_REST = 0.05  # largest parameter of a reference that counts as a face at rest
SECONDS = 0.24  # they close in, so that the first frame is the photo


def parted(renderer: Renderer, own: Tensor, motion: Motion) -> Tensor:
    """(768,) by which the photo's own motion M_0 `own` (768,) opens the lips beyond the motion's rest; zeros for a
    motion whose reference is no face at rest."""
    stands, rest = read_regions(renderer, own[None]), read_regions(renderer, motion.reference[None])
    if rest.abs().max() > AT_REST:
        return torch.zeros_like(own)
    excess = torch.zeros_like(stands)
    excess[:, OPENING] = (stands - rest)[:, OPENING]
    excess[excess < PARTED] = 0
    return (write_regions(renderer, rest + excess) - write_regions(renderer, rest))[0].to(own)


def closing(frames: Tensor, fps: float) -> Tensor:
    """(n,) frame numbers -> (n,1) how far the lips have come together, from 0 at the first to 1."""
    x = (frames / (SECONDS * fps)).clamp(0, 1)
    return (x * x * (3 - 2 * x))[:, None]
