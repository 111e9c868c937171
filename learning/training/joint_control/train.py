"""Training the joint control of a voice and a driving video, on drawn talking clips.

`python -m mamba_portrait.learning.training.joint_control.train --data DIR --out FILE`

DIR is a corpus with clips (`corpus --clips`), of which the voices for training are used; no pictures are needed. The
weights are of one motion space, that of the renderer.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ....files import check_place
from ....model_loaders.checkpoint import load_renderer, save_checkpoint
from ....networks.joint_control import MIXINGS, JointControl, JointControlConfig
from ....networks.renderer.model import Renderer
from ....sampling.settings import LARGEST_SEED, Range
from ...datasets.tracks import load_tracks
from .. import processes
from ..alone import alone_in
from ..loop import Descent, Every, Plan, fit
from ..run import Average, Run
from .task import ControlSchedule, ControlTask

KIND = "joint_control"


@alone_in("folder")
def train_joint_control(
    tracks: Sequence[np.ndarray],
    renderer: Renderer,
    out: str | Path,
    folder: str | Path,
    plan: Plan,
    *,
    config: JointControlConfig | None = None,
    schedule: ControlSchedule | None = None,
) -> Path:
    """Train as the plan says on talking clips' parameters (T,24), resuming what `folder` holds; the averaged weights
    are written to `out`. ValueError for a renderer whose motion has no names."""
    if not renderer.config.readout:
        raise ValueError("Joint control is learnt from named motion: fit a read-out to this renderer first (`fit`).")
    schedule = schedule or ControlSchedule()
    plan = replace(plan, device=processes.join(plan.device))
    torch.manual_seed(plan.seed)
    network = JointControl(config, renderer.motion_language).to(plan.device)
    processes.copy_from_main(network)
    task = ControlTask(network, tracks, renderer.parameters_of_motion.to(plan.device), schedule)
    optimizers = [torch.optim.AdamW(network.parameters(), lr=schedule.rate, weight_decay=schedule.decay)]
    facts = {"config": network.config.to_dict() | {"motion_language": renderer.motion_language}}
    run = Run(Path(folder) / "joint_control.pt", Average(network, 0.998), facts)
    if plan.resume and (state := run.read(plan.device)):
        run.restore(state, task, optimizers)
        plan.say(f"Resuming at step {run.step}, {run.spent / 60:.1f} minutes done.")
    network.train()
    samples = schedule.batch * schedule.moments
    descent = Descent(optimizers, schedule.batch, reports=Every(steps=50), counted=samples, title="joint control")
    fit(task, run, plan, descent, on_report=lambda: {"minutes": run.spent / 60})
    shipped = JointControl(network.config, renderer.motion_language)
    shipped.load_state_dict(run.average.values)
    facts = {"steps": run.step, "samples": run.samples, "minutes": round(run.spent / 60, 1), "clips": len(tracks)}
    if processes.is_main():
        save_checkpoint(out, shipped, KIND, network.config, {"training": facts})
    return Path(out)


def main(arguments: list[str] | None = None) -> None:
    """Command line of the module."""
    parser = argparse.ArgumentParser(description="Train the joint control of a voice and a driving video.")
    parser.add_argument("--data", required=True, metavar="DIR", help="a corpus with talking clips")
    parser.add_argument("--out", required=True, metavar="FILE.safetensors")
    parser.add_argument("--folder", metavar="DIR", help="where a run is resumed from (default: beside FILE)")
    parser.add_argument("--renderer", metavar="FILE", help="whose motion it is (default: the shipped one)")
    parser.add_argument("--mixing", choices=MIXINGS, default="scan", help="how cells meet (%(default)s)")
    parser.add_argument("--steps", type=Range(0, 1_000_000_000).read, metavar="N", help="instead of the clock")
    parser.add_argument(
        "--minutes", type=Range(0.0, 1e6).read, default=15.0, help="over all resumed runs (%(default)s)"
    )
    parser.add_argument(
        "--checkpoint-every", type=Range(0.0, 1e6).read, default=60.0, metavar="SECONDS", help="(%(default)s)"
    )
    parser.add_argument("--threads", type=Range(1, 1024).read, default=1)
    parser.add_argument("--seed", type=Range(0, LARGEST_SEED // 2).read, default=0)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    out = check_place(options.out)
    tracks = [track.values for track in load_tracks(options.data) if track.drawn]
    plan = Plan(
        steps=options.steps,
        minutes=None if options.steps else options.minutes,
        seed=options.seed,
        saves=Every(seconds=options.checkpoint_every),
    )
    path = train_joint_control(
        tracks,
        load_renderer(options.renderer),
        out,
        options.folder or Path(options.out).with_suffix(""),
        plan,
        config=JointControlConfig(mixing=options.mixing),
    )
    if processes.is_main():
        print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
