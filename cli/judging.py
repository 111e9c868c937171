"""Options and steps that `evaluate --protocol` and `compare` share."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path

from ..pipelines.settings import Range
from .options import count, number, positive_int

SIZES = Range(16, 4096)
PROTOCOLS = ("implicit-motion-talking-head", "implicit-motion-gesture", "actalker")


def add_judging(parser: argparse.ArgumentParser, protocol: str | None) -> None:
    """What is judged, and by what. `protocol` is the default one."""
    group = parser.add_argument_group("judging")
    group.add_argument("--protocol", choices=PROTOCOLS, default=protocol, help="the paper's measures, size and tables")
    group.add_argument("--manifest", metavar="FILE", help="CSV or JSON lines of the true films, as `prepare` writes it")
    group.add_argument("--most", type=positive_int, metavar="N", help="films at most, spread evenly over the split")
    add_instruments(group)


def add_instruments(group) -> None:
    """How clips and networks are chosen, and what is shown."""
    group.add_argument("--split", default="test", help="of the list: train, val, test, or all (%(default)s)")
    group.add_argument("--size", type=number(SIZES), metavar="PIXELS", help="side of the pictures (the protocol's)")
    group.add_argument("--by-speaker", action="store_true", help="draw whole speakers, not films, for the intervals")
    group.add_argument("--networks", metavar="PLACE", help="folder, or JSON or YAML list, of the networks of measures")
    group.add_argument(
        "--network", action="append", default=[], metavar="NAME=FILE", help="one of them, such as syncnet or i3d"
    )
    group.add_argument("--films-shown", type=count, default=3, metavar="N", help="films put side by side (%(default)s)")


def samples_of(options: argparse.Namespace):
    """The clips to judge on. ValueError without a manifest."""
    from ..learning.evaluation.judge.samples import read_samples

    if not options.manifest:
        raise ValueError("name the true films with --manifest FILE, a list as `prepare` writes it")
    return read_samples(options.manifest, None if options.split == "all" else options.split, options.most)


@contextlib.contextmanager
def open_judge(options: argparse.Namespace, renderer, device) -> Iterator:
    """The instruments, with MediaPipe's process where it is installed."""
    from ..learning.evaluation.judge.judging import Judge
    from ..learning.evaluation.judge.mesh import mesh_process
    from ..learning.evaluation.judge.weights import find_networks

    networks = find_networks(options.network, options.networks, device)
    with contextlib.ExitStack() as stack:
        process = mesh_process()
        yield Judge(networks, None if process is None else stack.enter_context(process), renderer)


def report_judged(options: argparse.Namespace, samples, verdict, tables, against=None, extra=None) -> str:
    """Write tables, plots, rows and side-by-side films into --out; returns the text. `tables`: a function of the
    statistics to the Markdown in front of the table of all measures."""
    from ..learning.evaluation.judge import pictures
    from ..learning.evaluation.judge.protocols import protocol_of
    from ..learning.evaluation.judge.run import write_rows
    from ..learning.evaluation.judge.statistics import Statistics
    from ..learning.evaluation.judge.tables import figures_of, measured_table, write_tables

    out = Path(options.out)
    units = {sample.name: sample.entry.speaker for sample in samples} if options.by_speaker else None
    statistics = Statistics(verdict, units)
    text = "\n".join([*tables(statistics), measured_table(statistics)])
    write_rows(verdict, out)
    write_tables(out, text, figures_of(statistics, against) | (extra or {}))
    pictures.plot_figures(statistics, out / "plots.png")
    size = options.size or protocol_of(options.protocol).size
    for sample in samples[: options.films_shown]:
        pictures.side_by_side(sample, verdict.methods, out / "side_by_side" / f"{sample.name}.mp4", size)
    return text
