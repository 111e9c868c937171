"""export-motion: motion, or a voice, as blend shapes or as a film of face points."""

from __future__ import annotations

import argparse
from fractions import Fraction
from functools import partial
from pathlib import Path

from ..pipelines.settings import PoseSettings, Range
from .options import add_machine, add_networks, command, number, seed, use_machine
from .settings import add_setting, chosen

RATE = Range(1.0, 240.0)


def add(commands) -> argparse.ArgumentParser:
    """Declare the command."""
    from ..media.captures import FORMS

    parser = command(
        commands,
        "export-motion",
        "write motion, or that of a voice, as blend shapes (CSV), or as a film of face points",
        run,
        """
export-motion voice.wav -o voice.csv
export-motion talk.safetensors -o talk.csv --form mediapipe --fps 25
export-motion talk.safetensors -o poses.mp4 --photo photo.jpg
""",
    )
    parser.add_argument("motion", metavar="MOTION", help="a motion file, a capture, or a voice (any sound)")
    parser.add_argument("-o", "--out", required=True, metavar="OUT", help="a .csv, or a film of face points (.mp4)")
    parser.add_argument("--form", choices=FORMS, default=FORMS[0], help="columns of the CSV (%(default)s)")
    parser.add_argument("--fps", type=number(RATE), help=f"frames a second of the CSV ({RATE}; default 60)")
    parser.add_argument("--seed", type=seed, default=0, help="of a voice's motion; another one gives another head")
    group = parser.add_argument_group("film of face points")
    group.add_argument("--photo", metavar="PHOTO", help="the portrait that they are laid on; its face is found")
    add = partial(add_setting, group, PoseSettings)
    add("--size", "size", "side of the pictures in pixels")
    add("--points", "count", "68 points, or 70 with the pupils")
    add("--style", "style", "points alone, as DWPose draws a face, or joined by lines")
    add("--radius", "radius", "of a point, in a picture of 512 pixels")
    add_networks(parser, motion_model=True)
    add_machine(parser)
    return parser


def run(options: argparse.Namespace) -> None:
    """Run the command; prints the file."""
    from ..files import check_place
    from ..model_loaders.checkpoint import load_renderer
    from ..pipelines.captures import save_capture

    out = Path(options.out)
    if out.suffix.lower() not in (".csv", ".mp4", ".mov", ".mkv"):
        raise ValueError(f"--out {options.out}: name a .csv, or a film (.mp4, .mov, .mkv) of face points.")
    film = out.suffix.lower() != ".csv"
    if film and not options.photo:
        raise ValueError("A film of face points needs the portrait that they are laid on: name it with --photo.")
    check_place(out)
    with use_machine(options) as machine:
        renderer = load_renderer(options.renderer, person=options.person).to(machine.device)
        motion = read_motion(options, renderer, machine)
        if film:
            _write_film(out, options, renderer, motion, machine)
        else:
            fps = Fraction(options.fps or 60).limit_denominator(1001)
            save_capture(out, motion, renderer, form=options.form, fps=fps)
    print(out)


def read_motion(options: argparse.Namespace, renderer, machine):
    """Motion of a motion file, a capture or a voice."""
    from ..media.captures import SUFFIXES
    from ..media.motion import check_language, load_motion
    from ..media.sound_file import SoundFile
    from ..model_loaders.checkpoint import load_motion_model
    from ..pipelines import speaking
    from ..pipelines.captures import load_capture
    from ..pipelines.settings import SamplingSettings

    path = Path(options.motion)
    if path.suffix.lower() == ".safetensors":
        return load_motion(path)
    if path.suffix.lower() in SUFFIXES:
        return load_capture(path, renderer)
    voice = speaking.prepare_voice_file(SoundFile(path))
    model = load_motion_model(options.motion_model, person=options.person).to(machine.device)
    check_language(model.motion_language, renderer)
    heard = (speaking.extract_global_audio(model, voice), speaking.extract_local_audio(model, voice))
    return speaking.generate_motion(model, *heard, None, SamplingSettings(seed=options.seed), bf16=machine.bf16)


def _write_film(out: Path, options: argparse.Namespace, renderer, motion, machine) -> None:
    from ..media.photo import load_photo
    from ..pipelines import portrait, writing
    from ..pipelines.framing import frame_portrait
    from ..pipelines.pose_pictures import pose_pictures

    framed = frame_portrait(load_photo(options.photo))
    source = portrait.encode_source(renderer, framed.picture, bf16=machine.bf16)
    pictures = pose_pictures(renderer, source, motion, chosen(options, PoseSettings))
    writing.assemble(out, pictures, motion.fps)
