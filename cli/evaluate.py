"""evaluate: the figures of the model card."""

from __future__ import annotations

import argparse
from pathlib import Path

from tqdm import tqdm

from .options import add_machine, add_networks, command, positive_int, use_machine

REAL = {
    "portraits": "photographs of one face: commanded motion, and a voice",
    "videos": "films of a moving head, re-enacted from their first frame",
    "speakers": "films of people speaking: their lips compared with the animated ones",
    "faces": "pictures with faces, for the face finder",
    "faceless": "pictures without faces, for the face finder",
}


def add(commands) -> argparse.ArgumentParser:
    """Declare the command."""
    parser = command(
        commands,
        "evaluate",
        "measure the networks on people and voices held out of training",
        run,
        """
evaluate --out runs/figures
evaluate --corpus data/held_out --out runs/figures --renderer runs/renderer.safetensors
evaluate --out runs/real --no-drawn --portraits photos --videos films --speakers talks --faces crowds --faceless views
""",
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="for figures.json, figures.md and contact sheets")
    parser.add_argument("--corpus", metavar="DIR", help="held-out corpus (default: drawn anew, from the card's seed)")
    parser.add_argument("--groups", type=positive_int, default=64, help="groups of stills (%(default)s)")
    parser.add_argument("--clips", type=positive_int, default=16, help="talking clips (%(default)s)")
    parser.add_argument("--no-voice", action="store_true", help="the renderer alone")
    parser.add_argument("--no-drawn", action="store_true", help="measure on real files only, without the drawn corpus")
    group = parser.add_argument_group("real files", "files or folders, evaluated with MediaPipe (extra eval)")
    for name, what in REAL.items():
        group.add_argument(f"--{name}", nargs="+", metavar="PATH", default=[], help=what)
    add_networks(parser, motion_model=True)
    add_machine(parser)
    return parser


def run(options: argparse.Namespace) -> None:
    """Run the command; prints the tables of the card."""
    from ..learning.evaluation.real import PICTURES, VIDEOS, RealFiles, evaluate_real, files_of, real_table
    from ..learning.evaluation.report import evaluate, table, write_report
    from ..model_loaders.checkpoint import load_motion_model, load_renderer

    kinds = {name: VIDEOS if name in ("videos", "speakers") else PICTURES for name in REAL}
    files = RealFiles(**{name: files_of(getattr(options, name), kind) for name, kind in kinds.items()})
    with use_machine(options) as machine, tqdm(disable=None, leave=False) as bar:

        def report(what: str, done: int, total: int) -> None:
            bar.set_description(what, refresh=False)
            bar.total, bar.n = total, done
            bar.refresh()

        renderer = load_renderer(options.renderer).to(machine.device)
        model = None if options.no_voice else load_motion_model(options.motion_model).to(machine.device)
        figures, tables = {}, []
        if not options.no_drawn:
            figures = evaluate(
                renderer,
                model,
                corpus=options.corpus,
                out=options.out,
                groups=options.groups,
                clips=options.clips,
                progress=report,
            )
            tables.append(table(figures))
        if any(vars(files).values()):
            figures["real"] = evaluate_real(renderer, model, files, options.out, progress=report)
            tables.append(real_table(figures["real"]))
        if not tables:
            raise ValueError("--no-drawn leaves nothing to measure: name real files, such as --portraits FOLDER")
        write_report(figures, "\n".join(tables), options.out)
    print("\n".join(tables), end="")
    print(Path(options.out) / "figures.json")
