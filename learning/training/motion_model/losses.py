"""The losses of stage 2: L_simple, velocity, acceleration (paper), and the read-out of parameters (ours)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ....vocabulary import INDEX, REGIONS


@dataclass(frozen=True)
class Stage2Weights:
    """The paper gives no weights."""

    velocity: float = 0.5
    acceleration: float = 0.5
    readout: float = 1.0
    heard: float = 0.5  # error of the parameters as regressed from the audio features alone, without denoising
    sync: float = 0.08  # of a sync judge, where one is given (sync_loss.py)
    mouth: float = 4.0  # of the mouth's parameters in the read-out and the regression: speech determines them most


def _per_sample(values: Tensor, like: Tensor) -> Tensor:
    return values.to(like.dtype).reshape(-1, *[1] * (like.dim() - 1))


def clean_error(predicted: Tensor, target: Tensor, scales: tuple[Tensor, Tensor], prediction: str) -> Tensor:
    """The error of the clean motion that a prediction means, scaled to stay finite at every noise level.

    predicted, target (B, W, 768) of kind `prediction`; scales: sqrt(ab) and sqrt(1 - ab), (B, 1, 1) each, by
    `NoiseSchedule.scales`. x0^ - x0 = sqrt((1 - ab) / ab) (eps - eps^), so the error times sqrt(ab) is sqrt(1 - ab)
    (eps - eps^), and for v it is sqrt(ab (1 - ab)) (v - v^): no division. For x0 it is the error itself.
    """
    error = predicted - target
    if prediction == "x0":
        return error
    signal, noise = scales
    return -(noise if prediction == "eps" else signal * noise) * error


def simple_loss(predicted: Tensor, target: Tensor, dimension_weights: Tensor | None = None) -> Tensor:
    """Mean squared error (paper, L_simple), optionally weighted over the last axis (768,), mean weight 1."""
    error = (predicted - target).square()
    return (error if dimension_weights is None else error * dimension_weights).mean()


def motion_losses(error: Tensor, continues: Tensor, history: int = 4) -> tuple[Tensor, Tensor]:
    """Velocity and acceleration losses (paper, L_impvel and L_accel) of a clean error (B, W, 768).

    Differences of an error are errors of the differences. The clean history has no error, so zeros before the window
    train the seam; samples that do not continue a history, continues (B,) bool, have none.
    """
    weight = _per_sample(continues, error).expand(-1, min(history, 2), error.shape[2])
    seam = torch.cat([torch.zeros_like(weight), error], 1)
    held = torch.cat([weight, torch.ones_like(error)], 1)
    velocity = seam.diff(dim=1)
    acceleration = velocity.diff(dim=1)
    return (velocity.square() * held[:, :-1]).mean(), (acceleration.square() * held[:, :-2]).mean()


def summed_motion_losses(error: Tensor) -> tuple[Tensor, Tensor]:
    """L_impvel and L_accel as printed, of a clean error (B, W, 768): squared norms over the 768 numbers, summed over
    the window's frames and divided by W - 1 and W - 2; zero where the window is too short for one."""
    velocity = error.diff(dim=1)
    terms = velocity, velocity.diff(dim=1)
    return tuple(x.square().sum(2).mean() if x.shape[1] else error.new_zeros(()) for x in terms)


def readout_loss(error: Tensor, readout: Tensor, weights: Tensor) -> Tensor:
    """Squared error of linearly read parameters: error (B, W, 768), readout (768, 24), weights (24,)."""
    return ((error @ readout).square() * weights).mean()


def parameter_weights(deviations: Tensor, mouth: float) -> Tensor:
    """(24,) weights, with arms (34,), that make parameters of given deviations equal, those of the mouth `mouth` times
    the others.

    The deviation is floored: a parameter that hardly ever moves would otherwise weigh most.
    """
    weights = torch.ones(len(deviations))
    weights[[INDEX[name] for name in REGIONS["mouth"]]] = mouth
    return weights / weights.mean() / deviations.cpu().clamp_min(0.25 * float(deviations.mean())).square()


def linear_map(function, width: int, device=None) -> Tensor:
    """The matrix (width, outputs) of an affine function of (n, width)."""
    basis = torch.eye(width, device=device)
    return function(basis) - function(torch.zeros_like(basis))
