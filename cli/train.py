"""train: both stages, from a corpus to a run's checkpoint."""

from __future__ import annotations

import argparse

from .options import add_machine, command, machine, positive_int


def add(commands) -> list[argparse.ArgumentParser]:
    """Declare the command and its two stages."""
    parser = command(
        commands,
        "train",
        "train the renderer (stage1) or the motion model (stage2)",
        None,
        """
train stage1 --data data/train --validation data/held_out --out runs/a --minutes 60
train stage2 --data data/train --renderer runs/renderer.safetensors --out runs/b --minutes 30
export runs/a/stage1.pt -o runs/renderer.safetensors
""",
    )
    stages = parser.add_subparsers(dest="stage", metavar="STAGE", required=True)
    first = command(stages, "stage1", "from labelled stills to a renderer", run_stage1)
    second = command(stages, "stage2", "from talking clips to a motion model", run_stage2)
    for stage in (first, second):
        stage.add_argument("--data", required=True, metavar="DIR", help="a corpus; it may still be growing")
        stage.add_argument("--out", required=True, metavar="DIR", help="the run's folder: checkpoint, log, curves")
        stage.add_argument(
            "--preset", choices=("lite", "paper"), default="lite", help="size of the network (%(default)s)"
        )
        stage.add_argument("--minutes", "--max-minutes", type=float, default=60.0, help="over all resumed runs (60)")
        stage.add_argument("--steps", type=positive_int, help="a number of steps instead of the clock")
        stage.add_argument("--seed", type=int, default=0)
        stage.add_argument("--fresh", action="store_true", help="begin anew instead of resuming the run in --out")
        add_machine(stage)
    first.add_argument("--validation", metavar="DIR", help="a corpus of other people, measured now and then")
    second.add_argument(
        "--renderer", metavar="FILE", help="the renderer it will speak through (default: the shipped one)"
    )
    second.add_argument("--batch-size", type=positive_int, default=32, help="windows a step (%(default)s)")
    second.add_argument("--workers", type=int, default=0, help="processes that prepare batches (%(default)s)")
    return [first, second]


def run_stage1(options: argparse.Namespace) -> None:
    """Train a renderer; prints the run's checkpoint."""
    from ..training.stage1 import train_stage1

    with machine(options) as here:
        path = train_stage1(
            options.data,
            options.out,
            validation=options.validation,
            preset=options.preset,
            minutes=options.minutes,
            steps=options.steps,
            device=str(here.device),
            precision="bf16" if here.bf16 else "fp32",
            seed=options.seed,
            resume=not options.fresh,
        )
    print(path)


def run_stage2(options: argparse.Namespace) -> None:
    """Train a motion model; prints the run's checkpoint."""
    from ..model_loaders.checkpoint import load_renderer
    from ..training.stage2 import train_stage2

    with machine(options) as here:
        path = train_stage2(
            options.data,
            options.out,
            preset=options.preset,
            renderer=load_renderer(options.renderer),
            max_minutes=None if options.steps else options.minutes,
            steps=options.steps,
            batch=options.batch_size,
            device=str(here.device),
            precision="bf16" if here.bf16 else "fp32",
            seed=options.seed,
            resume=not options.fresh,
            workers=options.workers,
        )
    print(path)
