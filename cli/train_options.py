"""Options of the commands that train: what they have in common, and what each stage alone has."""

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


def add_rendering(parser: argparse.ArgumentParser) -> None:
    """What stage 1 alone has."""
    parser.add_argument(
        "--parts",
        nargs="+",
        metavar="PART",
        default=(),
        help="of the schedule (space, motion, coarse, fine; on a GPU finish as well) only these; before them, where "
        "named, appearance: F_A learns who somebody is (`corpus --scenes 2`); with --init motion encoder and rendering "
        "may be trained side by side, and put together by export --motion-encoder; matte, by itself: where the person "
        "is, so that no ghost stays where a head has been; portraits, by itself: with --init and --faces the decoder "
        "learns mouths from photographs",
    )
    parser.add_argument(
        "--space",
        choices=("named", "semi", "free"),
        help="of the motion, where films take part: named parameters alone, beside them what films alone teach, or "
        "nothing named until `fit` finds names (default: that of --init; new weights: free)",
    )
    parser.add_argument(
        "--withhold",
        type=number(Range(0.0, 1.0)),
        default=0.25,
        metavar="SHARE",
        help="of the films' samples in a semi space so many are driven without the named part (%(default)s)",
    )
    parser.add_argument(
        "--faces",
        metavar="DIR",
        help="real faces beside the drawn ones: of the part motion with landmarks, of the part matte with mattes, of "
        "the part portraits 256 pixels wide",
    )
    parser.add_argument(
        "--adversary",
        type=number(Range(0.0, 1000.0)),
        default=0.0,
        metavar="WEIGHT",
        help="of a patch discriminator on mouths in the part portraits, such as .5 (%(default)s)",
    )
    parser.add_argument(
        "--contrast",
        type=number(Range(0.0, 1000.0)),
        default=0.0,
        metavar="WEIGHT",
        help="of F_A telling people apart beside rendering; needs `corpus --scenes 2` (%(default)s)",
    )
    parser.add_argument(
        "--other-scene",
        type=number(Range(0.0, 1.0)),
        default=0.0,
        metavar="SHARE",
        help="of the samples so many are rendered with F_A of the person in another scene (%(default)s)",
    )
    parser.add_argument(
        "--learn",
        nargs="+",
        metavar="MODULE",
        default=(),
        help="modules of the renderer that learn to render, such as decoder; the others stay (default: all)",
    )


def add_speaking(parser: argparse.ArgumentParser) -> None:
    """What stage 2 alone has."""
    parser.add_argument("--renderer", metavar="FILE", help="the renderer it speaks through (default: the shipped one)")
    parser.add_argument(
        "--sample", metavar="PHOTO", help="speaks a clip kept for validation at every checkpoint: a film"
    )
    parser.add_argument("--batch-size", type=number(Range(1, 65536)), default=32, help="windows a step (%(default)s)")
    parser.add_argument(
        "--live",
        type=number(Range(0.0, 1.0)),
        default=0.25,
        metavar="SHARE",
        help="of the windows so many hear at most 20 frames ahead, for voices heard as they come (%(default)s)",
    )
    parser.add_argument(
        "--predicted-history",
        action="store_true",
        help="the four previous frames are those that the model itself predicts, as in the paper, in place of the true "
        "ones with noise",
    )
    parser.add_argument(
        "--sync-judge",
        metavar="FILE",
        help="a sync judge that also judges the lips, as --sync-portraits show them; not the one that scores the films",
    )
    parser.add_argument(
        "--sync-portraits", nargs="+", metavar="PHOTO", default=(), help="photographs that show their lips to it"
    )
    parser.add_argument(
        "--sync-weight", type=number(Range(0.0, 1000.0)), default=0.08, help="of its loss (%(default)s)"
    )
    parser.add_argument(
        "--workers", type=number(Range(0, 1024)), default=0, help="processes that prepare batches (%(default)s)"
    )
