"""The training loop. All networks here learn through `fit`; what differs between them is a `Task`.

A step descends on the mean loss of one batch. Everything random in it follows from the seed and the step's number, so a
run that was killed goes on from its checkpoint as if it had never stopped, and several processes, each with its slice
of the batch, do what one would (`accelerate launch -m mamba_portrait train ...`).
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from tqdm import tqdm

from ..datasets.batch_slice import BatchSlice
from . import processes
from .run import Run

CHECKPOINT_SECONDS = 120.0  # between two checkpoints, where nothing else is said


class Task(Protocol):
    """What is learnt: batches, their losses, and what a checkpoint must hold of it."""

    def batches(self, slices: Iterator[BatchSlice]) -> Iterator[Any]:
        """A batch for each of endless slices, in their order. What is random in a batch is drawn from its slice."""

    def losses(self, batch: Any, progress: float) -> dict[str, Tensor]:
        """Named terms and their weighted sum, "loss", means over samples; progress: 0..1 of the run's budget."""

    def state(self) -> dict[str, Any]:
        """Networks and whatever else changes, for the checkpoint."""

    def restore(self, state: dict[str, Any]) -> None:
        """Take it back."""


@dataclass(frozen=True)
class Every:
    """A period: so many steps, or seconds of training; 0 seconds are every step."""

    steps: int | None = None
    seconds: float = 0.0

    def due(self, run: Run, last: float) -> bool:
        """Whether a period ends with the run's last step; `last`: the seconds when one ended before."""
        return run.step % self.steps == 0 if self.steps else run.spent - last >= self.seconds


@dataclass(frozen=True)
class Plan:
    """How long and on what a run trains, whatever it learns. Of steps and minutes the first that is over ends it."""

    steps: int | None = None
    minutes: float | None = None  # over all resumed runs
    device: str | torch.device = "cpu"
    precision: str = "fp32"  # or "bf16", by autocast
    seed: int = 0
    accumulate: int = 1  # parts that a batch is computed in, one after the other, where it does not fit into memory
    checkpointing: bool = False  # activations of blocks are computed again in the backward pass (blocks.py)
    compile: str = ""  # a backend of torch.compile for the blocks, such as inductor; empty: none
    resume: bool = True
    saves: Every = Every(seconds=CHECKPOINT_SECONDS)
    reports: Every | None = None  # lines of the log; None: the task's own
    report: Callable[[str], None] = print

    def __post_init__(self) -> None:
        if self.steps is None and self.minutes is None:
            raise ValueError("Say when the training is to stop: by steps or by minutes.")
        if self.precision not in ("fp32", "bf16"):
            raise ValueError(f"precision must be fp32 or bf16, not {self.precision!r}")

    def progress(self, run: Run) -> float:
        """0 at the beginning of the run's present part, 1 or more when its budget is spent."""
        steps, minutes = run.step - run.begun_step, (run.spent - run.begun_spent) / 60
        budgets = ((steps, self.steps), (minutes, self.minutes))
        return max(done / whole if whole else 1.0 for done, whole in budgets if whole is not None)

    def say(self, text: str) -> None:
        """Report something once, however many processes train."""
        if processes.is_main():
            self.report(text)

    def mixed_precision(self) -> AbstractContextManager:
        """Autocast for bf16, nothing for fp32."""
        kind = torch.device(self.device).type
        return torch.autocast(kind, torch.bfloat16) if self.precision == "bf16" else nullcontext()


def cosine_rate(step: int, progress: float, warmup: float = 0.02) -> float:
    """Learning-rate factor for progress in [0,1]: linear warm-up, then half a cosine down to 2 %."""
    if progress < warmup:
        return max(progress / warmup, 0.02)
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - warmup) / (1 - warmup))))


@dataclass(frozen=True)
class Descent:
    """How a task's loss is descended. The rates of the optimisers are those at factor 1 of `rate(step, progress)`."""

    optimizers: Sequence[Optimizer]  # each clips its own gradients
    batch: int  # samples a step, over all processes
    clip: float = 1.0  # largest norm of an optimiser's gradients
    rate: Callable[[int, float], float] = cosine_rate
    reports: Every = Every(seconds=30.0)
    counted: int | None = None  # what a step adds to the count of samples; None: the batch
    clock: Callable[[], float] = time.monotonic
    title: str = "training"

    def parameters(self) -> list[Tensor]:
        """Of all optimisers."""
        return [p for optimizer in self.optimizers for group in optimizer.param_groups for p in group["params"]]


def fit(
    task: Task,
    run: Run,
    plan: Plan,
    descent: Descent,
    on_report: Callable[[], dict[str, Any]] | None = None,
    on_save: Callable[[], None] | None = None,
) -> None:
    """Train until the budget of the run's present part is spent; then the checkpoint holds its end.

    on_report gives further values for a line of the log; on_save is called before each checkpoint, so that what it logs
    is not missing after a kill. Both are called on all processes.
    """
    progress = plan.progress(run)
    if progress >= 1:
        return
    shares, steps = processes.shares(descent.batch, plan.accumulate), itertools.count(run.step)
    slices = (BatchSlice(plan.seed, step, samples, descent.batch) for step in steps for samples in shares)
    batches = task.batches(slices)
    rates = [[group["lr"] for group in optimizer.param_groups] for optimizer in descent.optimizers]
    run.open_log()
    saved = run.spent
    began = descent.clock() - run.spent
    with _bar(run, plan, descent) as bar:
        while progress < 1:
            run.means.add(gradients(task, batches, shares, progress, plan, descent))
            factor = descent.rate(run.step, progress)
            moved = [_move(*pair, factor, descent.clip) for pair in zip(descent.optimizers, rates, strict=True)]
            if moved[0] and run.average is not None:
                run.average.update()
            run.step += 1
            run.samples += descent.batch if descent.counted is None else descent.counted
            run.spent = processes.from_main(descent.clock() - began)
            progress = plan.progress(run)
            if (plan.reports or descent.reports).due(run, run.reported) or progress >= 1:
                run.reported, values = run.spent, run.means.take()
                run.write(**values, **(on_report() if on_report else {}))
                bar.set_postfix(loss=f"{values['loss']:.3f}", samples=run.samples)
            if plan.saves.due(run, saved) or progress >= 1:
                saved = run.spent
                try:
                    if on_save:
                        on_save()
                finally:  # what was learnt is kept whatever becomes of the measuring
                    run.save(task, descent.optimizers)
            _show(bar, run, plan)


def gradients(
    task: Task, batches: Iterator[Any], shares: Sequence[range], progress: float, plan: Plan, descent: Descent
) -> dict[str, Tensor]:
    """Put the gradient of the next batch's loss, over all processes, into the parameters.

    shares: the samples that this process computes, one batch of `batches` each. Returns the terms of the loss: their
    mean over processes is that of the whole batch.
    """
    parameters = descent.parameters()
    for p in parameters:
        p.grad = None
    terms: dict[str, Tensor] = {}
    for samples in shares:
        weight = len(samples) * processes.count() / descent.batch  # 1 where all have the same share
        batch = next(batches)
        with plan.mixed_precision():
            losses = task.losses(batch, progress)
        (weight * losses["loss"]).backward()
        for name, value in losses.items():
            terms[name] = terms.get(name, 0.0) + weight * value.detach()
    processes.average_gradients(parameters)
    return terms


def _move(optimizer: Optimizer, rates: Sequence[float], factor: float, clip: float) -> bool:
    """One step with clipped gradients; none, and False, where the gradient is not finite."""
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = factor * rate
    norm = nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], clip)
    if finite := bool(torch.isfinite(norm)):
        optimizer.step()
    return finite


def _bar(run: Run, plan: Plan, descent: Descent) -> tqdm:
    """A progress bar over the part's steps or, where the clock alone ends it, seconds."""
    total, unit = (plan.steps, "step") if plan.steps else (round(60 * plan.minutes), "s")
    bar = tqdm(total=total, desc=descent.title, unit=unit, leave=False, disable=not processes.is_main())
    _show(bar, run, plan)
    return bar


def _show(bar: tqdm, run: Run, plan: Plan) -> None:
    bar.n = run.step - run.begun_step if plan.steps else round(run.spent - run.begun_spent)
    bar.update(0)
