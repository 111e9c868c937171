"""evaluate: the figures of the model card."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tqdm import tqdm

from .options import add_machine, add_networks, command, machine, positive_int


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
evaluate --out runs/figures --portraits faces/*.jpg
""",
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="for figures.json, figures.md and contact sheets")
    parser.add_argument(
        "--corpus", metavar="DIR", help="what to measure on (default: drawn anew, from the card's seed)"
    )
    parser.add_argument("--groups", type=positive_int, default=64, help="groups of stills (%(default)s)")
    parser.add_argument("--clips", type=positive_int, default=16, help="talking clips (%(default)s)")
    parser.add_argument("--no-voice", action="store_true", help="the renderer alone")
    parser.add_argument(
        "--portraits", nargs="+", metavar="PHOTO", help="also photographs, judged by MediaPipe's face mesh (extra eval)"
    )
    add_networks(parser, motion_model=True)
    add_machine(parser)
    return parser


def run(options: argparse.Namespace) -> None:
    """Do it; prints the table of the card."""
    from ..evaluation.report import evaluate, table, write_report
    from ..model_loaders.checkpoint import load_motion_model, load_renderer

    with machine(options) as here, tqdm(disable=None, leave=False) as bar:

        def report(what: str, done: int, total: int) -> None:
            bar.set_description(what, refresh=False)
            bar.total, bar.n = total, done
            bar.refresh()

        renderer = load_renderer(options.renderer).to(here.device)
        figures = evaluate(
            renderer,
            None if options.no_voice else load_motion_model(options.motion_model).to(here.device),
            corpus=options.corpus,
            out=options.out,
            groups=options.groups,
            clips=options.clips,
            progress=report,
        )
        if options.portraits:
            figures["portraits"] = _judged(renderer, options.portraits)
            write_report(figures, Path(options.out))
    print(table(figures), end="")
    if options.portraits:
        print(json.dumps(figures["portraits"], indent=1))
    print(Path(options.out) / "figures.json")


def _judged(renderer, photos: list[str]) -> dict[str, float]:
    """Each photo's own portrait under commanded motion, seen by a face mesh that knows nothing of us."""
    from ..evaluation.face_mesh import measure_portraits
    from ..media.crop import crop_portrait
    from ..media.faces import choose_face, find_faces
    from ..media.photo import load_photo

    pictures = []
    for file in photos:
        photo = load_photo(file)
        portrait, _ = crop_portrait(photo, choose_face(find_faces(photo)))
        pictures.append(portrait.movedim(-1, 0))
    return measure_portraits(renderer, pictures)
