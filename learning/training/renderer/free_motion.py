"""Motion that no parameter names: how a renderer gets room for it, and which of its weights learn it."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ....networks.renderer.model import Renderer

FASTER = 10.0
"""Rate of what writes and reads the free part, as a multiple of the others'. At the same rate the 744 numbers stayed
unused for the 45 minutes of a trial: everything else lowered the loss sooner."""

START = 0.1
"""Standard deviation of the free part's first changes, half of that of the named part's on films."""


@torch.no_grad()
def with_space(renderer: Renderer, space: str) -> Renderer:
    """The same renderer with another `motion_space`, rendering named motion as before.

    "semi": a new head in the encoder, and what is linear in DIT reads named motion alone, so that the head's first
    numbers change little, though they are large and have gradients at once. "free": the read-out is dropped until one
    is fitted (readout.py). ValueError for a way back."""
    known = renderer.config
    if space == known.motion_space:
        return renderer
    if known.motion_space != "named":
        raise ValueError(f"a renderer whose motion is {known.motion_space} cannot be trained on as {space}")
    new = Renderer(replace(known, motion_space=space, readout=space != "free"))
    new.load_state_dict(new.state_dict() | renderer.state_dict())
    if space == "semi":
        for weight in _linear_readers(new):
            named = new.parameters_of_motion
            weight.copy_(weight @ named.writer.weight @ named.reader.weight)
    return new.train(renderer.training)


@torch.no_grad()
def scale_start(renderer: Renderer, pictures: Tensor) -> None:
    """Let a new free head begin with changes of START within the clips (G,N,3,S,S), about its mean over all of them."""
    head, named = renderer.motion_encoder.free, renderer.parameters_of_motion
    seen = renderer.motion_encoder.encode_with_keypoints(pictures.flatten(0, 1)).free
    seen = (seen - named.named_part(seen)).unflatten(0, pictures.shape[:2])
    scale = START / (seen[:, 1:] - seen[:, :1]).std().clamp_min(1e-6)
    head.out.weight.mul_(scale)
    head.rest.copy_(scale * (seen.mean((0, 1)) + head.rest))


def _linear_readers(renderer: Renderer) -> list[Tensor]:
    """Weights (n,768) of DIT that are linear in the motion."""
    deviation, size = renderer.deviation, renderer.config.motion_dim
    shift = [] if deviation.linear_shift is None else [deviation.linear_shift.weight]
    return [*shift, deviation.to_vector.weight[:, :size]]


def parameter_groups(renderer: Renderer, rate: float) -> list[dict]:
    """All that films teach, for an optimiser: everything but the named maps, what writes and reads a free part FASTER
    in a "semi" space."""
    held = {id(p) for p in renderer.parameters_of_motion.parameters()}
    fast: list[Tensor] = []
    if renderer.config.motion_space == "semi":
        readers = [r for r in (renderer.deviation.linear_shift, renderer.deviation.to_vector) if r is not None]
        fast = [p for module in (renderer.motion_encoder.free, *readers) for p in module.parameters()]
    quick = {id(p) for p in fast}
    usual = [p for p in renderer.parameters() if id(p) not in held | quick]
    groups = [{"params": usual, "lr": rate}]
    return groups + ([{"params": fast, "lr": FASTER * rate}] if fast else [])
