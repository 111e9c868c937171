"""Options that change motion before it is rendered: expressions. Shared by the commands that make films."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_changes(parser: argparse.ArgumentParser) -> None:
    """--expression, --keys."""
    group = parser.add_argument_group("changes of the motion")
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
    """The motion with what the options change."""
    from ..pipelines.expression import add_expressions

    added = additions(options)
    return add_expressions(motion, renderer, added) if added else motion
