"""What a difference between methods is worth: paired differences over the same samples, with bootstrap intervals.

Samples are drawn again with replacement (Efron 1979); clips of one speaker may be kept together. A difference whose
95 % interval holds zero is noise. Runs of a method that differ in their seed are told apart. A draw holds fewer
different samples than the whole, which makes Frechet distances larger: their draws are moved so that their median is
the value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .frechet import frechet_distance, joined
from .judging import Judged
from .measures import MEASURES
from .run import Method, Verdict

DRAWS, SET_DRAWS = 2000, 100  # of means; of Frechet distances, which cost more
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A figure, its 95 % interval, and the number of samples that it is of."""

    value: float
    low: float
    high: float
    count: int

    @property
    def is_noise(self) -> bool:
        """Of a difference: whether zero lies within."""
        return not (self.low > 0 or self.high < 0)


@dataclass(frozen=True)
class Figure:
    """A measure of a method: all its runs together, and each by its seed where there are several."""

    whole: Interval
    seeds: dict[str, float]


def draws_of(units: Sequence[str], count: int, seed: int = 0) -> list[np.ndarray]:
    """Places of samples drawn again, whole units (such as speakers) at a time; units has one name a sample."""
    generator = np.random.default_rng(seed)
    members = [np.flatnonzero(np.array(units) == unit) for unit in dict.fromkeys(units)]
    return [
        np.concatenate([members[i] for i in generator.integers(len(members), size=len(members))]) for _ in range(count)
    ]


def interval(value: float, drawn: Sequence[float], count: int) -> Interval:
    """A figure with the quantiles of what the draws gave."""
    finite = np.array([x for x in drawn if math.isfinite(x)])
    if len(finite) < 2 or count < 2:
        return Interval(value, math.nan, math.nan, count)
    low, high = np.quantile(finite, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value, float(low), float(high), count)


def runs_of(methods: Sequence[Method]) -> dict[str, list[Method]]:
    """Methods by name, each with its runs."""
    found: dict[str, list[Method]] = {}
    for method in methods:
        found.setdefault(method.name, []).append(method)
    return found


class Statistics:
    """Figures and differences of a verdict. `unit_of` {sample: unit} keeps samples together when they are drawn."""

    def __init__(self, verdict: Verdict, unit_of: dict[str, str] | None = None, draws: int = DRAWS):
        self.verdict, self.unit_of = verdict, unit_of or {}
        self.draws, self.set_draws = draws, max(2, draws * SET_DRAWS // DRAWS)
        self.runs = runs_of(verdict.methods)
        self._known: dict[tuple[str, ...], Figure | Interval | None] = {}
        self._draws: dict[tuple, list[np.ndarray]] = {}

    def figure(self, name: str, method: str) -> Figure | None:
        """A measure of a method; None where it was not computed."""
        if (name, method) not in self._known:
            self._known[name, method] = self._figure(name, method)
        return self._known[name, method]

    def _figure(self, name: str, method: str) -> Figure | None:
        runs = [run for run in self.runs[method] if self._has(name, run)]
        if not runs:
            return None
        samples = self._common(name, runs)
        value, drawn = self._drawn(name, [runs], samples)
        seeds = {run.seed: self._value(name, [run], samples) for run in runs} if len(runs) > 1 else {}
        return Figure(interval(value[0], drawn[:, 0], len(samples)), seeds)

    def difference(self, name: str, method: str, other: str) -> Interval | None:
        """method less other, on the samples that both have; None where one has none."""
        if (name, method, other) not in self._known:
            self._known[name, method, other] = self._difference(name, method, other)
        return self._known[name, method, other]

    def _difference(self, name: str, method: str, other: str) -> Interval | None:
        groups = [[run for run in self.runs[each] if self._has(name, run)] for each in (method, other)]
        if not all(groups):
            return None
        samples = self._common(name, [run for group in groups for run in group])
        if not samples:
            return None
        value, drawn = self._drawn(name, groups, samples)
        return interval(value[0] - value[1], drawn[:, 0] - drawn[:, 1], len(samples))

    def truth(self, name: str) -> float | None:
        """A measure of the films themselves, where it needs no other."""
        values = [row[name] for row in self.verdict.truth.rows.values() if math.isfinite(row.get(name, math.nan))]
        return sum(values) / len(values) if values else None

    def _judged(self, run: Method) -> Judged:
        return self.verdict.judged[run.label]

    def _samples(self, name: str, run: Method) -> list[str]:
        judged, features = self._judged(run), MEASURES[name].features
        if features:
            truth = self.verdict.truth.features
            return [s for s, own in judged.features.items() if features in own and features in truth.get(s, {})]
        return [s for s, row in judged.rows.items() if math.isfinite(row.get(name, math.nan))]

    def _has(self, name: str, run: Method) -> bool:
        return bool(self._samples(name, run))

    def _common(self, name: str, runs: Sequence[Method]) -> list[str]:
        kept = set.intersection(*(set(self._samples(name, run)) for run in runs))
        return [sample for sample in self._samples(name, runs[0]) if sample in kept]

    def _value(self, name: str, runs: Sequence[Method], samples: Sequence[str]) -> float:
        if not MEASURES[name].features:
            own, over = self._row(name, runs, samples)
            return float(own.mean() / over.mean())
        return float(np.mean([self._distance(name, run, samples) for run in runs]))

    def _row(self, name: str, runs: Sequence[Method], samples: Sequence[str]) -> np.ndarray:
        """(2,N) means over the runs: of the figure, and of what its mean is divided by."""
        own, over = (
            [[self._judged(run).rows[sample][each] if each else 1.0 for sample in samples] for run in runs]
            for each in (name, MEASURES[name].over)
        )
        return np.stack([np.mean(own, axis=0), np.maximum(np.mean(over, axis=0), 1e-6)])

    def _distance(self, name: str, run: Method, samples: Sequence[str]) -> float:
        own, truth, features = self._judged(run).features, self.verdict.truth.features, MEASURES[name].features
        made, true = (joined([each[sample][features] for sample in samples]) for each in (own, truth))
        return frechet_distance(made, true)

    def _drawn(
        self, name: str, groups: Sequence[Sequence[Method]], samples: list[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        """The value of each group, and those of (draws, groups): the same samples for all groups in each draw."""
        values = np.array([self._value(name, group, samples) for group in groups])
        if len(samples) < 2:
            return values, np.zeros((0, len(groups)))
        if not MEASURES[name].features:
            rows = np.stack([self._row(name, group, samples) for group in groups])  # (groups,2,N)
            drawn = np.stack([rows[:, :, places].mean(2) for places in self._places(samples, self.draws)])
            return values, drawn[:, :, 0] / drawn[:, :, 1]
        drawn = [
            [self._value(name, group, [samples[i] for i in places]) for group in groups]
            for places in self._places(samples, self.set_draws)
        ]
        return values, np.array(drawn) + values - np.median(drawn, axis=0)

    def _places(self, samples: Sequence[str], count: int) -> list[np.ndarray]:
        """`draws_of` these samples, made once."""
        key = (*samples, count)
        if key not in self._draws:
            self._draws[key] = draws_of([self.unit_of.get(sample, sample) for sample in samples], count)
        return self._draws[key]
