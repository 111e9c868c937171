"""Lips of a finished film against those of the speaker's own film: correlation, lag, reach and closures. Our measures.

Opening is the gap of the inner lips, width the distance of the mouth's corners, both over the clip's median distance of
the outer corners of the eyes (learning/datasets/films.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from ....visemes.phones import Phone
from ....vocabulary import FPS
from ...datasets.films import measure_lips
from ..metrics import best_lag, correlation, reach

CLOSED = "p"  # the viseme class of p, b and m
NEAR = 0.06  # seconds around the middle of a closure
WIDE = 0.9  # quantile of a clip's openings that closures are measured by


def compare_lips(made: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Of landmarks (T,K,2 or 3): `lips` and `lips_width`, correlations at the best lag of at most 6 frames; `lips_lag`
    of the opening, positive where the film is late; `lips_now`, the opening's correlation without a lag; `lips_reach`
    and `width_reach`, how far opening and width go, and `true_reach` and `true_width_reach`, how far the truth's do."""
    ours, theirs = (torch.tensor(np.stack(measure_lips(points[..., :2]), 1)) for points in (made, truth))
    opening, lag = best_lag(ours[:, 0], theirs[:, 0])
    return {
        "lips": opening,
        "lips_lag": float(lag),
        "lips_now": correlation(ours[:, 0], theirs[:, 0]),
        "lips_reach": reach(ours[:, 0]),
        "true_reach": reach(theirs[:, 0]),
        "lips_width": best_lag(ours[:, 1], theirs[:, 1])[0],
        "width_reach": reach(ours[:, 1]),
        "true_width_reach": reach(theirs[:, 1]),
    }


def closures(points: np.ndarray, phones: Sequence[Phone]) -> float:
    """Mean over all p, b and m of the lowest opening of the lips within 60 ms of its middle, over the clip's 90th
    percentile: 0 is shut. NaN without such a phone. Frame i is taken as the mouth at (i + 0.5) / 25 s."""
    opening, _ = measure_lips(points[..., :2])
    wide = float(np.quantile(opening, WIDE))
    times = (np.arange(len(opening)) + 0.5) / FPS
    lowest = []
    for phone in phones:
        near = np.abs(times - (phone.start + phone.end) / 2) <= NEAR
        if phone.kind == CLOSED and near.any():
            lowest.append(float(opening[near].min()))
    return float(np.mean(lowest)) / max(wide, 1e-6) if lowest else math.nan
