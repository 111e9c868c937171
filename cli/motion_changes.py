"""Options that change motion before it is rendered: frame rate, mood, expressions; of all commands that make films."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..pipelines.settings import Range
from .options import number

RATE = Range(1.0, 240.0)


def add_changes(parser: argparse.ArgumentParser) -> None:
    """--fps, --mood, --manner, --expression, --keys and others."""
    from ..pipelines.moods import LIVELINESS, MANNERS, MOODS, STRENGTH

    group = parser.add_argument_group("changes of the motion")
    group.add_argument(
        "--fps", type=number(RATE), help=f"frames a second of the film ({RATE}; default: the motion's, 25 of a voice)"
    )
    group.add_argument("--mood", choices=MOODS, default="neutral", help="the lips keep following the voice")
    group.add_argument("--mood-strength", type=number(STRENGTH), default=1.0, help=f"of --mood ({STRENGTH}; default 1)")
    group.add_argument(
        "--liveliness",
        type=number(LIVELINESS),
        default=1.0,
        help=f"factor on the motion of head, brows and gaze: .5 calm, 1.5 lively ({LIVELINESS}; default 1)",
    )
    group.add_argument("--manner", choices=MANNERS, help="settings of all three")
    group.add_argument(
        "--expression",
        action="append",
        default=[],
        metavar="WHAT@START-END",
        help="add NAME=VALUE,... or a preset (nod, shake, smile, wink, blink, look aside, surprise, idle) from START "
        "to END seconds, such as smile=.5@1.0-2.5 or nod@1; may be repeated (docs/editing.md)",
    )
    group.add_argument(
        "--keys",
        metavar="TEXT|FILE",
        help="add key frames: SECONDS: NAME=VALUE, ... in lines of a file, or in a text with semicolons between them",
    )


def additions(options: argparse.Namespace) -> list:
    """What --expression and --keys add. ValueError, in one sentence, for what cannot be read."""
    from ..pipelines.controls import read_keys
    from ..pipelines.expression import Addition, read_addition

    found = [read_addition(text) for text in options.expression]
    if options.keys:
        file = Path(options.keys)
        text = options.keys if ":" in options.keys else file.read_text(encoding="utf-8")
        found.append(Addition(read_keys(text)))
    return found


def changed(options: argparse.Namespace, renderer, motion):
    """The motion with what the options change, its frame rate first."""
    from ..media.motion_edit import resample_motion
    from ..media.timing import exact_rate
    from ..pipelines.expression import add_expressions, set_mood
    from ..pipelines.moods import MANNERS, Manner

    if options.fps:
        motion = resample_motion(motion, fps=exact_rate(options.fps))
    manner = MANNERS.get(options.manner, Manner(options.mood, options.mood_strength, options.liveliness))
    if manner != Manner("neutral", manner.strength, 1.0):
        motion = set_mood(motion, renderer, manner.mood, manner.strength, manner.liveliness)
    added = additions(options)
    return add_expressions(motion, renderer, added) if added else motion
