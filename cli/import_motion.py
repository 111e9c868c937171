"""import-motion: a captured face as a motion file."""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path

from .export_motion import RATE
from .options import add_machine, add_networks, command, number, use_machine


def add(commands) -> argparse.ArgumentParser:
    """Declare the command."""
    parser = command(
        commands,
        "import-motion",
        "read a captured face (Live Link Face, MediaPipe, FACEGOOD) as a motion file",
        run,
        """
import-motion MySlate_1_iPhone_cal.csv -o take.safetensors
import-motion landmarks.npy -o take.safetensors --rate 30 --neutral "first frame"
reenact photo.jpg MySlate_1_iPhone_cal.csv --sound take.wav -o moved.mp4
""",
    )
    parser.add_argument("capture", metavar="CAPTURE", help="a CSV of blend shapes, or landmarks in an .npy or .npz")
    parser.add_argument("-o", "--out", required=True, metavar="OUT.safetensors", help="the motion file to write")
    parser.add_argument("--fps", type=number(RATE), default=25.0, help="frames a second of the motion (%(default)s)")
    add_capture(parser, "--neutral")
    add_networks(parser, motion_model=False)
    add_machine(parser)
    return parser


def add_capture(parser, neutral: str) -> None:
    """How a capture is read: --rate, and an option of the name `neutral`."""
    from ..media.captures import NEUTRALS

    parser.add_argument("--rate", type=number(RATE), help="of a capture that tells no times (default 60; landmarks 25)")
    parser.add_argument(
        neutral,
        dest="capture_neutral",
        choices=NEUTRALS,
        default=NEUTRALS[0],
        help="what movement of a capture is told from (%(default)s)",
    )


def captured(options: argparse.Namespace, path: str, renderer):
    """The motion of a capture by these options."""
    from ..pipelines.captures import load_capture

    rates = options.fps or 25.0, options.rate
    fps, rate = (None if v is None else Fraction(v).limit_denominator(1001) for v in rates)
    return load_capture(path, renderer, fps=fps, rate=rate, neutral=options.capture_neutral)


def run(options: argparse.Namespace) -> None:
    """Run the command; prints the file and how long it is."""
    from ..files import check_place
    from ..media.motion import save_motion
    from ..model_loaders.checkpoint import load_renderer

    check_place(Path(options.out))
    with use_machine(options) as machine:
        motion = captured(options, options.capture, load_renderer(options.renderer).to(machine.device))
    path = save_motion(options.out, motion)
    print(f"{path}: {motion.frames} frames, {motion.duration:.2f} s")
