"""tables: a paper's table with our figures, on whatever data is there."""

from __future__ import annotations

import argparse
import copy
from pathlib import Path

from .judging import PROTOCOLS, add_instruments, open_judge, report_judged
from .options import add_machine, add_networks, command, positive_int, use_machine


def add(commands) -> argparse.ArgumentParser:
    """Declare the command."""
    parser = command(
        commands,
        "tables",
        "a table of the papers with our figures beside theirs; a cell without a figure says what it lacks",
        run,
        """
tables implicit-motion-talking-head --set GRID=data/grid_more drawn --out runs/head
tables implicit-motion-gesture --out runs/gesture
tables actalker --set GRID=data/grid_more --clips 2 --actalker runs/actalker/actalker.safetensors --out runs/actalker
""",
    )
    parser.add_argument("protocol", choices=PROTOCOLS, help="the table")
    parser.add_argument("--out", required=True, metavar="DIR", help="gets table.md, and films and figures of each set")
    parser.add_argument(
        "--set",
        nargs="+",
        default=("drawn",),
        metavar="NAME=PLACE",
        help="data to judge on: a list of clips or a folder that `prepare` wrote; drawn: people drawn for it, whom "
        "nothing was trained on (default)",
    )
    parser.add_argument("--clips", type=positive_int, default=4, metavar="N", help="of each set at most (%(default)s)")
    parser.add_argument("--actalker", metavar="FILE", help="an ACTalker to be in the table `actalker` as well")
    parser.add_argument(
        "--steps", type=positive_int, default=25, help="of ACTalker's sampler, as published 25 (%(default)s)"
    )
    add_instruments(parser.add_argument_group("judging"))
    add_networks(parser, motion_model=True)
    add_machine(parser)
    return parser


def run(options: argparse.Namespace) -> None:
    """Run the command; prints the table."""
    from ..files import check_folder
    from ..learning.evaluation.judge.papers import STUDY
    from ..learning.evaluation.judge.protocols import DRIVES, protocol_of
    from ..learning.evaluation.judge.published import published_table, study_table, write_table

    out, protocol = check_folder(options.out), protocol_of(options.protocol)
    if options.actalker and options.protocol != "actalker":
        raise ValueError("--actalker is for the table actalker.")
    with use_machine(options) as machine:
        networks, lacks = _networks(options, protocol.framing, machine)
        actalker = _actalker(options, machine) if options.actalker else None
        parts = [_part(text, options, networks, actalker, lacks, machine) for text in options.set]
    text = published_table(protocol, parts, DRIVES)
    if options.protocol == "actalker":
        text += "\n" + study_table(STUDY)
    print(text, end="")
    print(write_table(out, text))


def _networks(options: argparse.Namespace, framing: str, machine):
    """The renderer and motion model, or None and what is lacking."""
    from ..model_loaders.checkpoint import load_motion_model, load_renderer

    try:
        renderer = load_renderer(options.renderer, framing).to(machine.device)
        model = load_motion_model(options.motion_model, framing).to(machine.device)
    except FileNotFoundError:
        if options.renderer or options.motion_model:
            raise
        return None, f"no weights for {'half bodies' if framing == 'half' else 'heads'}"
    return (renderer, model), ""


def _actalker(options: argparse.Namespace, machine):
    import torch

    from ..model_loaders.actalker.load import load_actalker

    return load_actalker(options.actalker, dtype=torch.bfloat16 if machine.bf16 else torch.float32).to(machine.device)


def _part(text: str, options: argparse.Namespace, networks, actalker, lacks: str, machine):
    """Films of a set, judged; or what it lacks."""
    from ..learning.evaluation.judge.protocols import protocol_of
    from ..learning.evaluation.judge.published import DRAWN, Part, clips_of_set, drawn_clips

    name, separator, place = text.partition("=")
    if not name or not separator and name != DRAWN:
        raise ValueError(f"'{text}' is not NAME=PLACE, such as GRID=data/grid_more, or {DRAWN}")
    if networks is None:
        return Part(name, lacks=lacks)
    out = Path(options.out) / name
    try:
        if separator:
            samples = clips_of_set(place, None if options.split == "all" else options.split, options.clips)
        else:
            samples = drawn_clips(out / "corpus", protocol_of(options.protocol).framing, options.clips)
    except FileNotFoundError as fault:
        print(fault)
        return Part(name, lacks=f"no {place}")
    return Part(name, len(samples), _judged(samples, out, options, networks, actalker, machine))


def _judged(samples: list, out: Path, options: argparse.Namespace, networks, actalker, machine):
    """The statistics of all methods' films of a set; its own tables are in `out`."""
    from ..learning.evaluation.judge.filming import make_films
    from ..learning.evaluation.judge.protocols import DRIVES, VIDEO, protocol_of
    from ..learning.evaluation.judge.run import Bar, Method, judge_methods
    from ..learning.evaluation.judge.samples import films_in
    from ..learning.evaluation.judge.tables import paper_table

    protocol, bar, methods, kept = protocol_of(options.protocol), Bar(), [], []
    size = options.size or protocol.size
    for drive in DRIVES:

        def report(done: int, total: int, drive: str = drive) -> None:
            bar(f"films driven by {drive}", done, total)

        model = None if drive == VIDEO else networks[1]
        films = out / "films" / drive
        make_films(networks[0], model, samples, films, drive, size, bf16=machine.bf16, progress=report)
        methods.append(Method(f"ours, {drive}", "", films_in(films, samples)))
        if actalker is not None:
            from ..learning.evaluation.actalker.filming import make_actalker_films

            films = out / "films_actalker" / drive
            make_actalker_films(actalker, samples, films, drive, size, options.steps, progress=report)
            methods.append(Method(f"ACTalker, {drive}", "", films_in(films, samples)))
    with open_judge(options, networks[0], machine.device) as judge:
        verdict = judge_methods(judge, samples, methods, size, bar)
    bar.close()
    own = copy.copy(options)
    own.out = out

    def tables(statistics) -> list[str]:
        kept.append(statistics)
        return [paper_table(statistics, protocol, DRIVES)]

    report_judged(own, samples, verdict, tables)
    return kept[0]
