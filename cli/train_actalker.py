"""train actalker: ACTalker's training step, over the clips of a corpus."""

from __future__ import annotations

import argparse

from .options import add_machine, command, positive_int, use_machine


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
train actalker --data data/clips --weights models/actalker --out runs/actalker --device cuda
""",
    )
    parser.add_argument("--data", required=True, metavar="DIR", help="a corpus whose clips have a video.mp4")
    parser.add_argument("--out", required=True, metavar="DIR", help="gets actalker.safetensors and log.jsonl")
    parser.add_argument(
        "--weights", metavar="PATH", help="published files or a converted file (default: reduced size, random weights)"
    )
    parser.add_argument("--steps", type=positive_int, default=100, help="updates, of one window each (%(default)s)")
    parser.add_argument("--rate", type=float, default=1e-5, help="AdamW's learning rate (%(default)s)")
    parser.add_argument("--size", type=positive_int, metavar="PIXELS", help="short side (default: the model's own)")
    parser.add_argument("--seed", type=int, default=0)
    add_machine(parser)
    return parser


def run(options: argparse.Namespace) -> None:
    """Train; prints the file."""
    from ..learning.training.actalker.train import train_actalker

    with use_machine(options) as machine:
        path = train_actalker(
            options.data,
            options.out,
            weights=options.weights,
            steps=options.steps,
            rate=options.rate,
            image_size=options.size,
            device=machine.device,
            bf16=machine.bf16,
            seed=options.seed,
        )
    print(path)
