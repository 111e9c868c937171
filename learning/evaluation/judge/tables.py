"""Tables of a verdict: Markdown to read, CSV and JSON to go on with, and the papers' own figures in their shape."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

from ....files import whole_file
from .measures import MEASURES, shown
from .papers import PaperTable
from .protocols import Protocol
from .run import TRUTH
from .statistics import Interval, Statistics

ARROWS = {"up": "↑", "down": "↓", "truth": "→ truth"}
CAUTION = (
    "Figures of a paper are of its own data, crops and detectors: they stand here for their shape, and are no rivals "
    "of the rows above them."
)


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Rows, the first of which is the head, as a table."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]]) + "\n"


def with_interval(name: str, found: Interval, signed: bool = False) -> str:
    """A figure and its 95 % interval."""
    value = shown(name, found.value, signed)
    if found.low != found.low:
        return value
    return f"{value} [{shown(name, found.low, signed)}, {shown(name, found.high, signed)}]"


def title_of(name: str) -> str:
    """A measure's title with its better way; ours are told apart by a star."""
    measure = MEASURES[name]
    return f"{measure.title} {ARROWS[measure.better]}{' *' if measure.ours else ''}"


def measured_table(statistics: Statistics) -> str:
    """Every measure of every method with its interval, a row each; below a method with several seeds, each seed."""
    missing = statistics.verdict.missing
    rows = [["measure", *statistics.runs, TRUTH]]
    for name in MEASURES:
        cells = []
        for method in statistics.runs:
            found = None if name in missing else statistics.figure(name, method)
            cells.append("not computed" if found is None else _cell(name, found))
        truth = statistics.truth(name)
        rows.append([title_of(name), *cells, "" if truth is None else shown(name, truth)])
    notes = [f"Not computed for want of: {', '.join(sorted(set(missing.values())))}."] if missing else []
    notes.append("*: ours by definition or detector. [ ]: 95 % of bootstrap draws over samples. ( ): single seeds.")
    return markdown(rows) + "\n" + "\n".join(notes) + "\n"


def _cell(name: str, found) -> str:
    text = with_interval(name, found.whole)
    return text + (f" ({', '.join(shown(name, value) for value in found.seeds.values())})" if found.seeds else "")


def difference_table(statistics: Statistics, against: str) -> str:
    """Each method less `against`, on the samples that both have; what may be noise is told."""
    others = [method for method in statistics.runs if method != against]
    rows = [["measure", *(f"{method} less {against}" for method in others)]]
    for name in MEASURES:
        found = [statistics.difference(name, method, against) for method in others]
        if any(each is not None for each in found):
            rows.append([title_of(name), *("-" if each is None else _verdict(name, each) for each in found)])
    return markdown(rows) + "\nNoise: the interval of the paired difference holds zero.\n"


def _verdict(name: str, found: Interval) -> str:
    text = with_interval(name, found, signed=True)
    better = MEASURES[name].better
    if found.is_noise:
        return f"{text} noise"
    return text if better == "truth" else f"{text} {'better' if (found.value > 0) == (better == 'up') else 'worse'}"


def paper_table(statistics: Statistics, protocol: Protocol, drives: Sequence[str]) -> str:
    """Our methods in the columns of the paper's tables, and these tables' own figures under them.

    Methods of `statistics` that are driven in one way end in ", DRIVE" of `drives`."""
    titles = [f"{title} {ARROWS[MEASURES[name].better]}" for title, name, _ in protocol.columns]
    rows = [["", *titles]]
    for label, cells in protocol_rows(statistics, protocol, drives):
        rows.append([label, *(shown(name, cells[title]) for title, name, _ in protocol.columns)])
    if not protocol.tables:
        return markdown(rows)
    for table in protocol.tables:
        rows.append([f"*{table.title}*", *("" for _ in titles)])
        for method, values in table.rows.items():
            rows.append([method, *printed(values)])
    return markdown(rows) + "\n" + CAUTION + "\n"


def protocol_rows(statistics: Statistics, protocol: Protocol, drives: Sequence[str]):
    """(label, {title: figure or None}) of each method; columns of a protocol that names its drives make one row."""
    groups: dict[str, dict[str, str]] = {}
    for method in statistics.runs:
        name, _, drive = method.rpartition(", ")
        if drive in drives and any(each for _, _, each in protocol.columns):
            groups.setdefault(name, {})[drive] = method
        else:
            groups.setdefault(method, {})[""] = method
    for label, methods in groups.items():
        cells = {}
        for title, name, drive in protocol.columns:
            method = methods.get(drive, methods.get(""))
            found = None if method is None else statistics.figure(name, method)
            cells[title] = None if found is None else found.whole.value
        yield label, cells


def seconds_table(ours: dict[str, dict[str, float]], paper: PaperTable) -> str:
    """{device: {column: seconds}} above the paper's figures."""
    rows = [["", *paper.columns]]
    rows += [
        [f"ours, {device}", *(f"{times[column]:.3f}" for column in paper.columns)] for device, times in ours.items()
    ]
    rows.append([f"*{paper.title}*", *("" for _ in paper.columns)])
    rows += [[name, *printed(values)] for name, values in paper.rows.items()]
    return markdown(rows)


def printed(values: Sequence[float | None]) -> list[str]:
    """A paper's figures with its digits."""
    return ["-" if value is None else f"{value:.3f}" for value in values]


def figures_of(statistics: Statistics, against: str | None = None) -> dict:
    """Everything as plain values: {"figures": {method: {measure: ...}}, "differences": {...}}; NaN is None."""
    figures = {method: {} for method in statistics.runs}
    differences: dict[str, dict] = {}
    for method, found in figures.items():
        for name in MEASURES:
            figure = statistics.figure(name, method)
            found[name] = None if figure is None else {**_plain(figure.whole), "seeds": figure.seeds}
            if against is not None and method != against:
                difference = statistics.difference(name, method, against)
                row = None if difference is None else {**_plain(difference), "noise": difference.is_noise}
                differences.setdefault(f"{method} less {against}", {})[name] = row
    result = {"figures": figures, "missing": statistics.verdict.missing}
    return result | ({"differences": differences} if differences else {})


def _plain(found: Interval) -> dict[str, float | int | None]:
    finite = {name: value if value == value else None for name, value in vars(found).items()}
    return finite


def as_csv(figures: dict) -> str:
    """`figures_of` as lines: method, measure, value, low, high, samples, noise."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["method", "measure", "value", "low", "high", "samples", "noise"])
    for part in ("figures", "differences"):
        for method, found in figures.get(part, {}).items():
            for name, row in found.items():
                if row is not None:
                    noise = {True: "noise", False: "no"}.get(row.get("noise"), "")
                    writer.writerow([method, name, row["value"], row["low"], row["high"], row["count"], noise])
    return text.getvalue()


def write_tables(folder: str | Path, text: str, figures: dict) -> None:
    """table.md, table.csv and table.json in a folder."""
    for name, content in (
        ("table.md", text),
        ("table.csv", as_csv(figures)),
        ("table.json", json.dumps(figures, indent=1) + "\n"),
    ):
        with whole_file(Path(folder) / name) as partial:
            partial.write_text(content, "utf8")
