"""fit: names for the motion of a renderer that learnt it from films alone."""

from __future__ import annotations

import argparse

from .options import add_machine, command, positive_int, seed, use_machine


def add(commands) -> argparse.ArgumentParser:
    """Declare the command."""
    parser = command(
        commands,
        "fit",
        "fit named parameters to a free motion space, on drawn people",
        run,
        """
fit --renderer runs/free.safetensors --data data/drawn -o runs/named.safetensors
""",
    )
    parser.add_argument("--renderer", required=True, metavar="FILE", help="of a free motion space (train stage1)")
    parser.add_argument("--data", required=True, metavar="DIR", help="a corpus with labelled stills")
    parser.add_argument("-o", "--out", required=True, metavar="FILE.safetensors", help="the renderer with names")
    parser.add_argument("--groups", type=positive_int, default=800, help="of stills, at most (%(default)s)")
    parser.add_argument("--seed", type=seed, default=0)
    add_machine(parser)
    return parser


def run(options: argparse.Namespace) -> None:
    """Run the command; prints how well each parameter is read on people that were not fitted, and the file."""
    from ..files import check_place
    from ..learning.datasets.stills import StillSet
    from ..learning.training.renderer.readout import fit_readout
    from ..model_loaders.checkpoint import load_renderer, save_checkpoint

    check_place(options.out)
    with use_machine(options) as machine:
        renderer = load_renderer(options.renderer).to(machine.device)
        fitted, read = fit_readout(renderer, StillSet(options.data), options.groups, options.seed)
    print("R2 of changes: " + ", ".join(f"{name} {value}" for name, value in read.items()))
    print(save_checkpoint(options.out, fitted, "renderer", fitted.config, {"readout": read}))
