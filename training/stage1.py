"""Stage 1: from drawn stills (or clips) to a renderer, in three parts that a clock divides."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from ..datasets.stills import StillSet
from ..networks.implicit_motion.renderer import Renderer
from ..networks.implicit_motion.renderer_config import RendererConfig
from .motion_space import MotionSpaceTask, MotionSpaceWeights
from .progress import Average, Log, cosine_rate, save_atomically
from .rendering import RenderingTask
from .stage1_losses import Stage1Weights, total


@dataclass(frozen=True)
class Part:
    """One part of the schedule: what is learnt, at which size, for which share of the time."""

    name: str
    share: float
    size: int
    groups: int  # groups a batch: 8 pictures each for motion, 3 driven frames each for rendering
    rate: float


SCHEDULE = (
    Part("motion", 0.15, 128, 6, 1e-3),
    Part("coarse", 0.60, 128, 6, 6e-4),  # flow and masks first, at a quarter of the cost
    Part("fine", 0.25, 256, 3, 3e-4),
)


@dataclass
class Run:
    """State of a training run; everything that a resumed run needs."""

    renderer: Renderer
    average: Average
    folder: Path
    step: int = 0
    part: int = 0
    spent: float = 0.0  # seconds in this part
    samples: int = 0

    @property
    def file(self) -> Path:
        return self.folder / "stage1.pt"


def train_stage1(
    data: str | Path,
    out: str | Path,
    *,
    validation: str | Path | None = None,
    preset: str = "lite",
    minutes: float = 60.0,
    steps: int | None = None,
    device: str = "cpu",
    precision: str = "fp32",
    seed: int = 0,
    resume: bool = True,
    schedule: tuple[Part, ...] = SCHEDULE,
    weights: Stage1Weights | None = None,
    config: RendererConfig | None = None,
    report: Callable[[str], None] = print,
) -> Path:
    """Train a renderer; returns the run's checkpoint file.

    data: folder of drawn stills (may still be growing). minutes: the whole schedule, over all resumed runs. steps: instead of
    the clock, a fixed number of steps a part (tests). precision: "fp32" or "bf16" (autocast). A killed run goes on from its
    last checkpoint, written every two minutes and at every part's end, with optimiser, average and random state.
    """
    torch.manual_seed(seed)
    folder = Path(out)
    config = config or getattr(RendererConfig, preset)()
    renderer = channels_last(Renderer(config).to(device))
    resident = device if torch.device(device).type == "cuda" else None
    stills = StillSet(data, resident)
    held_out = StillSet(validation, resident) if validation else None
    run = Run(renderer, Average(renderer), folder)
    state = torch.load(run.file, map_location=device, weights_only=False) if resume and run.file.exists() else None
    log = Log(folder)
    for number, part in enumerate(schedule):
        if state is not None and number < state["part"]:
            continue
        _run_part(run, part, number, stills, held_out, state, log, minutes, steps, device, precision, seed, weights, report)
        state = None
    return run.file


def channels_last(module: nn.Module) -> nn.Module:
    """Two-dimensional convolutions in channels-last memory: twice as fast on CPUs, and what tensor cores want."""
    for p in module.parameters():
        if p.ndim == 4:
            p.data = p.data.contiguous(memory_format=torch.channels_last)
    return module


def _run_part(run, part, number, stills, held_out, state, log, minutes, steps, device, precision, seed, weights, report):
    motion = part.name == "motion"
    task = MotionSpaceTask(run.renderer, stills) if motion else RenderingTask(run.renderer, stills, weights)
    term_weights = MotionSpaceWeights() if motion else task.weights
    parameters = task.parameters()
    optimizer = torch.optim.AdamW(parameters, lr=part.rate, weight_decay=1e-3, betas=(0.9, 0.98))
    generator = torch.Generator(device).manual_seed(seed * 1000 + number)
    picks = np.random.default_rng([seed, number])
    run.part, run.spent = number, 0.0
    if state is not None:
        _restore(run, state, optimizer, generator, picks)
    budget = minutes * 60 * part.share
    autocast = torch.autocast(torch.device(device).type, torch.bfloat16) if precision == "bf16" else nullcontext()
    done = lambda i: i >= steps if steps else run.spent >= budget  # noqa: E731
    begun, saved, reported, sums = time.time() - run.spent, time.time(), time.time(), {}
    at = state["at"] if state is not None else 0
    bar = tqdm(total=steps or round(budget), initial=at if steps else round(run.spent), desc=part.name, unit="step" if steps else "s", leave=False)
    while not done(at):
        progress = at / steps if steps else run.spent / budget
        for group in optimizer.param_groups:
            group["lr"] = part.rate * cosine_rate(progress)
        indices = picks.integers(0, len(stills), part.groups)
        with autocast:
            if motion:
                losses = task.losses(*task.batch(indices, generator))
            else:
                losses = task.losses(*task.batch(indices, part.size, generator))
            loss = total(losses, term_weights)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(parameters, 1.0)
        if torch.isfinite(norm):
            optimizer.step()
            run.average.update(run.renderer)
        at, run.step, run.samples = at + 1, run.step + 1, run.samples + part.groups * (8 if motion else 3)
        run.spent = time.time() - begun
        for key, value in losses.items():
            sums.setdefault(key, []).append(value.detach())
        if time.time() - reported > 30 or done(at):
            means = {k: float(torch.stack(v).mean()) for k, v in sums.items()}
            log.write(run.step, part=part.name, samples=run.samples, groups=len(stills), loss=float(loss.detach()), **means)
            sums, reported = {}, time.time()
            bar.n = at if steps else round(run.spent)
            bar.set_postfix(loss=f"{float(loss.detach()):.3f}", samples=run.samples)
            stills.refresh()
        if time.time() - saved > 120 or done(at):
            _save(run, at, optimizer, generator, picks)
            saved = time.time()
            if held_out is not None:
                report(f"{part.name} {run.samples} samples, {len(stills)} groups: {_measure(run, task, held_out, motion, part.size)}")
    bar.close()


def _measure(run: Run, task, held_out: StillSet, motion: bool, size: int) -> dict[str, float]:
    run.renderer.eval()
    indices = np.arange(min(len(held_out), 32))
    stills, task.stills = task.stills, held_out
    try:
        return task.explained(indices) if motion else task.measure(indices[:16], size)
    finally:
        task.stills = stills
        run.renderer.train()


def _save(run: Run, at: int, optimizer, generator: torch.Generator, picks: np.random.Generator) -> None:
    save_atomically(
        run.file,
        {
            "config": run.renderer.config.to_dict(), "renderer": run.renderer.state_dict(), "average": run.average.values,
            "average_steps": run.average.steps, "step": run.step, "samples": run.samples, "part": run.part, "at": at,
            "spent": run.spent, "optimizer": optimizer.state_dict(), "generator": generator.get_state(),
            "torch": torch.get_rng_state(), "picks": picks.bit_generator.state,
        },
    )


def _restore(run: Run, state: dict, optimizer, generator: torch.Generator, picks: np.random.Generator) -> None:
    run.renderer.load_state_dict(state["renderer"])
    run.average.values, run.average.steps = state["average"], state["average_steps"]
    run.step, run.samples, run.spent = state["step"], state["samples"], state["spent"]
    optimizer.load_state_dict(state["optimizer"])
    generator.set_state(state["generator"].cpu())
    torch.set_rng_state(state["torch"].cpu())
    picks.bit_generator.state = state["picks"]


def averaged_renderer(checkpoint: str | Path) -> Renderer:
    """The averaged weights of a run, ready to render."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=False)
    renderer = Renderer(RendererConfig.from_dict(state["config"]))
    values: dict[str, Tensor] = state["average"]
    renderer.load_state_dict(values)
    return renderer.eval()
