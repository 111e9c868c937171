"""Fit the viseme table to the measured lips of real people.

    python -m mamba_portrait.learning.training.viseme_fit FOLDER ... --sound-late 0.011

FOLDERs are of films as `learning/datasets/films.py` reads them; those that are held out of every training
(learning/datasets/splits.py) judge the fit. The model is that of `visemes/table.py`: opening and
width are dominance-weighted means of the phones' targets, and what pauses and closures do is laid over them. Targets,
dominance, reach and four times that all phones share come from least squares on every person's opening and width, each
in his own rest and spread, so that people weigh the same whatever they open and however many clips they have. Phones
that the films hardly hold stay what they were: the table in use is the prior.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ...files import whole_file
from ...sampling.settings import Range
from ...visemes import table
from ...visemes.phones import CLASSES, SILENCE, Phone
from ...visemes.table import VISEMES, Viseme
from ...visemes.textgrid import read_phones
from ...vocabulary import FPS
from ..datasets.films import Film, read_films

STEPS = 60  # of L-BFGS
OPENING, WIDTH = 0, 1
PRIOR = {"target": 0.25, "log_dominance": 0.5, "log_reach": 0.25, "times": 0.2}
"""How far each is expected from the table's: in units of the table, or of its logarithm."""
STRENGTH = 2e-4  # of the prior, against the share of the lips' variance that is not explained
TIMES = ("anticipation", "carry_over", "width_reach", "opening_lag", "width_lag")


@dataclass(frozen=True)
class Clip:
    """Frames (T,) of one film: what was measured, and what of the model does not change in a fit."""

    speaker: str
    lips: Tensor  # (T,2) opening and width
    phones: tuple[Phone, ...]


def clip_of(film: Film, sound_late: float) -> Clip:
    """A film's lips and its phones, moved by `sound_late` seconds to where the picture has them."""
    phones = tuple(phone.moved(-sound_late) for phone in read_phones(film.phones))
    return Clip(film.speaker, torch.from_numpy(np.stack([film.opening, film.width], 1)).float(), phones)


class Visemes(nn.Module):
    """The table as numbers that can be fitted: (classes, 2) targets and dominance of opening and width, reach."""

    def __init__(self):
        super().__init__()
        looks = [VISEMES[kind] for kind in CLASSES]
        target = torch.tensor([[v.opening, v.width] for v in looks])
        dominance = torch.tensor([v.dominance[:2] for v in looks])
        reach = torch.tensor([v.reach for v in looks])
        times = torch.tensor([table.ANTICIPATION, table.CARRY_OVER, table.WIDTH_REACH]).log()
        first = {
            "target": target,
            "log_dominance": dominance.log(),
            "log_reach": reach.log(),
            "times": torch.cat([times, 10 * torch.tensor([table.OPENING_LAG, table.WIDTH_LAG])]),
        }
        for name, values in first.items():
            self.register_buffer(f"first_{name}", values)
            self.register_parameter(name, nn.Parameter(values.clone()))

    def prior(self) -> Tensor:
        """Squared distance from the table in use."""
        return torch.stack(
            [((getattr(self, n) - getattr(self, f"first_{n}")) / s).square().sum() for n, s in PRIOR.items()]
        ).sum()

    def targets(self) -> Tensor:
        """(classes, 2): no sound opens lips less than not at all, and silence is each person's rest."""
        rest = torch.tensor([[float(kind != SILENCE)] for kind in CLASSES])
        return torch.stack([self.target[:, OPENING].clamp_min(0), self.target[:, WIDTH]], 1) * rest

    def forward(self, batch: Batch) -> Tensor:
        """(clips, T, 2) opening and width in the table's units."""
        anticipation, carry_over, wider = self.times[:3].exp()
        curves = []
        for channel in (OPENING, WIDTH):
            away = batch.time[None, :, None] - batch.middle[:, None] - 0.1 * self.times[3 + channel]  # (clips,T,phones)
            side = torch.where(away < 0, anticipation, carry_over) * (wider if channel == WIDTH else 1.0)
            reach = self.log_reach.exp()[batch.kind][:, None] * side
            distance = (away.abs() - batch.core[:, None]).clamp_min(0) / reach
            weight = (-distance).exp() * (self.log_dominance[:, channel].exp()[batch.kind] * batch.strength)[:, None]
            mean = (weight * self.targets()[:, channel][batch.kind][:, None]).sum(2) / (weight.sum(2) + 1e-4)
            curves.append(mean)
        opening = (curves[OPENING] + batch.pauses).clamp_min(0) * (1 - batch.closed)
        return torch.stack([opening, curves[WIDTH]], 2)


@dataclass(frozen=True)
class Batch:
    """Clips side by side; phones that a clip lacks have no strength."""

    time: Tensor  # (T,)
    kind: Tensor  # (clips, phones) numbers of CLASSES
    middle: Tensor
    core: Tensor
    strength: Tensor
    pauses: Tensor  # (clips, T)
    closed: Tensor
    lips: Tensor  # (clips, T, 2)
    known: Tensor  # (clips, T) bool
    person: Tensor  # (clips,) number of the speaker

    @classmethod
    def of(cls, clips: Sequence[Clip]) -> Batch:
        frames, phones = max(len(c.lips) for c in clips), max(len(c.phones) for c in clips)
        people = sorted({clip.speaker for clip in clips})
        time = (np.arange(frames) + 0.5) / FPS
        kind, values = np.zeros((len(clips), phones), np.int64), np.zeros((3, len(clips), phones), np.float32)
        laid, lips = np.zeros((2, len(clips), frames), np.float32), torch.zeros(len(clips), frames, 2)
        known = torch.zeros(len(clips), frames, dtype=torch.bool)
        for i, clip in enumerate(clips):
            count = len(clip.phones)
            kind[i, :count] = [CLASSES.index(phone.kind) for phone in clip.phones]
            values[:, i, :count] = table.placed(clip.phones)
            laid[:, i] = table.pauses(clip.phones, time), table.closed(clip.phones, time)
            lips[i, : len(clip.lips)], known[i, : len(clip.lips)] = clip.lips, True
        middle, core, strength = torch.from_numpy(values)
        pauses, closed = torch.from_numpy(laid)
        person = torch.tensor([people.index(clip.speaker) for clip in clips])
        return cls(
            torch.from_numpy(time).float(), torch.from_numpy(kind), middle, core, strength, pauses, closed, lips, known,
            person,
        )  # fmt: skip


def unexplained(predicted: Tensor, batch: Batch) -> Tensor:
    """(people, 2): the share of each person's variance that is left when the prediction (clips, T, 2) is brought to
    that person's rest and spread."""
    rows = []
    for person in range(int(batch.person.max()) + 1):
        picked = batch.known & (batch.person == person)[:, None]
        x, y = predicted[picked], batch.lips[picked]
        x, y = x - x.mean(0), y - y.mean(0)
        gain = ((x * y).sum(0) / x.square().sum(0).clamp_min(1e-9)).clamp_min(0)
        rows.append((y - gain * x).square().sum(0) / y.square().sum(0))
    return torch.stack(rows)


def fit(clips: Sequence[Clip], steps: int = STEPS) -> Visemes:
    """The table that explains the clips' lips best."""
    batch, visemes = Batch.of(clips), Visemes()
    optimizer = torch.optim.LBFGS(
        visemes.parameters(), max_iter=steps, history_size=20, line_search_fn="strong_wolfe", tolerance_change=1e-7
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = unexplained(visemes(batch), batch).mean() + STRENGTH * visemes.prior()
        loss.backward()
        return loss

    optimizer.step(closure)
    return visemes.requires_grad_(False)


@torch.no_grad()
def correlations(visemes: Visemes, clips: Sequence[Clip]) -> dict[str, tuple[float, float]]:
    """For each speaker, the mean over his clips of the correlation of opening and of width."""
    batch = Batch.of(clips)
    predicted, people = visemes(batch), sorted({clip.speaker for clip in clips})
    found: dict[str, list[np.ndarray]] = {name: [] for name in people}
    for i, clip in enumerate(clips):
        x, y = predicted[i][batch.known[i]], clip.lips
        x, y = x - x.mean(0), y - y.mean(0)
        found[clip.speaker].append(((x * y).sum(0) / (x.norm(dim=0) * y.norm(dim=0)).clamp_min(1e-9)).numpy())
    return {name: tuple(np.mean(rows, 0).tolist()) for name, rows in found.items()}


RARE = 10  # phones of a class below which the films say nothing about it


def fitted_table(visemes: Visemes, clips: Sequence[Clip]) -> dict[str, Viseme]:
    """The table with what was fitted in it, to two digits. Classes that the clips hold fewer than RARE times keep their
    dominance and reach, and have targets that are further from rest by as much as those of the others came to be."""
    counts = count_classes(clips)
    seen = torch.tensor([counts[kind] >= RARE and kind != SILENCE for kind in CLASSES])
    before, after = visemes.first_target[seen], visemes.targets()[seen]
    factor = (before * after).sum(0) / before.square().sum(0)
    found = {}
    for i, kind in enumerate(CLASSES):
        look = VISEMES[kind]
        if kind == SILENCE or counts[kind] >= RARE:
            target, dominance = visemes.targets()[i], visemes.log_dominance[i].exp()
            reach = float(visemes.log_reach[i].exp())
        else:
            target, dominance = visemes.first_target[i] * factor, torch.tensor(look.dominance[:2])
            reach = look.reach
        opening, width, strong, strong_width = (round(float(x), 2) for x in (*target, *dominance))
        found[kind] = replace(
            look, opening=opening, width=width, reach=round(reach, 3),
            dominance=(strong, strong_width, *look.dominance[2:]),
        )  # fmt: skip
    return found


def count_classes(clips: Sequence[Clip]) -> dict[str, int]:
    """How often each class occurs."""
    return {kind: sum(phone.kind == kind for clip in clips for phone in clip.phones) for kind in CLASSES}


def source_of(found: dict[str, Viseme], times: dict[str, float]) -> str:
    """The table as it stands in visemes/table.py."""
    lines = []
    for kind, v in found.items():
        key = "SILENCE" if kind == SILENCE else f'"{kind}"'
        dominance = ", ".join(f"{x:g}" for x in v.dominance)
        values = f"{v.opening:.2f}, {v.width:.2f}, {v.press:g}, {v.tongue:g}, {v.teeth:g}, ({dominance}), {v.reach:g}"
        lines.append(f"    {key}: Viseme({values}),")
    return "\n".join([*lines, *(f"{name.upper()} = {value}" for name, value in times.items())])


def times_of(visemes: Visemes) -> dict[str, float]:
    """The fitted times that all phones share: factors of reach, and lags in seconds."""
    values = [*visemes.times[:3].exp().tolist(), *(0.1 * visemes.times[3:]).tolist()]
    return {name: round(value, 3) for name, value in zip(TIMES, values, strict=True)}


def markdown(found: dict[str, Viseme], counts: dict[str, int], figures: list[str]) -> str:
    """The table in use and the fitted one side by side, by phone."""
    lines = ["| phone | times heard | opening | width | dominance of opening | of width | reach (ms) |"]
    lines.append("|---|---|---|---|---|---|---|")
    for kind, after in found.items():
        before = VISEMES[kind]
        cells = [
            (before.opening, after.opening), (before.width, after.width), (before.dominance[0], after.dominance[0]),
            (before.dominance[1], after.dominance[1]),
        ]  # fmt: skip
        shown = [f"{a:.2f} → {b:.2f}" for a, b in cells] + [f"{1000 * before.reach:.0f} → {1000 * after.reach:.0f}"]
        lines.append(f"| {kind} | {counts[kind]} | " + " | ".join(shown) + " |")
    return "\n".join([*figures, "", *lines]) + "\n"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Fit the viseme table to the lips of people on film.")
    parser.add_argument("folders", nargs="+", metavar="FOLDER", help="films with landmarks.npz and TextGrids")
    parser.add_argument("--leave-out", nargs="*", default=[], metavar="SPEAKER", help="more to judge by, not to fit on")
    parser.add_argument(
        "--sound-late", type=Range(-10.0, 10.0).read, default=0.0, help="seconds by which sound follows picture"
    )
    parser.add_argument("--out", metavar="FILE.md", help="write the table before and after by phone")
    options = parser.parse_args(arguments)
    kept, judged = [], []
    for film in read_films(options.folders):
        of_judges = film.split != "train" or film.speaker in options.leave_out
        (judged if of_judges else kept).append(clip_of(film, options.sound_late))
    if not kept:
        raise SystemExit("error: all of these films are held out of training, so that there is nothing to fit to.")
    visemes = fit(kept)
    figures = ["| correlation with the lips: opening / width | table in use | fitted |", "|---|---|---|"]
    for person in sorted({clip.speaker for clip in kept}):
        others = [clip for clip in kept if clip.speaker != person]
        if others:
            own = [clip for clip in kept if clip.speaker == person]
            figures.append(_row(f"{person}, fitted on the others", Visemes(), fit(others), own))
    figures += [
        _row(f"{person}, left out", Visemes(), visemes, [clip for clip in judged if clip.speaker == person])
        for person in sorted({clip.speaker for clip in judged})
    ]
    found = fitted_table(visemes, kept)
    print(source_of(found, times_of(visemes)))
    text = markdown(found, count_classes(kept), figures)
    print(text)
    if options.out:
        with whole_file(Path(options.out)) as partial:
            partial.write_text(text, "utf8")


def _row(title: str, before: Visemes, after: Visemes, clips: Sequence[Clip]) -> str:
    """A line of the table: mean correlations of one person's clips."""
    shown = []
    for visemes in (before, after):
        ((opening, width),) = correlations(visemes, clips).values()
        shown.append(f"{opening:.2f} / {width:.2f}")
    return f"| {title} | {' | '.join(shown)} |"


if __name__ == "__main__":
    main()
