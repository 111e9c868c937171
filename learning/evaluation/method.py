"""Conformance probes: what each branch of the method contributes, by replacing what it says.

A branch's output is replaced by its mean over people, by another person's or by that of another frame, never by zero: a
constant output says nothing, whatever its size. Each branch has one metric named for it, and the cost is the change of
that metric with a 95 % interval, by bootstrap over people (or clips), paired.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...networks.motion_model.model import MotionModel
from ...networks.renderer.model import Renderer
from ..datasets.stills import StillSet
from .report import Progress, draw_held_out, held_out_tracks

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


def probe_method(
    renderer: Renderer,
    motion_model: MotionModel | None,
    *,
    corpus: str | Path | None = None,
    out: str | Path | None = None,
    groups: int = 24,
    clips: int = 16,
    progress: Progress | None = None,
) -> list[Finding]:
    """Findings for every branch of both networks that is there (an ablated one is not).

    corpus: held-out stills and clips; None draws one under `out`, as `evaluate` does. ValueError when neither is given.
    """
    from .method_pictures import probe_renderer
    from .method_voices import probe_motion_model

    if corpus is None:
        if out is None:
            raise ValueError("evaluate needs a corpus to measure on, or a folder `out` to draw one in")
        corpus = draw_held_out(Path(out) / "corpus", groups, clips, progress)
    stills = StillSet(corpus)
    found = probe_renderer(renderer.eval(), stills, groups, _named(progress, "branches of the renderer"))
    if motion_model is not None:
        tracks = held_out_tracks(corpus)[:clips]
        found += probe_motion_model(renderer, motion_model.eval(), stills, tracks)
    return found


def method_table(found: list[Finding]) -> str:
    """Markdown for docs/method.md and the card: the cost of each replacement, with its 95 % interval."""
    lines = [
        "| branch | metric | as it is | " + " | ".join(REPLACED.values()) + " | has a say |",
        "|---|---|---|" + "---|" * len(REPLACED) + "---|",
    ]
    for row in found:
        unit = f" {row.unit}" if row.unit else ""
        cells = [_cell(row.costs.get(how)) for how in REPLACED]
        lines.append(
            f"| {row.branch} | {row.metric} | {row.value:.3g}{unit} | {' | '.join(cells)} "
            f"| {'yes' if row.alive else 'no'} |"
        )
    return "\n".join(lines) + "\n"


def method_figures(found: list[Finding]) -> list[dict[str, Any]]:
    """The same for figures.json."""
    return [vars(row) | {"alive": row.alive} for row in found]


def _cell(cost: tuple[float, float, float] | None) -> str:
    return "" if cost is None else f"{cost[0]:+.3f} [{cost[1]:+.3f}, {cost[2]:+.3f}]"


def _named(progress: Progress | None, what: str):
    return None if progress is None else lambda done, total: progress(what, done, total)


def people_first(values: Tensor, frames: int) -> Tensor:
    """(N * frames,) -> (N,): mean over a person's frames that have a value; NaN where none has."""
    return torch.nanmean(values.unflatten(0, (-1, frames)), 1)
