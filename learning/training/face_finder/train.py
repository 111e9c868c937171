"""Training the face finder on drawn heads.

`python -m mamba_portrait.learning.training.face_finder.train --data DIR --out FILE`"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import cv2
import torch

from ....media.finders.own import load_face_finder
from ....model_loaders.checkpoint import save_checkpoint
from ....networks.face_finder import FaceFinder, FaceFinderConfig
from ....precision import has_bf16
from ....sampling.settings import LARGEST_SEED, Range
from .. import processes
from ..alone import alone_in
from ..loop import Descent, Every, Plan, fit
from ..run import Average, Run
from .batch_norm import share_batch_norms
from .scenes import HeadStore
from .task import FinderSchedule, FinderTask, ScenePool

SAVES = Every(seconds=20.0)  # of computing


@alone_in("folder")
def train_face_finder(
    data: str | Path,
    out: str | Path,
    folder: str | Path,
    plan: Plan,
    *,
    start: str | Path | None = None,
    config: FaceFinderConfig | None = None,
    schedule: FinderSchedule | None = None,
) -> Path:
    """Train as the plan says, resuming what `folder` holds, and write the averaged weights to `out`.

    data: drawn stills (learning/corpus/stills.py); start: weights that a new run begins from. The clock is the run's
    own computing time, so a busy machine trains no less. A kill loses at most the steps since the last save.
    """
    schedule = schedule or FinderSchedule()
    plan = replace(plan, device=processes.join(plan.device))
    torch.manual_seed(plan.seed)
    network = (load_face_finder(start) if start else FaceFinder(config)).to(plan.device).requires_grad_(True)
    network = network.to(memory_format=torch.channels_last)
    share_batch_norms(network)
    processes.copy_from_main(network)
    heads = HeadStore(data)
    task = FinderTask(network, ScenePool(heads, schedule))

    optimizers = [torch.optim.AdamW(network.parameters(), lr=schedule.rate, weight_decay=schedule.decay)]
    run = Run(Path(folder) / "face_finder.pt", Average(network, 0.998), {"config": network.config.to_dict()})
    if plan.resume and (state := run.read(plan.device)):
        run.restore(state, task, optimizers)
        plan.say(f"Resuming at step {run.step}, {run.spent / 60:.1f} minutes done.")

    network.train()
    descent = Descent(
        optimizers, schedule.batch, clip=5.0, reports=Every(steps=50), clock=time.process_time, title="face finder"
    )
    fit(task, run, plan, descent, on_report=lambda: {"minutes": run.spent / 60}, on_save=heads.refresh)

    shipped = FaceFinder(network.config)
    shipped.load_state_dict(run.average.values)
    facts = {"samples": run.samples, "minutes": round(run.spent / 60, 1), "size": schedule.size}
    if processes.is_main():
        save_checkpoint(out, shipped, "face_finder", network.config, {"training": facts})
    return Path(out)


def main(arguments: list[str] | None = None) -> None:
    """Command line of the module."""
    parser = argparse.ArgumentParser(description="Train the face finder on drawn heads.")
    parser.add_argument("--data", required=True, help="folder with drawn stills")
    parser.add_argument("--out", default="weights/face_finder.safetensors")
    parser.add_argument("--folder", default="runs/face_finder", help="where an interrupted run is resumed from")
    parser.add_argument("--start", metavar="FILE", help="weights that a new run begins from")
    parser.add_argument(
        "--max-minutes", type=Range(0.0, 1e6).read, default=20.0, help="minutes of computing, interruptions not counted"
    )
    parser.add_argument("--threads", type=Range(1, 1024).read, default=1)
    parser.add_argument("--seed", type=Range(0, LARGEST_SEED // 2).read, default=0)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    precision = "bf16" if has_bf16(torch.device("cpu")) else "fp32"
    plan = Plan(minutes=options.max_minutes, precision=precision, seed=options.seed, saves=SAVES)
    path = train_face_finder(options.data, options.out, options.folder, plan, start=options.start)
    if processes.is_main():
        print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
