"""Names for a free motion space: a linear read-out, fitted on drawn people whose parameters are known.

Changes of motion within a person are regressed on the changes of parameters; what is left, identity and light and
whatever else the encoder writes, says how far each direction can be trusted. The reader is the best linear unbiased one
(generalised least squares), so that what is written reads back and an edit of one parameter leaves the others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ....networks.renderer.layers import resize
from ....networks.renderer.model import Renderer
from ....vocabulary import PARAMETERS
from ...datasets.batch_slice import BatchSlice
from ...datasets.stills import StillSet
from .augment import jostle, vary

SMALLEST = 40  # groups of drawn stills
GROUPS = 800  # drawn groups that are looked at: two people with three changes each
HELD_OUT = 0.1  # of them, on which the read-out is measured
RIDGE = 1e-3  # of the scatter that is left, relative to its mean
CHUNK = 8


@torch.no_grad()
def fit_readout(
    renderer: Renderer, stills: StillSet, groups: int = GROUPS, seed: int = 0
) -> tuple[Renderer, dict[str, float]]:
    """A renderer of a "free" space with a read-out, and R^2 of each parameter's change on groups that were not fitted.

    Raises ValueError for a space whose directions have names already, and for too few groups."""
    space, count = renderer.config.motion_space, min(groups, len(stills))
    if space != "free":
        raise ValueError(f"The motion of this renderer has names already (its space is {space}).")
    if count < SMALLEST:
        raise ValueError(f"A read-out needs at least {SMALLEST} groups of drawn stills, here are {count}.")
    motion, truth = _look(renderer, stills, count, seed)
    kept = max(1, round(HELD_OUT * len(motion)))
    reader, writer = linear_maps(_changes(motion[kept:]), _changes(truth[kept:]))
    fitted = Renderer(replace(renderer.config, readout=True)).to(motion.device)
    fitted.load_state_dict(renderer.state_dict())
    space = fitted.parameters_of_motion
    mean_motion, mean_truth = motion[kept:].mean((0, 1)), truth[kept:].mean((0, 1))
    space.reader.weight.copy_(reader)
    space.writer.weight.copy_(writer)
    space.reader.bias.copy_(mean_truth - reader @ mean_motion)
    space.writer.bias.copy_(mean_motion - writer @ mean_truth)
    wanted = _changes(truth[:kept])
    error = (_changes(motion[:kept]) @ reader.T - wanted).square().mean(0)
    energy = wanted.square().mean(0)
    r2 = torch.where(energy > 1e-8, 1 - error / energy.clamp_min(1e-8), 0.0)
    return fitted.train(renderer.training), {name: round(float(r2[i]), 3) for i, name in enumerate(PARAMETERS)}


def linear_maps(motion: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
    """Changes of motion (N,M) and of parameters (N,P) -> reader (P,M) and writer (M,P), float64, reader @ writer = 1.

    A parameter that never changes is neither read nor written."""
    square = parameters.T @ parameters
    scale = square.diagonal().mean().clamp_min(1e-12)
    eye = torch.eye(len(square)).to(square)
    writer = torch.linalg.solve(square + 1e-6 * scale * eye, parameters.T @ motion).T
    left = motion - parameters @ writer.T
    scatter = left.T @ left / len(left)
    scatter = scatter + RIDGE * scatter.diagonal().mean().clamp_min(1e-12) * torch.eye(len(scatter)).to(scatter)
    weighed = torch.linalg.solve(scatter, writer).T  # W^T S^-1
    told = weighed @ writer
    return torch.linalg.pinv(told, rtol=1e-9, hermitian=True) @ weighed, writer


def _changes(x: Tensor) -> Tensor:
    return (x[:, 1:] - x[:, :1]).flatten(0, 1)


def _look(renderer: Renderer, stills: StillSet, groups: int, seed: int) -> tuple[Tensor, Tensor]:
    """Motion (2G,4,768) seen in pictures of G groups, varied as in training, and their parameters, in float64."""
    device = next(renderer.parameters()).device
    picks = np.random.default_rng(seed).permutation(len(stills))[:groups]
    motion, truth = [], []
    for first in range(0, groups, CHUNK):
        part = BatchSlice(seed, 0, range(groups)[first : first + CHUNK], groups)
        found = stills.get(picks[part.samples.start : part.samples.stop])
        pictures = found.rgb.flatten(0, 2).to(device).permute(0, 3, 1, 2).float() / 255
        pictures = resize(pictures, renderer.config.motion_size)
        draws = part.draws(device).each(2)
        pictures = vary(jostle(pictures, found.mark.flatten(0, 2).to(device), draws, shared=4)[0], draws, shared=4)
        motion.append(renderer.encode_motion(pictures).double().unflatten(0, (-1, 4)))
        truth.append(found.param.flatten(0, 1).to(device).double())
    return torch.cat(motion), torch.cat(truth)
