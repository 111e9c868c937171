"""The command line: one file a command, with `add(commands)` that declares it and `run(options)` that runs it."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Sequence

from .. import __version__
from .faults import sentence

COMMANDS = (
    "animate",
    "reenact",
    "import-motion",
    "export-motion",
    "live",
    "dub",
    "talk",
    "express",
    "run",
    "corpus",
    "prepare",
    "train",
    "personalise",
    "export",
    "fit",
    "evaluate",
    "compare",
    "tables",
    "study",
    "test-set",
    "bench",
    "convert-actalker",
)
CANCELLED, BAD_INPUT = 130, 2

EXAMPLES = """examples:
  python -m mamba_portrait animate photo.jpg voice.wav -o talking.mp4
  python -m mamba_portrait reenact photo.jpg driving.mp4 -o moved.mp4
  python -m mamba_portrait dub film.mp4 voice.wav -o dubbed.mp4
  python -m mamba_portrait express photo.jpg --smile .5 -o still.png
  python -m mamba_portrait run workflows/api/talking_portrait.json
  python -m mamba_portrait COMMAND --help"""


def parser(names: Sequence[str] = COMMANDS) -> argparse.ArgumentParser:
    """The command line with the commands `names`. Its help imports no PyTorch."""
    root = argparse.ArgumentParser(
        prog="python -m mamba_portrait",
        description="Audio-driven and video-driven portrait animation, without ComfyUI.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    root.add_argument("--version", action="version", version=f"mamba-portrait {__version__}")
    commands = root.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in names:
        command = importlib.import_module("." + name.replace("-", "_"), __name__).add(commands)
        for leaf in command if isinstance(command, list) else [command]:
            leaf.add_argument("--debug", action="store_true", help="on an error, show where it happened")
    return root


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status. Wrong input is one sentence on stderr and status 2."""
    arguments = sys.argv[1:] if arguments is None else arguments
    asked = [name for name in arguments[:1] if name in COMMANDS]  # the others need not be imported
    # OpenMP reads this when PyTorch is imported. Its threads otherwise wait for each other in a loop, and where another
    # program has one of the cores they use up the time slice of the thread they wait for: 2.5 s for a face, not .25.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    options = parser(asked or COMMANDS).parse_args(arguments)
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stderr)
    try:
        options.run(options)
    except KeyboardInterrupt:
        print("cancelled", file=sys.stderr)
        return CANCELLED
    except Exception as error:
        if options.debug:
            raise
        print(f"error: {sentence(error, options.command)}", file=sys.stderr)
        return BAD_INPUT
    return 0
