"""express: a photo and an expression, as a still or a film without sound."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from ..pipelines.settings import Range, RenderingSettings
from ..vocabulary import FPS
from . import film, motion_changes
from .options import add_machine, add_networks, command, number, use_machine
from .settings import chosen
from .stages import Stages

STILLS = (".png", ".jpg", ".jpeg", ".webp")
SECONDS = Range(0.04, 3600.0)


def add(commands) -> argparse.ArgumentParser:
    """Declare the command."""
    from ..pipelines.controls import CONTROLS

    parser = command(
        commands,
        "express",
        "give a photo another expression, as a still or as a film without sound",
        run,
        """
express photo.jpg --smile .5 --brows .3 -o still.png
express photo.jpg --expression nod@0.5 --expression smile=.4@0-2 -o nod.mp4
express photo.jpg --expression idle --seconds 8 -o idle.mp4
express photo.jpg --keys "0: yaw=0; 1: yaw=12, smile=.4; 2: yaw=0" -o turn.mp4
""",
    )
    parser.add_argument("photo", metavar="PHOTO", help="any picture with a face in it")
    film.add_film(parser)
    film.add_face(parser)
    group = parser.add_argument_group("expression", "held throughout; angles in degrees")
    for name, control in CONTROLS.items():
        flag = "--" + name.replace("_", "-")
        group.add_argument(flag, type=number(control.allowed), metavar="VALUE", help=str(control.allowed))
    group.add_argument("--seconds", type=number(SECONDS), help=f"length of a film ({SECONDS}; default: as it lasts)")
    add_networks(parser, motion_model=False)
    add_machine(parser)
    return parser


def run(options: argparse.Namespace) -> None:
    """Run the command; prints the file."""
    from ..model_loaders.checkpoint import load_renderer
    from ..pipelines.controls import CONTROLS

    is_still = Path(options.out).suffix.lower() in STILLS
    film.check_out(options, STILLS)
    held = {name: getattr(options, name) for name in CONTROLS if getattr(options, name)}
    added = motion_changes.additions(options)
    if not held and not added:
        raise ValueError("There is no expression: give one such as --smile .5 or --expression nod@0.")
    stages = Stages()
    with use_machine(options) as machine:
        with stages("load the networks"):
            renderer = load_renderer(options.renderer, options.framing, options.person).to(machine.device)
        face = film.portrait_of(options, renderer, machine, stages)
        if is_still:
            _write_still(options, renderer, face, held, added, machine)
        else:
            film.write_film(options, renderer, face, _motion(options, renderer, held, added), None, machine, stages)


def _motion(options: argparse.Namespace, renderer, held: dict[str, float], added: list):
    """What is held, as long as all of it lasts; `write_film` adds the rest."""
    from ..media.timing import exact_rate
    from ..pipelines.expression import Addition, add_expressions, rest

    fps = exact_rate(options.fps or FPS)
    seconds = options.seconds or max([one.lasts for one in added], default=1.0)
    motion = rest(renderer, max(1, math.ceil(seconds * fps)), fps)
    return add_expressions(motion, renderer, [Addition(held)] if held else [])


def _write_still(options: argparse.Namespace, renderer, face, held: dict[str, float], added: list, machine) -> None:
    """The frame in which the expression is strongest."""
    from dataclasses import replace

    from ..media.crop import paste_back
    from ..media.motion import save_motion
    from ..media.photo import save_image
    from ..pipelines import rendering
    from ..pipelines.expression import Addition, expressed

    motion, number = expressed(renderer, [*([Addition(held)] if held else []), *added])
    motion = replace(motion, values=motion.values[number : number + 1])
    if options.save_motion:
        save_motion(options.save_motion, motion)
    settings = chosen(options, RenderingSettings)
    (frames,) = rendering.render(renderer, face.source, face.appearance, motion, settings, bf16=machine.bf16)
    frames = paste_back(face.photo, frames, face.crop) if options.paste_back else frames
    print(save_image(options.out, frames[0]))
