"""train actalker: ACTalker's training step, over the clips of a corpus."""

from __future__ import annotations

import argparse

from ..files import check_folder
from ..pipelines.settings import Range
from .options import add_machine, command, number, positive_int, seed, use_machine
from .train_options import add_checkpoints, add_run, plan, show


def add(stages) -> argparse.ArgumentParser:
    """Declare the command."""
    parser = command(
        stages,
        "actalker",
        "ACTalker as far as its papers tell, from clips with a video",
        run,
        """
corpus --out data/clips --clips 40 --painted 40
train actalker --data data/clips --out runs/actalker --steps 20
train actalker --data data/clips --svd stable-video-diffusion-img2vid-xt-1-1 --encoders models/actalker --out runs/svd
train actalker --data data/clips --weights models/actalker --out runs/actalker --device cuda
""",
    )
    parser.add_argument("--data", required=True, metavar="DIR", help="a corpus whose clips have a video.mp4")
    parser.add_argument("--out", required=True, metavar="DIR", help="gets actalker.safetensors and log.jsonl")
    add_beginning(parser)
    parser.add_argument("--steps", type=positive_int, default=100, help="updates over all resumed runs (%(default)s)")
    parser.add_argument("--batch-size", type=number(Range(1, 4096)), default=1, help="windows an update (%(default)s)")
    parser.add_argument(
        "--rate", type=number(Range(0.0, 1.0)), default=1e-5, help="AdamW's learning rate (%(default)s)"
    )
    parser.add_argument(
        "--size",
        type=number(Range(64, 1024)),
        metavar="PIXELS",
        help="short side (default: 640; the reduced size's: 128)",
    )
    parser.add_argument("--seed", type=seed, default=0)
    add_run(parser)
    add_checkpoints(parser, "500 updates")
    add_machine(parser)
    return parser


def add_beginning(parser) -> None:
    """--weights, --svd, --encoders: with what it begins."""
    parser.add_argument(
        "--weights",
        metavar="PATH",
        help="ACTalker's published files or a converted file, to go on from (default: reduced size, random weights)",
    )
    parser.add_argument(
        "--svd",
        metavar="PATH",
        help="begin on Stable Video Diffusion instead, with new layers: its folder in diffusers' layout or single file",
    )
    parser.add_argument(
        "--encoders",
        metavar="PATH",
        help="with --svd: the folder with ArcFace, Whisper and the motion networks, or an ACTalker file",
    )


def run(options: argparse.Namespace) -> None:
    """Train; prints the file."""
    check_folder(options.out)
    from ..learning.training.actalker.train import SAVES, ACTalkerSettings, train_actalker  # needs the extra

    with use_machine(options) as machine:
        settings = ACTalkerSettings(
            options.weights, options.batch_size, options.rate, options.size, options.svd, options.encoders
        )
        show(train_actalker(options.data, options.out, plan(options, machine, saves=SAVES), settings))


def run_row(options: argparse.Namespace, machine, fields: dict):
    """Train ACTalker as an experiment says; the file."""
    from ..learning.training.actalker.train import SAVES, ACTalkerSettings, train_actalker  # needs the extra

    settings = ACTalkerSettings(options.weights, svd=options.svd, encoders=options.encoders, **fields)
    return train_actalker(options.data, options.out, plan(options, machine, saves=SAVES), settings)
