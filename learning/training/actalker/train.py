"""ACTalker's training as a run: a window of a clip an update, and a file that describes itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ....model_loaders.actalker.load import load_actalker, save_actalker
from ....model_loaders.actalker.reduced import reduced_actalker
from .. import processes
from ..alone import alone_in
from ..blocks import prepare_blocks
from ..loop import Descent, Every, Plan, fit
from ..run import Run
from .data import painted_clips
from .task import ACTalkerTask, TrainingSettings

SAVES = Every(steps=500)


@dataclass(frozen=True)
class ACTalkerSettings:
    """What is trained, beside the data and the `Plan`."""

    weights: str | Path | None = None  # published files' folder or a converted file; None: reduced size, random weights
    batch: int = 1  # windows an update
    rate: float = TrainingSettings.rate
    image_size: int | None = None  # the pictures' short side; None: the config's own


@alone_in("out")
def train_actalker(data: str | Path, out: str | Path, plan: Plan, settings: ACTalkerSettings | None = None) -> Path:
    """Train on the clips of a corpus that have a video, and return the file out/actalker.safetensors.

    Every update is a line of out/log.jsonl. Clips that are too short or show no face are passed over with a warning. A
    killed run goes on from out/actalker.pt, written every `plan.saves`. Raises FileNotFoundError if the corpus has no
    clip with a video, ValueError if none of them can be used,
    or where another training is at work in `out`.
    """
    clips, settings = painted_clips(data), settings or ACTalkerSettings()
    plan = replace(plan, device=processes.join(plan.device))
    weights, path = settings.weights, Path(out) / "actalker.safetensors"
    model = reduced_actalker(plan.seed) if weights is None else load_actalker(weights, dtype=torch.float32)
    prepare_blocks(model, plan)
    task = ACTalkerTask(model.to(plan.device), TrainingSettings(rate=settings.rate), clips, settings.image_size)

    run, optimizers = Run(path.with_suffix(".pt"), None, {"config": model.config.to_dict()}), [task.optimizer()]
    if plan.resume and (state := run.read(plan.device)):
        run.restore(state, task, optimizers)

    def save() -> None:
        if processes.is_main():
            save_actalker(model, path)

    descent = Descent(
        optimizers,
        settings.batch,
        clip=task.settings.clip,
        rate=task.rate,
        reports=Every(steps=1),
        title="ACTalker",
    )
    fit(task, run, plan, descent, on_report=lambda: {"clip": ", ".join(task.seen)}, on_save=save)
    if not path.exists():
        save()
    return path
