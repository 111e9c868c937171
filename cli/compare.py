"""compare: methods judged on the same films, with what their differences are worth."""

from __future__ import annotations

import argparse
from pathlib import Path

from .judging import add_judging, open_judge, report_judged, samples_of
from .options import add_machine, add_networks, command, use_machine


def add(commands) -> argparse.ArgumentParser:
    """Declare the command."""
    parser = command(
        commands,
        "compare",
        "judge the films of several methods against the true ones, with intervals of their differences",
        run,
        """
compare --manifest data/grid.csv --out runs/compared --method ours=runs/judged --method theirs=films/theirs
compare --manifest data/grid.csv --out runs/seeds --drive voice --method old=weights --method new:1=r1 --method new:2=r2
""",
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="for tables, plots and films side by side")
    parser.add_argument(
        "--method",
        action="append",
        required=True,
        metavar="NAME=FOLDER",
        help="films by the clips' names, a folder that `evaluate --protocol` wrote, or one of weights, whose films are "
        "made; NAME:SEED=FOLDER for runs of one method; repeat it",
    )
    parser.add_argument("--drive", choices=("video", "voice"), default="video", help="what drives the portraits")
    parser.add_argument("--against", metavar="NAME", help="method that the others are subtracted from (the first)")
    add_judging(parser, "implicit-motion-talking-head")
    add_networks(parser, motion_model=False, person=False)
    add_machine(parser)
    return parser


def run(options: argparse.Namespace) -> None:
    """Run the command; prints the tables."""
    from ..files import check_folder
    from ..learning.evaluation.judge.protocols import protocol_of
    from ..learning.evaluation.judge.run import Bar, judge_methods, method_of
    from ..learning.evaluation.judge.tables import difference_table, paper_table
    from ..model_loaders.checkpoint import load_renderer

    check_folder(options.out)
    protocol, samples = protocol_of(options.protocol), samples_of(options)
    with use_machine(options) as machine:
        places = [_films_of(text, options, samples, machine) for text in options.method]
        methods = [method_of(text, samples, options.drive) for text in places]
        labels = [method.label for method in methods]
        if len(set(labels)) < len(labels):
            raise ValueError("two methods have one name: give each another, or NAME:SEED=FOLDER to runs of one method")
        against = options.against or methods[0].name
        if against not in {method.name for method in methods}:
            raise ValueError(f"--against {against} is none of the methods: {', '.join(labels)}")
        renderer = load_renderer(options.renderer).to(machine.device)
        bar = Bar()
        with open_judge(options, renderer, machine.device) as judge:
            verdict = judge_methods(judge, samples, methods, options.size or protocol.size, bar)
        bar.close()

    def tables(statistics) -> list[str]:
        differences = [difference_table(statistics, against)] if len(statistics.runs) > 1 else []
        return [paper_table(statistics, protocol, ()), *differences]

    print(report_judged(options, samples, verdict, tables, against), end="")
    print(Path(options.out) / "table.md")


def _films_of(text: str, options: argparse.Namespace, samples, machine) -> str:
    """NAME=FOLDER as it is, or with the folder of films made of the weights in it."""
    from ..learning.evaluation.judge.filming import make_films, weights_in
    from ..learning.evaluation.judge.protocols import protocol_of
    from ..learning.evaluation.judge.run import Bar
    from ..model_loaders.checkpoint import load_motion_model, load_renderer

    label, separator, folder = text.partition("=")
    weights = weights_in(folder) if separator else None
    if weights is None:
        return text
    renderer, model = load_renderer(weights[0]).to(machine.device), None
    if options.drive == "voice":
        model = load_motion_model(weights[1]).to(machine.device)
    out, bar = Path(options.out) / "films" / label.replace(":", "_") / options.drive, Bar()
    size = options.size or protocol_of(options.protocol).size
    make_films(
        renderer,
        model,
        samples,
        out,
        options.drive,
        size,
        bf16=machine.bf16,
        progress=lambda done, total: bar(f"films of {label}", done, total),
    )
    bar.close()
    return f"{label}={out}"
