"""Training the sync judge on films of real people and on drawn ones.

`python -m mamba_portrait.learning.training.sync_judge.train --films DIR --corpus DIR --out FILE`

One that judges is never used as a loss: two are trained, on different people.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import torch

from ....model_loaders.checkpoint import save_checkpoint
from ....sampling.settings import LARGEST_SEED, Range
from ...datasets.films import SUFFIXES, speaker_of
from ...datasets.splits import held_out
from ...evaluation.sync.judge import KIND
from ...evaluation.sync.network import SyncConfig, SyncNetwork
from .. import processes
from ..loop import Descent, Every, Plan, fit
from ..run import Average, Run
from .clips import MouthClip, read_clips
from .task import SyncSchedule, SyncTask

GRID_LATE = 0.011  # s: GRID's sound lies behind its picture by the delay of an MP2 coder


def train_sync_judge(
    groups: Sequence[Sequence[MouthClip]],
    out: str | Path,
    folder: str | Path,
    plan: Plan,
    *,
    config: SyncConfig | None = None,
    schedule: SyncSchedule | None = None,
) -> Path:
    """Train as the plan says on clips of real and of drawn people, resuming what `folder` holds; the averaged weights
    are written to `out`."""
    schedule = schedule or SyncSchedule()
    plan = replace(plan, device=processes.join(plan.device))
    torch.manual_seed(plan.seed)
    network = SyncNetwork(config).to(plan.device)
    processes.copy_from_main(network)
    task = SyncTask(network, groups, schedule)
    optimizers = [torch.optim.AdamW(network.parameters(), lr=schedule.rate, weight_decay=schedule.decay)]
    run = Run(Path(folder) / "sync_judge.pt", Average(network, 0.998), {"config": network.config.to_dict()})
    if plan.resume and (state := run.read(plan.device)):
        run.restore(state, task, optimizers)
        plan.say(f"Resuming at step {run.step}, {run.spent / 60:.1f} minutes done.")
    network.train()
    descent = Descent(optimizers, schedule.batch, clip=2.0, reports=Every(steps=50), title="sync judge")
    fit(task, run, plan, descent, on_report=lambda: {"minutes": run.spent / 60})
    shipped = SyncNetwork(network.config)
    shipped.load_state_dict(run.average.values)
    people = sorted({clip.speaker for group in groups for clip in group})
    facts = {"steps": run.step, "minutes": round(run.spent / 60, 1), "clips": sum(map(len, groups)), "people": people}
    if processes.is_main():
        save_checkpoint(out, shipped, KIND, network.config, {"training": facts})
    return Path(out)


def films_of(folders: Sequence[str], leave_out: Sequence[str], only: Sequence[str]) -> list[tuple[Path, str]]:
    """(film, speaker) of all films in the folders but those held out of every training and of the speakers `leave_out`,
    or of `only` these."""
    films = sorted(path for folder in folders for path in Path(folder).iterdir() if path.suffix.lower() in SUFFIXES)
    pairs = [(path, speaker_of(path)) for path in films if not held_out(speaker_of(path), path.stem)]
    return [(path, name) for path, name in pairs if name not in leave_out and (not only or name in only)]


def drawn_of(folders: Sequence[str]) -> list[tuple[Path, str]]:
    """(film, person) of all painted clips of drawn corpora: every clip shows another person."""
    films = [path for folder in folders for path in sorted(Path(folder).glob("clips/*/video.mp4"))]
    return [(path, f"{path.parents[2].name}/{path.parent.name}") for path in films]


def main(arguments: list[str] | None = None) -> None:
    """Command line of the module."""
    parser = argparse.ArgumentParser(description="Train the judge of sync on real and drawn people.")
    parser.add_argument("--films", nargs="+", required=True, metavar="DIR", help="films of people who speak, as GRID's")
    parser.add_argument("--corpus", nargs="+", required=True, metavar="DIR", help="drawn corpora with painted clips")
    parser.add_argument("--speakers", nargs="+", default=(), help="of the films only these speakers")
    parser.add_argument("--leave-out", nargs="+", default=("s33", "s34"), help="never these (%(default)s)")
    parser.add_argument(
        "--late", type=Range(-10.0, 10.0).read, default=GRID_LATE, help="seconds of their sound's delay (%(default)s)"
    )
    parser.add_argument("--out", default="weights/sync_judge.safetensors")
    parser.add_argument("--folder", default="runs/sync_judge", help="where an interrupted run is resumed from")
    parser.add_argument("--mouths", metavar="DIR", help="where cut mouths are kept (default: in the run's folder)")
    parser.add_argument("--max-minutes", type=Range(0.0, 1e6).read, default=20.0)
    parser.add_argument("--threads", type=Range(1, 1024).read, default=1)
    parser.add_argument("--seed", type=Range(0, LARGEST_SEED // 2).read, default=0)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    cache = Path(options.mouths or Path(options.folder) / "mouths")
    real = read_clips(films_of(options.films, options.leave_out, options.speakers), cache, options.late)
    drawn = read_clips(drawn_of(options.corpus), cache)
    plan = Plan(minutes=options.max_minutes, seed=options.seed)
    path = train_sync_judge([real, drawn], options.out, options.folder, plan)
    if processes.is_main():
        print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
