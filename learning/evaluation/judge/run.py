"""Judging films of several methods on the same samples, and making those of our own weights."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ....files import whole_file
from .judging import Judge, Judged
from .samples import Sample, films_in, read_frames, read_sound, read_truth

SYNC = ("lse_d", "lse_c", "sync_score", "sync_confidence", "sync_offset")
ALONE = (*SYNC, "div", "flow_change", "flow_variance", "closures")  # measures that need no truth
TRUTH = "the films themselves"

Progress = Callable[[str, int, int], None]  # what, done, total


@dataclass(frozen=True)
class Method:
    """Films of a way to make them: `name` is the way's, `seed` tells runs of it apart, "" where there is one."""

    name: str
    seed: str
    films: Mapping[str, Path]

    @property
    def label(self) -> str:
        return f"{self.name} ({self.seed})" if self.seed else self.name


@dataclass
class Verdict:
    """What was found: by method, and of the truth itself; what each measure lacked that was not computed."""

    methods: list[Method]
    judged: dict[str, Judged]
    truth: Judged
    missing: dict[str, str] = field(default_factory=dict)


def judge_methods(
    judge: Judge,
    samples: Sequence[Sample],
    methods: Sequence[Method],
    size: int,
    progress: Progress | None = None,
) -> Verdict:
    """Every measure of every film. A method without a film of some sample is judged on the others."""
    verdict = Verdict(list(methods), {method.label: Judged() for method in methods}, Judged(), judge.missing())
    for number, sample in enumerate(samples):
        films = {m.label: m.films[sample.name] for m in methods if sample.name in m.films}
        if films:
            frames = read_truth(sample, size)
            sound = read_sound(sample, len(frames))
            seen = judge.observe(frames, sound)
            own = judge.compare(seen, seen, sample)
            verdict.truth.rows[sample.name] = {name: own[name] for name in ALONE if name in own}
            verdict.truth.features[sample.name] = seen.features
            for label, path in films.items():
                made = judge.observe(read_frames(path, size, seconds=len(frames) / 25), sound)
                verdict.judged[label].rows[sample.name] = judge.compare(made, seen, sample)
                verdict.judged[label].features[sample.name] = made.features
        if progress is not None:
            progress("judging", number + 1, len(samples))
    return verdict


def method_of(text: str, samples: list[Sample], drive: str = "") -> Method:
    """NAME=FOLDER or NAME:SEED=FOLDER; a folder of films, or of `evaluate` with films of this drive. ValueError for
    other texts."""
    label, separator, folder = text.partition("=")
    if not separator or not label:
        raise ValueError(f"'{text}' is not NAME=FOLDER or NAME:SEED=FOLDER")
    name, _, seed = label.partition(":")
    inner = Path(folder) / "films" / drive
    return Method(name, seed, films_in(inner if drive and inner.is_dir() else folder, samples))


def write_rows(verdict: Verdict, folder: Path) -> None:
    """samples.json: every measure of every film, by method and sample; features.npz: what Frechet distances are of."""
    rows = {label: judged.rows for label, judged in verdict.judged.items()} | {TRUTH: verdict.truth.rows}
    with whole_file(folder / "samples.json") as partial:
        partial.write_text(json.dumps(rows, indent=1) + "\n", "utf8")
    judged = verdict.judged | {TRUTH: verdict.truth}
    arrays = {
        f"{label}/{sample}/{name}": values
        for label, found in judged.items()
        for sample, features in found.features.items()
        for name, values in features.items()
    }
    if arrays:
        with whole_file(folder / "features.npz") as partial, open(partial, "wb") as file:
            np.savez(file, **arrays)


class Bar:
    """tqdm as a Progress."""

    def __init__(self):
        self.bar = tqdm(disable=None, leave=False)

    def __call__(self, what: str, done: int, total: int) -> None:
        self.bar.set_description(what, refresh=False)
        self.bar.total, self.bar.n = total, done
        self.bar.refresh()

    def close(self) -> None:
        self.bar.close()
