"""ACTalker's training as a run: windows of clips, and a file that describes itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ....model_loaders.actalker.load import load_actalker, save_actalker
from ....model_loaders.actalker.reduced import reduced_actalker
from ....model_loaders.actalker.svd_start import TRAINED_SIZE, actalker_on_svd
from ....networks.actalker.fresh import fit_sizes
from ....networks.actalker.model import ACTalker
from ...datasets.batch_slice import BatchSlice
from ...datasets.clip_files import ClipFiles
from .. import processes
from ..alone import alone_in
from ..blocks import prepare_blocks
from ..loop import Descent, Every, Plan, fit
from ..run import Run
from .data import clips_with_video, painted_clips
from .measure import HeldOut
from .task import TRAINED, ACTalkerTask, TrainingSettings

SAVES = Every(steps=500)


@dataclass(frozen=True)
class ACTalkerSettings:
    """What is trained, beside the data and the `Plan`. Neither weights nor svd: reduced size, random weights."""

    weights: str | Path | None = None  # published files' folder or a converted file, to go on from
    batch: int = 1  # windows an update
    rate: float = TrainingSettings.rate
    image_size: int | None = None  # the pictures' short side; None: 640, or the reduced size's own
    svd: str | Path | None = None  # Stable Video Diffusion, to begin on: its folder or single file
    encoders: str | Path | None = None  # with svd: the folder or converted file of the pretrained encoders

    def __post_init__(self) -> None:
        if self.svd and self.weights:
            raise ValueError("Begin on Stable Video Diffusion (--svd) or go on from ACTalker's --weights, not both.")
        if bool(self.svd) != bool(self.encoders):
            raise ValueError(
                "A training on Stable Video Diffusion (--svd) needs --encoders, and these need --svd: the folder that "
                "holds ArcFace, Whisper and the motion networks, or an ACTalker file."
            )

    def model(self, seed: int) -> ACTalker:
        """What the training begins with, in float32 on the CPU."""
        if self.svd:
            return actalker_on_svd(self.svd, self.encoders, seed, self.image_size or TRAINED_SIZE)
        return load_actalker(self.weights, dtype=torch.float32) if self.weights else reduced_actalker(seed)

    @property
    def side(self) -> int | None:
        """Short side of the training pictures; None: the model's own."""
        return self.image_size or (TRAINED_SIZE if self.weights else None)


@alone_in("out")
def train_actalker(data: str | Path, out: str | Path, plan: Plan, settings: ACTalkerSettings | None = None) -> Path:
    """Train on the clips of a corpus that have a video, and return the file out/actalker.safetensors.

    Every update is a line of out/log.jsonl. Where the corpus holds clips to judge on (split test), the loss on some of
    their windows is a line of its own, "held_out", at the beginning and at every checkpoint. Clips that are too short
    or show no face are passed over with a warning. A killed run goes on from out/actalker.pt, written every
    `plan.saves`. Raises FileNotFoundError if the corpus has no clip with a video, ValueError if none of them can be
    used, or where another training is at work in `out`.
    """
    clips, settings = painted_clips(data), settings or ACTalkerSettings()
    plan = replace(plan, device=processes.join(plan.device))
    path, model = Path(out) / "actalker.safetensors", settings.model(plan.seed)
    prepare_blocks(model, plan)
    task = ACTalkerTask(model.to(plan.device), TrainingSettings(rate=settings.rate), clips, settings.side)

    run, optimizers = Run(path.with_suffix(".pt"), None, {"config": model.config.to_dict()}), [task.optimizer()]
    if plan.resume and (state := run.read(plan.device)):
        run.restore(state, task, optimizers)
    elif settings.svd:
        _fit_sizes(task, plan.seed)
    judged = _held_out(task, clips_with_video(data, "test"), plan.seed)
    if judged and run.step == 0:
        run.open_log()
        run.write(held_out=judged.loss(task))

    def save() -> None:
        if processes.is_main():
            if judged:
                run.write(held_out=judged.loss(task))
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


@torch.no_grad()
def _fit_sizes(task: ACTalkerTask, seed: int) -> None:
    """Scale the new layers to what SVD says of one window; all processes take the main one's."""
    batch = next(task.batches(iter([BatchSlice(seed, 0, range(1), 1)])))
    with fit_sizes(task.model):
        task.losses(batch)
    processes.copy_from_main(*(getattr(task.model, name) for name in TRAINED))


def _held_out(task: ACTalkerTask, clips: Sequence[ClipFiles], seed: int) -> HeldOut | None:
    """Windows that judge, read by the main process; None where no clip gives one."""
    if not clips or not processes.is_main():
        return None
    return HeldOut.of(task, clips, seed)
