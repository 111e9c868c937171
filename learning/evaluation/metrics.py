"""Metrics that need no network: PSNR and SSIM of pictures, correlation, lag and slope of curves."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

LAGS = 6  # frames by which a curve may be late or early


def psnr(pictures: Tensor, truth: Tensor) -> Tensor:
    """(B,) decibels of (B,3,H,W) in [0,1]; 100 where nothing differs."""
    error = (pictures.float() - truth.float()).square().flatten(1).mean(1)
    return -10 * error.clamp_min(1e-10).log10()


def ssim(pictures: Tensor, truth: Tensor) -> Tensor:
    """(B,) structural similarity of (B,3,H,W) in [0,1]: a Gaussian window of 11 pixels, deviation 1.5 (Wang 2004)."""
    offsets = torch.arange(11, device=pictures.device, dtype=torch.float32) - 5
    line = (-(offsets**2) / (2 * 1.5**2)).exp()
    line = line / line.sum()
    channels = pictures.shape[1]

    def blur(x: Tensor) -> Tensor:
        rows = F.conv2d(x, line.view(1, 1, 11, 1).expand(channels, 1, 11, 1), groups=channels)
        return F.conv2d(rows, line.view(1, 1, 1, 11).expand(channels, 1, 1, 11), groups=channels)

    a, b = pictures.float(), truth.float()
    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b, cov = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2, blur(a * b) - mean_a * mean_b
    similar = (2 * mean_a * mean_b + 0.01**2) * (2 * cov + 0.03**2)
    return (similar / ((mean_a**2 + mean_b**2 + 0.01**2) * (var_a + var_b + 0.03**2))).flatten(1).mean(1)


def correlation(a: Tensor, b: Tensor) -> float:
    """Pearson's correlation of two curves (T,); 0 where one of them does not move."""
    a, b = a.double() - a.double().mean(), b.double() - b.double().mean()
    scale = float(a.norm() * b.norm())
    return float(a @ b) / scale if scale > 1e-8 else 0.0


def best_lag(curve: Tensor, truth: Tensor, lags: int = LAGS) -> tuple[float, int]:
    """The highest correlation over lags of at most `lags` frames, and its lag: positive where the curve is late."""

    def at(lag: int) -> float:
        length = len(truth) - abs(lag)
        return correlation(curve[max(lag, 0) :][:length], truth[max(-lag, 0) :][:length])

    most = min(lags, len(truth) - 3)
    return max(((at(lag), lag) for lag in range(-most, most + 1)), key=lambda pair: (pair[0], -abs(pair[1])))


def slope(curve: Tensor, commanded: Tensor) -> float:
    """How much of a commanded movement comes out: the least-squares slope of curve over commanded (T,)."""
    centred = commanded.double() - commanded.double().mean()
    energy = float(centred.square().sum())
    return float(centred @ curve.double()) / energy if energy > 1e-12 else math.nan


def reach(curve: Tensor) -> float:
    """How far a curve (T,) goes: from its 10th to its 90th percentile. An expectation goes less far than what it is the
    expectation of, and a correlation does not see it."""
    low, high = torch.quantile(curve.double(), torch.tensor([0.1, 0.9], dtype=torch.float64, device=curve.device))
    return float(high - low)


def speed_ratios(curve: Tensor, truth: Tensor) -> dict[str, float]:
    """Standard deviation of a curve (T,...) and of its first and second differences, over those of the truth."""
    ratios = {}
    for order, name in enumerate(("amplitude", "velocity", "acceleration")):
        a, b = (x.double().diff(n=order, dim=0) if order else x.double() for x in (curve, truth))
        ratios[name] = float(a.std(0).mean() / b.std(0).mean().clamp_min(1e-6))
    return ratios


def mouth_opening(landmarks: Tensor, lips: tuple[tuple[int, int], ...], bone: tuple[int, int]) -> Tensor:
    """(T,) mean distance of pairs of landmarks on the upper and the lower inner lip, over the length of a rigid line,
    from landmarks (T,K,2)."""
    upper, lower = zip(*lips, strict=True)
    length = (landmarks[:, bone[0]] - landmarks[:, bone[1]]).norm(dim=1).clamp_min(1e-6)
    return (landmarks[:, list(lower)] - landmarks[:, list(upper)]).norm(dim=2).mean(1) / length


def reach_ratios(curves: Tensor, truth: Tensor) -> dict[str, float]:
    """`reach` and `width_reach`: how far the opening and the width (T,2) of a mouth go, of how far the true ones do."""
    opening, width = (reach(a) / max(reach(b), 1e-6) for a, b in zip(curves.T, truth.T, strict=True))
    return {"reach": opening, "width_reach": width}


def mean_of(rows: list[dict[str, float]]) -> dict[str, float]:
    """Mean of each name over the rows that have a finite value of it."""
    names = dict.fromkeys(name for row in rows for name in row)
    means = {}
    for name in names:
        values = [row[name] for row in rows if name in row and math.isfinite(row[name])]
        means[name] = sum(values) / len(values) if values else math.nan
    return means
