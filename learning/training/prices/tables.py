"""The tables of docs/method.md, from the figures of arms that are done."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from typing import Any

import torch

from ...evaluation.judge.papers import PATS_ABLATION
from ...evaluation.method_findings import interval
from .comparisons import ABLATIONS, COMPARISONS, SHIPPED, Ablation, Arm, Comparison

METRICS = {
    1: {
        "gain": ("over copying, dB", 2),
        "flow": ("error of the motion field, px", 3),
        "mouth": ("inside the open mouth, dB", 2),
        "uncovered": ("where the photo shows nothing, dB", 2),
    },
    2: {
        "lips": ("lips of sampled motion, r", 3),
        "reach": ("their reach, of the truth", 2),
        "velocity": ("velocity, of the truth", 2),
        "heard_lips": ("lips as regressed, r", 3),
    },
}
LOWER_IS_BETTER = ("flow", "points", "tgd")
IDEAL = {"reach": 1.0, "velocity": 1.0, "hand_reach": 1.0}  # ratios, which are better the nearer they are

Figures = Callable[[Arm, int], dict[str, Any] | None]
"""What was measured of an arm with a seed; None where it is not done."""


def difference(metric: str, ours: Sequence[float], printed: Sequence[float]) -> tuple[float, float, float]:
    """By how much the printed form is better than ours, and its 95 % interval, from paired values. A ratio is the
    better the nearer its logarithm is to zero: there the difference is of those distances."""
    a, b = (torch.tensor(values, dtype=torch.float64) for values in (ours, printed))
    if metric in IDEAL:
        a, b = (-x.clamp_min(1e-3).log().abs() for x in (a, b))
    return interval(a - b if metric in LOWER_IS_BETTER else b - a)


def price_table(stage: int, figures: Figures, seeds: Sequence[int]) -> str:
    """Markdown: the comparisons of a stage; a cell has ours -> printed, and how much better the printed form is with
    its interval, a line for each seed. Only what is done of both forms is shown."""
    metrics = METRICS[stage]
    lines = [
        f"| group | rows | steps | minutes: ours, printed | {' | '.join(title for title, _ in metrics.values())} |",
        "|" + "---|" * (4 + len(metrics)),
    ]
    shipped = figures(SHIPPED[stage], seeds[0])
    if shipped is not None:
        cells = [_mean(shipped, name, digits) for name, (_, digits) in metrics.items()]
        lines.append(f"| the common weights | | | | {' | '.join(cells)} |")
    for comparison in COMPARISONS:
        if comparison.stage == stage and (pairs := _pairs(comparison, figures, seeds)):
            lines.append(_row(comparison, pairs, metrics))
    return "\n".join(lines) + "\n"


def _pairs(comparison: Comparison, figures: Figures, seeds: Sequence[int]) -> list[tuple[dict, dict]]:
    both = [(figures(comparison.ours, seed), figures(comparison.printed, seed)) for seed in seeds]
    return [pair for pair in both if None not in pair]


def _row(comparison: Comparison, pairs: list[tuple[dict, dict]], metrics: dict[str, tuple[str, int]]) -> str:
    steps, minutes = pairs[0][0]["steps"], "<br>".join(f"{a['minutes']:.1f}, {b['minutes']:.1f}" for a, b in pairs)
    cells = ["<br>".join(_cell(name, digits, *pair) for pair in pairs) for name, (_, digits) in metrics.items()]
    return f"| {comparison.name} | {comparison.rows} | {steps} | {minutes} | {' | '.join(cells)} |"


def _cell(name: str, digits: int, ours: dict, printed: dict) -> str:
    """Ours -> printed: difference [interval]."""
    before, after = _mean(ours, name, digits), _mean(printed, name, digits)
    if not before or not after:
        return f"{before or 'none'} -> {after or 'none'}" if before or after else ""
    return f"{before} -> {after}: {_gap(name, digits, ours, printed)}"


def _gap(name: str, digits: int, ours: dict, other: dict) -> str:
    """By how much the other is better [interval]; "-" where nothing was measured."""
    mean, low, high = difference(name, *(found["values"].get(name, []) for found in (ours, other)))
    return "-" if math.isnan(mean) else f"{mean:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]"


def _mean(figures: dict[str, Any], name: str, digits: int) -> str:
    """Mean over people that have a value; of ratios the geometric one. Empty where there is none."""
    values = [value for value in figures["values"].get(name, ()) if math.isfinite(value)]
    if not values:
        return ""
    if name in IDEAL:
        return f"{math.exp(sum(math.log(max(value, 1e-3)) for value in values) / len(values)):.{digits}f}"
    return f"{sum(values) / len(values):.{digits}f}"


OURS = {
    1: {"psnr": ("PSNR", 2), "ssim": ("SSIM", 3), "gain": ("over copying, dB", 2), "flow": ("field, px", 2)},
    2: {
        "lips": ("lips, r", 3),
        "reach": ("reach", 2),
        "velocity": ("velocity", 2),
        "heard_lips": ("lips as regressed, r", 3),
    },
}
GESTURES = {
    1: {"hands": ("hands over copying, dB", 2), "points": ("their points, px", 2)},
    2: {
        "beats": ("beats near stress", 2),
        "beats_gain": ("more than other voices'", 2),
        "hand_reach": ("hands' reach", 2),
        "div": ("DIV", 1),
        "tgd": ("TGD", 2),
    },
}
"""Of half bodies besides."""


def ablation_table(figures: Figures, seeds: Sequence[int], half: bool = False, lacking: Collection[str] = ()) -> str:
    """Markdown in the layout of the paper's table: its figures as printed, of gestures, then ours, a value a seed; of
    `half` bodies with those of their gestures. lacking: branches that the common weights have not."""
    columns = _columns(half)
    heads = [title for _, _, title, _ in columns]
    lines = ["| | " + " | ".join(PATS_ABLATION.columns) + " | ours: " + " | ".join(heads) + " |"]
    lines.append("|" + "---|" * (1 + len(PATS_ABLATION.columns) + len(heads)))
    for row in ABLATIONS:
        theirs = ["-" if value is None else f"{value:.3f}" for value in PATS_ABLATION.rows[row.title]]
        ours = [_seeds(row.arm(stage, lacking), name, digits, figures, seeds) for stage, name, _, digits in columns]
        lines.append(f"| {_title(row, lacking)} | {' | '.join(theirs)} | {' | '.join(ours)} |")
    common = [_seeds(SHIPPED[stage], name, digits, figures, seeds[:1]) for stage, name, _, digits in columns]
    lines.append(f"| the common weights |{' - |' * len(PATS_ABLATION.columns)} {' | '.join(common)} |")
    return "\n".join(lines) + "\n"


def branch_table(figures: Figures, seeds: Sequence[int], half: bool = False, lacking: Collection[str] = ()) -> str:
    """Markdown: by how much the whole is better than each row without a branch, with the 95 % interval, a line a
    seed; DIV by how much it is higher."""
    columns = _columns(half)
    lines = ["| the whole against | " + " | ".join(title for _, _, title, _ in columns) + " |"]
    lines.append("|" + "---|" * (1 + len(columns)))
    for row in ABLATIONS[:-1]:
        cells = []
        for stage, name, _, digits in columns:
            arm, whole = row.arm(stage, lacking), ABLATIONS[-1].arm(stage, lacking)
            pairs = [] if arm is None else [(figures(arm, seed), figures(whole, seed)) for seed in seeds]
            cells.append("<br>".join(_gap(name, digits, *pair) for pair in pairs if None not in pair) or "-")
        lines.append(f"| {_title(row, lacking)} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _columns(half: bool) -> list[tuple[int, str, str, int]]:
    """Stage, metric, title and digits of each column of ours."""
    return [
        (stage, name, *column)
        for stage, metrics in OURS.items()
        for name, column in (metrics | (GESTURES[stage] if half else {})).items()
    ]


def _title(row: Ablation, lacking: Collection[str]) -> str:
    if not row.cut:
        return "all of it"
    return f"{row.title} (ours have none)" if row.cut in lacking else row.title


def _seeds(arm: Arm | None, name: str, digits: int, figures: Figures, seeds: Sequence[int]) -> str:
    done = [] if arm is None else [found for seed in seeds if (found := figures(arm, seed)) is not None]
    return ", ".join(_mean(found, name, digits) for found in done) or "-"
