"""A renderer for half bodies that goes on from one for heads."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from ....networks.renderer.arms import USED
from ....networks.renderer.config import RendererConfig
from ....networks.renderer.model import Renderer
from ....vocabulary import COUNT, LANDMARKS
from ...datasets.stills import StillSet
from ..ablation import changed_network
from .schedule import Part

HALF_SCHEDULE = (
    Part("motion", 0.25, 128, 6, 1e-3),
    Part("coarse", 0.75, 128, 3, 6e-4, written=1.0),
)
"""The encoder begins anew and the rendering learns arms: no space to learn, and rates as for new weights."""


FASTER = 10.0
"""Rate of the arm layer, as a multiple of the others'. At the same rate its points were off by 4.5 pixels of 128 after
five minutes."""


def groups_of(renderer: Renderer, groups: Iterable[dict], rate: float) -> list[dict]:
    """An optimiser's groups, of `rate` where they name none, with the arm layer of a half body FASTER than the rest."""
    layer, apart = renderer.lmdd.arms, []
    quick = set() if layer is None else {id(p) for p in layer.parameters()}
    for group in groups:
        params, own = list(group["params"]), group.get("lr", rate)
        for fast, its_rate in ((False, own), (True, FASTER * own)):
            chosen = [p for p in params if (id(p) in quick) == fast]
            apart += [group | {"params": chosen, "lr": its_rate}] if chosen else []
    return apart


@torch.no_grad()
def arms_start(renderer: Renderer, stills: StillSet) -> None:
    """Let a new arm layer begin with the mean places of the arms' points in sources, and with how far the parameters
    carry them in the least squares over all pictures."""
    layer = renderer.lmdd.arms
    points = 2 * stills.landmarks()[:, len(LANDMARKS) :].unflatten(0, (-1, 4)) - 1  # (N,4,8,2)
    parameters = stills.parameters().unflatten(0, (-1, 4))[..., USED]
    moved, change = ((x[:, 1:] - x[:, :1]).flatten(0, 1).flatten(1).cpu().double() for x in (points, parameters))
    square = change.mT @ change + 1e-4 * len(change) * torch.eye(change.shape[1]).to(change)
    layer.linear.weight.copy_(torch.linalg.solve(square, change.mT @ moved).T)
    layer.place.copy_(points[:, 0].mean(0))


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
