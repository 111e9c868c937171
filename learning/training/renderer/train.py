"""Stage 1: from drawn stills (or clips) to a renderer, in parts that a clock divides."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from ....model_loaders.checkpoint import load_renderer
from ....networks.renderer.config import RendererConfig
from ....networks.renderer.model import Renderer
from ...datasets.stills import StillSet
from ...evaluation.sheets import driven_sheet
from ..loop import Average, Budget, Every, Learner, Log, Means, mixed_precision, save_atomically
from .calibration import calibrate
from .losses import Stage1Weights, total
from .motion_space import MotionSpaceTask, ParameterSpaceTask
from .rendering import RenderingTask


@dataclass(frozen=True)
class Part:
    """One part of the schedule: what is learnt, at which size, for which share of the time."""

    name: str  # "space" and "motion" learn the motion space and its encoder; any other name learns to render
    share: float
    size: int
    groups: int  # groups a batch: 8 pictures each for motion, 3 driven frames each for rendering
    rate: float
    written: float = 0.5  # share driven by written motion instead of pictures
    joint: bool = False  # the motion encoder learns on with the renderer
    adversarial: bool = False  # L_adv takes part (late: on blurred pictures it only teaches noise)


SCHEDULE = (
    Part("space", 0.01, 128, 1, 1e-3),
    Part("motion", 0.20, 128, 6, 1e-3),
    Part("coarse", 0.54, 128, 6, 8e-4, written=1.0),  # flow and masks first, at a quarter of the cost
    Part("fine", 0.25, 256, 3, 3e-4),
)

# On a GPU small steps wait for their launch: large batches, and time enough for the paper's other two losses.
GPU_SCHEDULE = (
    Part("space", 0.02, 128, 1, 1e-3),
    Part("motion", 0.15, 128, 64, 1.2e-3),
    Part("coarse", 0.40, 128, 64, 1e-3, written=0.8),
    Part("fine", 0.24, 256, 24, 6e-4, joint=True),
    Part("finish", 0.19, 256, 24, 3e-4, joint=True, adversarial=True),
)


GENTLER = 0.3
"""Share of the rates with which weights go on that were trained to their end. At the full rate the loss of ours rose by
two thirds at once, and 60 of the run's minutes went into getting back; once it never came back."""


@dataclass(frozen=True)
class Settings:
    """How a run trains, whatever the part."""

    minutes: float = 60.0
    steps: int | None = None
    device: str = "cpu"
    precision: str = "fp32"
    seed: int = 0
    weights: Stage1Weights = field(default_factory=Stage1Weights)
    vgg: str | Path | None = None
    save_seconds: float = 120.0
    report_seconds: float = 30.0
    report: Callable[[str], None] = print

    def budget(self, part: Part) -> Budget:
        return Budget(steps=self.steps) if self.steps else Budget(seconds=60 * self.minutes * part.share)


def train_stage1(
    data: str | Path,
    out: str | Path,
    *,
    validation: str | Path | None = None,
    preset: str = "lite",
    config: RendererConfig | None = None,
    schedule: tuple[Part, ...] | None = None,
    weights: Stage1Weights | None = None,
    resume: bool = True,
    init: str | Path | None = None,
    parts: Sequence[str] = (),
    **settings: Any,
) -> Path:
    """Train a renderer; returns the run's checkpoint file, out/stage1.pt.

    data: folder of drawn stills (may still be growing). minutes: the whole schedule, over all resumed runs. steps:
    instead of the clock, a fixed number of steps a part (tests). init: weights of a renderer to go on from, instead of
    new ones in `preset` or `config`; their motion space is kept, and without a `schedule` the usual one is `going_on`.
    parts: names of the parts of the schedule to run, for which the whole time is (default all; ValueError for one that
    it has not). precision: "fp32" or "bf16" (autocast).
    vgg: a torchvision VGG-19 file for L_per. The other settings are those of `Settings`. A killed run goes on from its
    last checkpoint, written every `save_seconds` and at every part's end, with the same batches, noise and losses as an
    unbroken one on the same data. A CUDA device takes GPU_SCHEDULE with the perceptual and adversarial losses.
    """
    on_gpu = torch.device(settings.get("device", "cpu")).type == "cuda"
    settings = Settings(weights=weights or (Stage1Weights.for_gpu() if on_gpu else Stage1Weights()), **settings)
    usual = GPU_SCHEDULE if on_gpu else SCHEDULE
    schedule = chosen(schedule or (going_on(usual) if init else usual), parts)
    torch.manual_seed(settings.seed)
    torch.backends.cudnn.benchmark = torch.backends.cudnn.benchmark or on_gpu
    begun = load_renderer(init) if init else Renderer(config or getattr(RendererConfig, preset)())
    renderer = begun.train().requires_grad_(True).to(settings.device)
    if on_gpu:  # a CPU trains a seventh slower so: norms and copies of narrow layers cost more than convolutions win
        channels_last(renderer)
    resident = settings.device if on_gpu else None
    stills = StillSet(data, resident)
    trainer = Stage1Trainer(
        renderer, stills, StillSet(validation, resident) if validation else None, Path(out), settings
    )
    state = None
    if resume and trainer.file.exists():
        state = torch.load(trainer.file, map_location=settings.device, weights_only=True)
        trainer.restore(state)
    trainer.log = Log(Path(out), trainer.step)
    for number in range(trainer.part, len(schedule)):
        trainer.run(number, schedule[number], state)
        state = None
    return trainer.file


def going_on(schedule: tuple[Part, ...]) -> tuple[Part, ...]:
    """The schedule for weights that were trained before: their space stays, and the rates are GENTLER."""
    return tuple(replace(part, rate=part.rate * GENTLER) for part in schedule if part.name != "space")


def chosen(schedule: tuple[Part, ...], names: Sequence[str]) -> tuple[Part, ...]:
    """The named parts with all of the time between them; the schedule as it is for no names."""
    if unknown := set(names) - {part.name for part in schedule}:
        known = ", ".join(part.name for part in schedule)
        raise ValueError(f"There is no part {', '.join(sorted(unknown))} in this schedule: choose of {known}.")
    if not names:
        return schedule
    kept = [part for part in schedule if part.name in names]
    whole = sum(part.share for part in kept)
    return tuple(replace(part, share=part.share / whole) for part in kept)


def channels_last(module: nn.Module) -> nn.Module:
    """Two-dimensional convolutions in channels-last memory, which is what tensor cores want."""
    for p in module.parameters():
        if p.ndim == 4:
            p.data = p.data.contiguous(memory_format=torch.channels_last)
    return module


Task = ParameterSpaceTask | MotionSpaceTask | RenderingTask


class Stage1Trainer:
    """A run: its networks, where it stands in the schedule, and the loop of one part."""

    def __init__(
        self, renderer: Renderer, stills: StillSet, held_out: StillSet | None, folder: Path, settings: Settings
    ):
        self.renderer, self.stills, self.held_out, self.settings = renderer, stills, held_out, settings
        self.average, self.log = Average(renderer), None
        self.file = folder / "stage1.pt"
        self.step, self.samples = 0, 0
        self.part, self.at, self.spent = 0, 0, 0.0  # part of the schedule; steps and seconds in it
        self.finished = False  # that part

    def run(self, number: int, part: Part, state: dict | None = None) -> None:
        """Train one part to its end; `state` is a checkpoint within it."""
        if number != self.part or state is None:
            self.part, self.at, self.spent, self.finished = number, 0, 0.0, False
        settings, budget = self.settings, self.settings.budget(part)
        task = self._task(part)
        optimizer = torch.optim.AdamW(task.parameters(), lr=part.rate, weight_decay=1e-3, betas=(0.9, 0.98))
        self.learner = Learner(self.renderer, optimizer, self.average, part.rate)
        self.noise = torch.Generator(settings.device).manual_seed(settings.seed * 1000 + number)
        self.picks = np.random.default_rng([settings.seed, number])
        if state is not None:
            self._restore_part(state, task)
        saves, reports, means = Every(settings.save_seconds), Every(settings.report_seconds), Means()
        began = time.monotonic() - self.spent
        whole, unit = (settings.steps, "step") if settings.steps else (round(budget.seconds), "s")
        bar = tqdm(
            total=whole,
            initial=self.at if settings.steps else round(self.spent),
            desc=part.name,
            unit=unit,
            leave=False,
        )
        while (progress := budget.progress(self.at, self.spent)) < 1:
            losses = self._learn(task, part, progress)
            means.add(losses)
            self.spent = time.monotonic() - began
            over = budget.progress(self.at, self.spent) >= 1
            if over | reports():
                values = means.take()
                self.log.write(self.step, part=part.name, samples=self.samples, groups=len(self.stills), **values)
                bar.n = self.at if settings.steps else round(self.spent)
                bar.set_postfix(loss=f"{values['loss']:.3f}", samples=self.samples)
                self.stills.refresh()
            if over | saves():
                save_atomically(self.file, self.state(task))
                self._measure(task, part)
        bar.close()
        if isinstance(task, MotionSpaceTask) and not self.finished:
            self._calibrate(task)
            save_atomically(self.file, self.state(task))
            self._measure(task, part)

    def _calibrate(self, task: MotionSpaceTask) -> None:
        """The motion encoder's end: its average, with the last layer solved, is what the next part begins with."""
        self.renderer.load_state_dict(self.average.values)
        calibrate(self.renderer, task, seed=self.settings.seed)
        self.average, self.finished = Average(self.renderer), True

    def _learn(self, task, part: Part, progress: float) -> dict[str, torch.Tensor]:
        """One step of descent; the losses, and their weighted sum as "loss"."""
        indices = self.picks.integers(0, len(self.stills), part.groups)
        with mixed_precision(self.settings.device, self.settings.precision):
            losses = task.losses(task.batch(indices, part.size, self.noise))
            loss = total(losses, task.weights)
        self.learner.step(loss, progress)
        losses |= task.follow(progress) | {"loss": loss}
        self.at, self.step = self.at + 1, self.step + 1
        self.samples += part.groups * task.PICTURES
        return losses

    def _task(self, part: Part) -> Task:
        if part.name in ("space", "motion"):
            return (ParameterSpaceTask if part.name == "space" else MotionSpaceTask)(self.renderer, self.stills)
        settings = self.settings
        return RenderingTask(
            self.renderer,
            self.stills,
            settings.weights,
            written=part.written,
            joint=part.joint,
            adversarial=part.adversarial,
            vgg=settings.vgg,
        )

    def _measure(self, task: Task, part: Part) -> None:
        """Figures of held-out people to the log and the report, and a sheet of how they look."""
        if self.held_out is None:
            return
        self.renderer.eval()
        task.stills = self.held_out
        values = task.measure(np.arange(min(len(self.held_out), 32)), part.size)
        task.stills = self.stills
        if isinstance(task, RenderingTask):
            sheet = self.file.parent / "sheets" / f"{self.samples:09d}.jpg"
            driven_sheet(self.renderer, self.held_out, sheet, groups=4)
        self.renderer.train()
        self.log.write(
            self.step, part=part.name, samples=self.samples, **{f"held_out/{k}": v for k, v in values.items()}
        )
        self.settings.report(f"{part.name} {self.samples} samples, {len(self.stills)} groups: {values}")

    def state(self, task: Task) -> dict[str, Any]:
        """Everything that a resumed run needs."""
        return {
            "config": self.renderer.config.to_dict(), "renderer": self.renderer.state_dict(),
            "average": self.average.values, "average_steps": self.average.steps,
            "step": self.step, "samples": self.samples, "part": self.part, "at": self.at, "spent": self.spent,
            "finished": self.finished,
            "optimizer": self.learner.optimizer.state_dict(), "task": task.state(), "torch": torch.get_rng_state(),
            "generator": self.noise.get_state(), "picks": self.picks.bit_generator.state,
        }  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        """Networks and place in the schedule of a checkpoint."""
        self.renderer.load_state_dict(state["renderer"])
        self.average.values, self.average.steps = state["average"], state["average_steps"]
        for name in ("step", "samples", "part", "at", "spent", "finished"):
            setattr(self, name, state[name])

    def _restore_part(self, state: dict[str, Any], task: Task) -> None:
        self.learner.optimizer.load_state_dict(state["optimizer"])
        self.noise.set_state(state["generator"].cpu())
        torch.set_rng_state(state["torch"].cpu())
        self.picks.bit_generator.state = state["picks"]
        task.restore(state.get("task", {}))


def averaged_renderer(checkpoint: str | Path) -> Renderer:
    """The averaged weights of a run, ready to render."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    renderer = Renderer(RendererConfig.from_dict(state["config"]))
    renderer.load_state_dict(state["average"])
    return renderer.eval()
