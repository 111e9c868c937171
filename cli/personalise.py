"""personalise: a minute of somebody's film makes the networks that person's."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from ..pipelines.settings import Range
from .options import add_machine, add_networks, command, importing, number, use_machine
from .stages import progress

MINUTES = Range(0.01, 600.0)


def add(commands) -> argparse.ArgumentParser:
    """Declare the command."""
    parser = command(
        commands,
        "personalise",
        "learn a person from a minute of their film: a small file that animate --person takes",
        run,
        """
personalise anna.mp4 -o anna.safetensors
personalise clips_of_anna --minutes 8 -o anna.safetensors
animate anna.jpg voice.wav -o talking.mp4 --person anna.safetensors
""",
    )
    parser.add_argument(
        "film", metavar="FILM", nargs="+", help="films of one person who speaks, folders of them, or a list of clips"
    )
    parser.add_argument("-o", "--out", required=True, metavar="OUT.safetensors", help="the person's file")
    parser.add_argument(
        "--minutes", type=number(MINUTES), default=4.0, help="for learning the face; lips take seconds (%(default)s)"
    )
    parser.add_argument(
        "--seed", type=number(Range(0, (1 << 31) - 1)), default=0, help="of what is random (%(default)s)"
    )
    add_networks(parser, motion_model=True, person=False)
    add_machine(parser)
    return parser


def run(options: argparse.Namespace) -> None:
    """Run the command; prints what was learnt, and the file."""
    from ..files import check_place

    if Path(options.out).suffix.lower() != ".safetensors":
        raise ValueError(f"--out {options.out}: name a file that ends in .safetensors.")
    check_place(options.out)
    with importing():
        from ..learning.training.personal.film import open_films
        from ..learning.training.personal.train import PersonSettings, personalise
        from ..model_loaders.checkpoint import load_motion_model, load_renderer
        from ..model_loaders.person import save_person
    films = open_films(options.film)
    with use_machine(options) as machine, progress("learning", "part") as bar:
        renderer = load_renderer(options.renderer).to(machine.device)
        model = load_motion_model(options.motion_model).to(machine.device)
        settings = PersonSettings(minutes=options.minutes, seed=options.seed)
        person, report = personalise(renderer, model, films, settings, partial(_tell, bar))
    print(report)
    print(save_person(options.out, person))


def _tell(bar, done: float, picture) -> None:
    bar(round(1000 * done), 1000)
