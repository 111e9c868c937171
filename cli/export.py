"""export: a training run's checkpoint to a self-describing file."""

from __future__ import annotations

import argparse
import json

from .options import command


def add(commands) -> argparse.ArgumentParser:
    """Declare the command."""
    parser = command(
        commands,
        "export",
        "convert a training run's checkpoint to self-describing fp16 safetensors",
        run,
        """
export runs/a/stage1.pt -o runs/renderer.safetensors
export runs/b/stage2.pt --note "corpus seed 1, 3600 clips"
export runs/rendering/stage1.pt --motion-encoder runs/motion/stage1.pt
export runs/a/stage1.pt --average runs/b/stage1.pt runs/c/stage1.pt
""",
    )
    parser.add_argument("checkpoint", metavar="RUN.pt", help="stage1.pt or stage2.pt of a run")
    parser.add_argument("-o", "--out", metavar="FILE.safetensors", help="default: the place of the shipped weights")
    parser.add_argument("--note", default="", help="a line about the training, kept in the file")
    parser.add_argument(
        "--motion-encoder",
        metavar="RUN.pt",
        help="a stage1.pt that was trained beside RUN.pt from the same weights: its motion encoder is taken",
    )
    parser.add_argument(
        "--matte",
        metavar="RUN.pt",
        help="a stage1.pt of `--parts matte` beside RUN.pt from the same weights: its matte is taken",
    )
    parser.add_argument(
        "--average",
        nargs="+",
        metavar="RUN.pt",
        default=(),
        help="runs that went on from the same weights as RUN.pt, or from RUN.pt itself: the mean of all is written",
    )
    return parser


def run(options: argparse.Namespace) -> None:
    """Run the command; prints what was written."""
    from ..files import check_place
    from ..learning.training.export import average_runs, read_run, take_matte, take_motion_encoder
    from ..model_loaders.checkpoint import save_checkpoint, shipped

    if options.out:
        check_place(options.out)
    kind, module, training = read_run(options.checkpoint)
    check_place(options.out or shipped(kind))
    training["note"] = options.note
    if options.average:
        training["averaged"] = average_runs(module, options.checkpoint, options.average)
    if options.motion_encoder:
        training["motion_encoder"] = take_motion_encoder(kind, module, options.checkpoint, options.motion_encoder)
    if options.matte:
        module, training["matte"] = take_matte(kind, module, options.checkpoint, options.matte)
    path = save_checkpoint(
        options.out or shipped(kind), module, kind, module.config, {"training": json.dumps(training)}
    )
    files = sorted(file for file in path.parent.glob(path.stem + "*.safetensors"))
    total = sum(file.stat().st_size for file in files)
    parameters = sum(p.numel() for p in module.parameters())
    print(
        f"{kind.replace('_', ' ')}: {parameters / 1e6:.2f} M parameters, {total / 1e6:.1f} MB in {len(files)} file(s)"
    )
    for file in files:
        print(file)
