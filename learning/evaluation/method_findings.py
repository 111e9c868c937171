"""What a replacement costs: a metric of a branch, with and without what the branch says."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

REPLACED = {"mean": "its mean", "other": "another person's", "frame": "another frame's"}
LEAST_DB, LEAST_SHARE = 0.1, 0.02  # of cost, for a branch that has a say
HIGHER_IS_BETTER = ("dB", "r")  # units; errors are better when lower
RESAMPLED = 2000


@dataclass(frozen=True)
class Finding:
    """One branch: its metric as it is, and the cost of each replacement.

    unit: "dB", "r" (correlation), "px" or "" (a share of variance). metric: name of what is measured; value: its mean
    with nothing replaced. costs: replacement -> (mean, low, high) in the metric's unit, above zero where the
    replacement is worse.
    """

    branch: str
    metric: str
    unit: str
    value: float
    costs: dict[str, tuple[float, float, float]] = field(default_factory=dict)

    @property
    def alive(self) -> bool:
        """Whether some replacement costs at least .1 dB, or 2 % of the metric."""
        least = LEAST_DB if self.unit == "dB" else LEAST_SHARE * abs(self.value)
        return any(mean >= least for mean, _, _ in self.costs.values())


def interval(differences: Tensor, seed: int = 0) -> tuple[float, float, float]:
    """Mean of (N,) paired differences and its 95 % interval by bootstrap; NaNs (nothing to measure) are left out."""
    values = differences.double()[differences.isfinite()].cpu().numpy()
    if not len(values):
        return math.nan, math.nan, math.nan
    rows = np.random.default_rng(seed).integers(len(values), size=(RESAMPLED, len(values)))
    low, high = np.quantile(values[rows].mean(1), [0.025, 0.975])
    return float(values.mean()), float(low), float(high)


def finding(branch: str, metric: str, unit: str, base: Tensor, replaced: dict[str, Tensor]) -> Finding:
    """Of a metric of N people with nothing replaced (N,), and with each replacement."""
    sign = 1.0 if unit in HIGHER_IS_BETTER else -1.0
    costs = {name: interval(sign * (base - values)) for name, values in replaced.items()}
    return Finding(branch, metric, unit, float(base[base.isfinite()].mean()), costs)


def replaced_rows(rows: Tensor, how: str, frames: int) -> Tensor:
    """(N * frames, ...) of N people in a row, replaced as REPLACED says. With frames 1 "frame" has no meaning."""
    people = rows.unflatten(0, (-1, frames))
    if how == "mean":
        return rows.mean(0, keepdim=True).expand_as(rows)
    return people.roll(1, 0 if how == "other" else 1).flatten(0, 1)


def people_first(values: Tensor, frames: int) -> Tensor:
    """(N * frames,) -> (N,): mean over a person's frames that have a value; NaN where none has."""
    return torch.nanmean(values.unflatten(0, (-1, frames)), 1)
