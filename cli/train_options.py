"""What the commands that train have in common."""

from __future__ import annotations

import argparse
import math

from ..pipelines.settings import Range
from .options import Machine, number


def seconds(text: str) -> float:
    """A time above zero."""
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"give a number of seconds above 0, not {text}")
    return value


def add_checkpoints(parser: argparse.ArgumentParser, default: str = "120") -> None:
    """--checkpoint-every."""
    parser.add_argument(
        "--checkpoint-every",
        type=seconds,
        metavar="SECONDS",
        help=f"of training between two checkpoints; a kill loses as much at most ({default})",
    )


def add_run(parser: argparse.ArgumentParser) -> None:
    """--fresh, --accumulate, --checkpointing, --compile."""
    parser.add_argument("--fresh", action="store_true", help="begin anew instead of resuming the run in --out")
    parser.add_argument(
        "--accumulate",
        type=number(Range(1, 65536)),
        default=1,
        metavar="PARTS",
        help="compute each batch in so many parts, for less memory (%(default)s)",
    )
    parser.add_argument(
        "--checkpointing", action="store_true", help="compute activations a second time instead of keeping them"
    )
    parser.add_argument(
        "--compile",
        nargs="?",
        const="inductor",
        default="",
        metavar="BACKEND",
        help="compile the networks' blocks with torch.compile (needs a C++ compiler, on a GPU Triton)",
    )


def plan(options: argparse.Namespace, machine: Machine, **changes):
    """How long and on what a run trains: a `Plan` of the loop, on the device of this process."""
    from ..learning.training import processes
    from ..learning.training.loop import Every, Plan

    if options.checkpoint_every:
        changes["saves"] = Every(seconds=options.checkpoint_every)
    return Plan(
        steps=options.steps,
        minutes=None if options.steps else options.minutes,
        device=processes.join(machine.device),
        precision="bf16" if machine.bf16 else "fp32",
        seed=options.seed,
        accumulate=options.accumulate,
        checkpointing=options.checkpointing,
        compile=options.compile,
        resume=not options.fresh,
        **changes,
    )


def show(path) -> None:
    """Print what a run wrote, once however many processes train."""
    from ..learning.training import processes

    if processes.is_main():
        print(path)
