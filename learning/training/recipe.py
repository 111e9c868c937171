"""From nothing to weights in a given time: draw the corpus, train both stages, measure, write what ships."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...files import whole_file
from ...model_loaders.checkpoint import load_motion_model, load_renderer, save_checkpoint
from ...networks.motion_model.config import MotionModelConfig
from ...networks.renderer.config import RendererConfig
from ...networks.renderer.model import Renderer
from ...precision import has_bf16
from ..corpus.crew import SHARD, Crew
from ..corpus.speech.augment import augment
from ..corpus.speech.music import music
from ..datasets.stills import StillSet
from ..evaluation.report import draw_held_out, evaluate, table
from . import processes
from .alone import only_training_in
from .loop import CHECKPOINT_SECONDS, Every, Plan
from .motion_model.train import Stage2Settings, averaged_motion_model, train_stage2
from .renderer.schedule import Part
from .renderer.train import Stage1Settings, averaged_renderer, train_stage1

APPEARANCES = 512  # portraits whose F_A are lent to clips that were never painted
POLL = 0.2  # seconds


@dataclass(frozen=True)
class DevicePlan:
    """Shares of the whole time, and what a device can bear. What is left over measures and writes."""

    first: float  # drawing before anything else
    beside: float  # drawing on beside stage 1, at most
    stage1: float
    stage2: float
    groups: int  # stills drawn at most: 2.1 MB each on disk, and on the device
    clips: int
    batch: int  # windows a step of stage 2
    workers: int  # processes that prepare them
    precision: str


CPU_PLAN = DevicePlan(0.22, 0.0, 0.48, 0.22, groups=8_000, clips=4_000, batch=32, workers=0, precision="bf16")
# One GPU with many cores: it waits for the first shards only, then drawing and learning go on side by side.
GPU_PLAN = DevicePlan(0.05, 0.40, 0.60, 0.25, groups=20_000, clips=8_000, batch=128, workers=12, precision="bf16")


@dataclass(frozen=True)
class Recipe:
    """What `train_all` was asked for; None and empty stand for the plan of the device."""

    data: Path
    out: Path
    minutes: float = 30.0
    preset: str = "lite"
    device: str | torch.device = "cpu"
    precision: str = "bf16"
    seed: int = 1
    checkpoint_every: float = CHECKPOINT_SECONDS  # seconds between checkpoints
    jobs: int = 1
    groups: int = 0
    clips: int = 0
    size: int = 256
    shard: int = SHARD
    held_out: Path | None = None
    measured: tuple[int, int] = (64, 16)
    schedule: tuple[Part, ...] | None = None
    config: RendererConfig | None = None
    motion_config: MotionModelConfig | None = None
    vgg: Path | None = None
    report: Callable[[str], None] = print

    @property
    def measured_on(self) -> Path:
        """The corpus of people and voices held out."""
        return self.held_out or self.out / "held_out"

    @property
    def weights(self) -> Path:
        """The folder of what ships."""
        return self.out / "weights"

    def run(self, minutes: float) -> Plan:
        """Of a training that takes part of the time."""
        return Plan(
            minutes=minutes,
            device=self.device,
            precision=self.precision,
            seed=self.seed,
            saves=Every(seconds=self.checkpoint_every),
            report=self.report,
        )


def train_all(
    data: str | Path,
    out: str | Path,
    *,
    minutes: float = 30.0,
    device: str | None = None,
    held_out: str | Path | None = None,
    **options: Any,
) -> Path:
    """Draw, train, measure and write within about `minutes`; returns the folder out/weights.

    data: the corpus, drawn here by `jobs` processes (all cores) up to `groups` stills and `clips` clips, 0 for what
    lies there already. device: CUDA where there is one. held_out: a corpus to measure on, by default drawn under `out`;
    measured: how many groups and clips of it. The other options are those of `Recipe`; precision is bf16 where the
    device has it. Called again with the same folders a killed run goes on: the corpus keeps its shards, both stages
    their checkpoints, and time that was spent stays spent. out/weights gets renderer_<preset>.safetensors and
    motion_<preset>.safetensors in shards of at most 16 MB; figures and contact sheets lie in out/evaluation.
    RuntimeError when the machine cannot draw.
    """
    device = processes.join(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    plan = CPU_PLAN if device.type == "cpu" else GPU_PLAN
    precision = plan.precision if has_bf16(device) else "fp32"
    defaults = {"groups": plan.groups, "clips": plan.clips, "precision": precision, "jobs": os.cpu_count() or 1}
    given = {name: value for name, value in options.items() if value is not None}
    if not processes.is_main():
        given["report"] = lambda text: None
    held_out = Path(held_out) if held_out else None
    recipe = Recipe(Path(data), Path(out), minutes, device=device, held_out=held_out, **(defaults | given))
    clock = Clock(recipe.out / "recipe.json")
    with only_training_in(recipe.out):
        stage1 = _draw_and_train_renderer(recipe, plan, clock)
        stage2 = _train_motion_model(recipe, plan, clock, stage1)
        return _finish(recipe, clock, stage1, stage2) if processes.is_main() else recipe.weights


def _draw_and_train_renderer(recipe: Recipe, plan: DevicePlan, clock: Clock) -> Path:
    """Draw, and learn to render, the one beside the other where the plan says so; stage 1's checkpoint."""
    whole = 60 * recipe.minutes
    alone, beside = clock.left("draw", plan.first * whole), clock.left("stage1", plan.beside * whole)
    crew = Crew(
        recipe.data,
        groups=recipe.groups,
        clips=recipe.clips,
        seed=recipe.seed,
        jobs=recipe.jobs,
        seconds=max(0.0, alone) + max(0.0, beside),
        size=recipe.size,
        shard=recipe.shard,
    )
    with crew if processes.is_main() else nullcontext():
        with clock("draw"):
            if recipe.held_out is None and processes.is_main():
                draw_held_out(recipe.measured_on, *recipe.measured)
            _wait(crew, clock, plan.first * whole, recipe.data)
        drawn = count_stills(recipe.data), count_clips(recipe.data)
        recipe.report(f"drawn in {clock.spent('draw'):.0f} s: {drawn[0]} shards of stills, {drawn[1]} clips")
        with clock("stage1"):
            settings = Stage1Settings(
                validation=recipe.measured_on,
                preset=recipe.preset,
                config=recipe.config,
                schedule=recipe.schedule,
                vgg=recipe.vgg,
            )
            return train_stage1(recipe.data, recipe.out / "stage1", recipe.run(plan.stage1 * recipe.minutes), settings)


def _train_motion_model(recipe: Recipe, plan: DevicePlan, clock: Clock, stage1: Path) -> Path:
    """Stage 2 on the averaged renderer of stage 1; its checkpoint."""
    renderer = averaged_renderer(stage1).to(recipe.device)
    with clock("stage2"):
        settings = Stage2Settings(
            preset=recipe.preset,
            config=recipe.motion_config,
            batch=plan.batch,
            augment=augment,
            music=music,
            appearances=appearances(renderer, recipe.data),
            workers=plan.workers,
        )
        run = recipe.run(plan.stage2 * recipe.minutes)
        return train_stage2(recipe.data, recipe.out / "stage2", run, settings, renderer)


def _finish(recipe: Recipe, clock: Clock, stage1: Path, stage2: Path) -> Path:
    """Write the weights, then measure them: what was trained is safe before anything else can fail."""
    renderer, model = averaged_renderer(stage1), averaged_motion_model(stage2)
    weights = recipe.weights
    facts = {"training": json.dumps(_facts(recipe, clock, stage1, stage2))}
    files = weights / f"renderer_{recipe.preset}.safetensors", weights / f"motion_{recipe.preset}.safetensors"
    save_checkpoint(files[0], renderer, "renderer", renderer.config, facts)
    save_checkpoint(files[1], model, "motion_model", model.config, facts)
    with clock("evaluate"):
        figures = evaluate(
            load_renderer(files[0]).to(recipe.device),
            load_motion_model(files[1]).to(recipe.device),
            corpus=recipe.measured_on,
            out=recipe.out / "evaluation",
            groups=recipe.measured[0],
            clips=recipe.measured[1],
        )
    recipe.report(f"{table(figures)}\n{clock} -> {weights}")
    return weights


def _wait(crew: Crew, clock: Clock, seconds: float, data: Path) -> None:
    """Let the main process's crew draw until its time is over and there is something to begin with, or all is drawn."""

    def goes_on() -> bool:
        return crew.check() and (clock.left("draw", seconds) > 0 or not count_stills(data))

    while processes.from_main(processes.is_main() and goes_on()):
        time.sleep(POLL)
        clock.save()


def count_stills(data: str | Path) -> int:
    """Finished shards of stills under `data`."""
    return len(list(Path(data).glob("stills/*_rgb.npy")))


def count_clips(data: str | Path) -> int:
    """Finished clips under `data`."""
    return len(list(Path(data).glob("clips/*/meta.json")))


@torch.inference_mode()
def appearances(renderer: Renderer, data: str | Path) -> Tensor:
    """F_A (K, appearance_dim) of the sources of K <= 512 stills."""
    stills, device = StillSet(data), next(renderer.parameters()).device
    rows = []
    for indices in np.array_split(np.arange(min(APPEARANCES, len(stills))), max(1, min(APPEARANCES, len(stills)) // 8)):
        pictures = stills.get(indices).rgb[:, 0, 0].to(device).permute(0, 3, 1, 2).float() / 255
        rows.append(renderer.extract_appearance(renderer.encode_source(pictures)))
    return torch.cat(rows).float().cpu().clone()


def _facts(recipe: Recipe, clock: Clock, stage1: Path, stage2: Path) -> dict[str, Any]:
    """How the weights came about, for the files themselves."""
    one, two = (torch.load(file, map_location="cpu", weights_only=True) for file in (stage1, stage2))
    return {
        "stage1_steps": one["step"],
        "stage1_samples": one["samples"],
        "stage2_steps": two["step"],
        "stills": len(StillSet(recipe.data)),
        "clips": count_clips(recipe.data),
        "corpus_seed": recipe.seed,
        "device": f"{platform.machine()} CPU" if recipe.device.type == "cpu" else torch.cuda.get_device_name(),
        "seconds": {name: round(value) for name, value in clock.seconds.items()},
    }


class Clock:
    """Seconds spent in each phase over all runs that share a file."""

    def __init__(self, file: Path):
        self.file = file
        self.seconds: dict[str, float] = json.loads(file.read_text("utf8")) if file.exists() else {}
        self.phase, self.since = "", 0.0

    def __call__(self, phase: str) -> Clock:
        self.phase = phase
        return self

    def __enter__(self) -> Clock:
        self.since = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self.save()
        self.phase = ""

    def save(self) -> None:
        """Add what has passed since the last time."""
        now = time.monotonic()
        self.seconds[self.phase] = self.seconds.get(self.phase, 0.0) + now - self.since
        self.since = now
        if processes.is_main():
            with whole_file(self.file) as partial:
                partial.write_text(json.dumps(self.seconds), "utf8")

    def spent(self, phase: str) -> float:
        """Seconds in a phase, now included."""
        running = time.monotonic() - self.since if phase == self.phase else 0.0
        return self.seconds.get(phase, 0.0) + running

    def left(self, phase: str, seconds: float) -> float:
        """What is left of a phase's time."""
        return seconds - self.spent(phase)

    def __str__(self) -> str:
        return ", ".join(f"{name} {seconds:.0f} s" for name, seconds in self.seconds.items())
