"""Frechet distances of sets of features (Heusel et al. 2017), with intervals over samples.

For centred features A (n,D) and B (m,D), each over the root of its count less one, the trace of the root of the product
of the covariances is the sum of the singular values of A B^T, so that no root of a matrix is taken, however few the
features are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def frechet_distance(made: np.ndarray, truth: np.ndarray) -> float:
    """Of features (n,D) and (m,D), n and m at least 2. Distances of small sets are too large: compare equal counts."""
    if len(made) < 2 or len(truth) < 2:
        return float("nan")
    made, truth = made.astype(np.float64), truth.astype(np.float64)
    between = float(((made.mean(0) - truth.mean(0)) ** 2).sum())
    a, b = (_reduced((x - x.mean(0)) / np.sqrt(len(x) - 1)) for x in (made, truth))
    common = float(np.linalg.svd(a @ b.T, compute_uv=False).sum())
    return between + float((a**2).sum() + (b**2).sum()) - 2 * common


def _reduced(x: np.ndarray) -> np.ndarray:
    """At most D rows with the same x^T x."""
    return np.linalg.qr(x, mode="r") if len(x) > x.shape[1] else x


def joined(parts: Sequence[np.ndarray], picked: Sequence[int] | None = None) -> np.ndarray:
    """The features (n_i,D) of samples, or of those picked, as one set."""
    return np.concatenate([parts[i] for i in (range(len(parts)) if picked is None else picked)])
