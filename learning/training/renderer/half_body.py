"""A renderer for half bodies that goes on from one for heads."""

from __future__ import annotations

import torch

from ....networks.renderer.arms import USED
from ....networks.renderer.config import RendererConfig
from ....networks.renderer.model import Renderer
from ....vocabulary import COUNT, LANDMARKS
from ...datasets.stills import StillSet
from ..ablation import changed_network
from .schedule import Part

ARMS = Part("arms", 0.4, 128, 4, 3e-3)
HALF_SCHEDULE = (
    ARMS,
    Part("motion", 0.2, 128, 6, 1e-3),
    Part("coarse", 0.4, 128, 3, 6e-4, written=1.0),
)
"""Arms and encoder begin anew, and the rendering learns bodies without arms: no space to learn, and rates as for new
weights."""


@torch.no_grad()
def arms_start(renderer: Renderer, stills: StillSet) -> None:
    """Let a new arm layer move points as parameters carry them in the least squares over all pictures."""
    points = 2 * stills.landmarks()[:, len(LANDMARKS) :].unflatten(0, (-1, 4)) - 1  # (N,4,8,2)
    parameters = stills.parameters().unflatten(0, (-1, 4))[..., USED]
    moved, change = ((x[:, 1:] - x[:, :1]).flatten(0, 1).flatten(1).cpu().double() for x in (points, parameters))
    square = change.mT @ change + 1e-4 * len(change) * torch.eye(change.shape[1]).to(change)
    renderer.arms.linear.weight.copy_(torch.linalg.solve(square, change.mT @ moved).T)


@torch.no_grad()
def half_body_start(renderer: Renderer, config: RendererConfig | None = None) -> Renderer:
    """A network of `config` (None: `RendererConfig.half`) with a head's rendering and names, a new motion encoder, and
    directions for the arms in what the head's names leave free, so that neither is read in the other."""
    config = config or RendererConfig.half()
    half = changed_network(renderer, config, ["motion_encoder"])
    head, space = renderer.parameters_of_motion, half.parameters_of_motion
    arms = space.writer.weight[:, COUNT:].clone()
    arms -= head.named_part(arms.T).T
    inverse = torch.linalg.pinv(arms)
    inverse -= inverse @ head.writer.weight @ head.reader.weight
    space.writer.weight.copy_(torch.cat([head.writer.weight, arms], 1))
    space.writer.bias.copy_(head.writer.bias)
    space.reader.weight.copy_(torch.cat([head.reader.weight, inverse]))
    space.reader.bias.copy_(torch.cat([head.reader.bias, -inverse @ head.writer.bias]))
    return half
