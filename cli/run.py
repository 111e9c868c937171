"""run: a ComfyUI workflow file, without ComfyUI."""

from __future__ import annotations

import argparse
import json
from typing import Any

from tqdm import tqdm

from .options import add_machine, command, use_machine


def add(commands) -> argparse.ArgumentParser:
    """Declare the command."""
    parser = command(
        commands,
        "run",
        "run a workflow of ComfyUI without ComfyUI",
        run,
        """
run workflows/api/talking_portrait.json
run workflows/api/talking_portrait.json --set MambaPortraitSampleMotion.seed=5 --output-dir films
run my_graph_api.json --input-dir ~/pictures --set 12.image=me.jpg
""",
    )
    parser.add_argument("workflow", metavar="WORKFLOW.json", help="what ComfyUI's Save or Export (API) writes")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        type=_override,
        metavar="NODE.INPUT=VALUE",
        help="change one input; NODE is an id, a class or a title. May be repeated",
    )
    parser.add_argument(
        "--input-dir",
        metavar="DIR",
        help="folder of load nodes (default: the current folder); they read nothing outside it and the output folder",
    )
    parser.add_argument(
        "--output-dir", metavar="DIR", help="folder of save nodes (default: ./output); they write nowhere else"
    )
    add_machine(parser)
    return parser


def _override(text: str) -> tuple[str, Any]:
    """NODE.INPUT=VALUE; the value is JSON where it reads as such, else text."""
    key, equals, value = text.partition("=")
    if not equals or "." not in key:
        raise argparse.ArgumentTypeError(f"'{text}' is not NODE.INPUT=VALUE, such as 12.seed=3")
    try:
        return key, json.loads(value)
    except (ValueError, RecursionError):
        return key, value


def run(options: argparse.Namespace) -> None:
    """Run the command; prints the time of each node and the files that were saved."""
    from ..nodes.workflow import run_workflow

    with use_machine(options), tqdm(disable=None, leave=False) as bar:

        def report(node_id: str, title: str, done: int, total: int) -> None:
            bar.set_description(title, refresh=False)
            bar.total, bar.n = total, done
            bar.refresh()

        result = run_workflow(
            options.workflow,
            dict(options.set),
            input_dir=options.input_dir,
            output_dir=options.output_dir,
            progress=report,
        )
    width = max(map(len, result.titles.values()), default=0)
    for node_id, seconds in result.seconds.items():
        print(f"  {result.titles[node_id]:<{width}}  {seconds:8.2f} s")
    print(f"  {'total':<{width}}  {sum(result.seconds.values()):8.2f} s")
    for file in result.files:
        print(file)
