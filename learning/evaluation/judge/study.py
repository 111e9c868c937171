"""A user study: people choose the best of several films of a clip, blind and shuffled, and the answers become a table.

The page is one file that holds the films: it opens from a disk, sends nothing, and its button saves the answers as CSV.
Films have random names in it; which method is which stands in the key alone.
"""

from __future__ import annotations

import base64
import csv
import json
import secrets
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ....files import whole_file
from .papers import CRITERIA, STUDY
from .run import Method
from .statistics import Interval, draws_of, interval
from .tables import markdown

PAGE = Path(__file__).with_name("study.html")
PLACE = "/*STUDY*/"
ASKED = {
    "Lip-sync": "In which film do the lips fit the sound best?",
    "Naturalness": "In which film do face and head move most naturally?",
    "Quality": "Which film has the best picture?",
}
KINDS = {".mp4": "video/mp4", ".webm": "video/webm"}  # that browsers play
MOST_BYTES = 300 << 20
MOST_METHODS = 12
COLUMNS = ("study", "participant", "clip", "criterion", "film")


def films_of(text: str) -> Method:
    """NAME=FOLDER -> a method with all films of a folder."""
    name, separator, folder = text.partition("=")
    if not separator or not name:
        raise ValueError(f"'{text}' is not NAME=FOLDER")
    place = Path(folder)
    if not place.is_dir():
        raise FileNotFoundError(f"{place}: there is no such folder of films")
    return Method(name, "", {path.stem: path for path in sorted(place.iterdir()) if path.suffix.lower() in KINDS})


def make_study(methods: Sequence[Method], page: str | Path, key: str | Path, clips: int | None = None) -> int:
    """Write the page and its key; returns the number of clips: those of which every method has a film, at most `clips`,
    evenly spread. ValueError for fewer than two methods, no common film, or more than a browser takes."""
    names = [method.name for method in methods]
    if len(names) < 2 or len(set(names)) < len(names) or len(names) > MOST_METHODS:
        raise ValueError(f"a study compares 2 to {MOST_METHODS} methods of different names, not: {', '.join(names)}")
    common = [clip for clip in methods[0].films if all(clip in method.films for method in methods)]
    if not common:
        raise ValueError("the folders have no film of one name that is .mp4 or .webm, as browsers play them")
    if clips is not None and clips < len(common):
        common = [common[int(i)] for i in np.linspace(0, len(common) - 1, clips).round()]
    size = sum(method.films[clip].stat().st_size for method in methods for clip in common)
    if size > MOST_BYTES:
        most = MOST_BYTES >> 20
        raise ValueError(f"the films have {size >> 20} MB together, and a page takes {most}: name fewer with --clips")
    study, films, shown = secrets.token_hex(4), {}, []
    for clip in common:
        entries = []
        for method in methods:
            name, path = secrets.token_hex(6), method.films[clip]
            films[name] = {"clip": clip, "method": method.name}
            data = base64.b64encode(path.read_bytes()).decode()
            entries.append({"id": name, "data": f"data:{KINDS[path.suffix.lower()]};base64,{data}"})
        secrets.SystemRandom().shuffle(entries)
        shown.append({"name": clip, "films": entries})
    criteria = [{"name": name, "ask": ASKED[name]} for name in CRITERIA]
    content = json.dumps({"study": study, "criteria": criteria, "clips": shown}).replace("<", "\\u003c")
    told = json.dumps({"study": study, "methods": names, "films": films}, indent=1)
    for path, text in ((page, PAGE.read_text("utf8").replace(PLACE, content)), (key, told + "\n")):
        with whole_file(path) as partial:
            partial.write_text(text, "utf8")
    return len(common)


def read_answers(paths: Sequence[str | Path], key: str | Path) -> tuple[list[str], list[tuple[str, str, str]]]:
    """(methods, answers (participant, criterion, method)) of answer files. ValueError for files of another study, for
    films that are not in the key, and for answers that were given twice."""
    told = json.loads(Path(key).read_text("utf8"))
    answers, seen = [], {}
    for path in map(Path, paths):
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if missing := [name for name in COLUMNS if name not in (reader.fieldnames or ())]:
                raise ValueError(f"{path.name} is no file of answers: it has no column {missing[0]}")
            for row in reader:
                film = told["films"].get(row["film"])
                if row["study"] != told["study"] or film is None or film["clip"] != row["clip"]:
                    raise ValueError(f"{path.name} line {reader.line_num} is of another study than {Path(key).name}")
                asked = (row["participant"], row["clip"], row["criterion"])
                if asked in seen:
                    raise ValueError(f"{path.name} and {seen[asked]} hold the same answers of {row['participant']}")
                seen[asked] = path.name
                answers.append((row["participant"], row["criterion"], film["method"]))
    if not answers:
        raise ValueError("the files hold no answer")
    return told["methods"], answers


def shares(methods: Sequence[str], answers: Sequence[tuple[str, str, str]]) -> dict[str, dict[str, Interval]]:
    """{criterion: {method: percent of the choices}}; 95 % intervals by drawing participants again, NaN for one."""
    found: dict[str, dict[str, Interval]] = {}
    for criterion in dict.fromkeys(criterion for _, criterion, _ in answers):
        given = [(person, method) for person, asked, method in answers if asked == criterion]
        people = [person for person, _ in given]
        chosen = np.array([[method == each for each in methods] for _, method in given], float)
        drawn = np.stack([chosen[places].mean(0) for places in draws_of(people, 2000)])
        found[criterion] = {
            method: interval(100 * chosen[:, i].mean(), 100 * drawn[:, i], len(set(people)))
            for i, method in enumerate(methods)
        }
    return found


def study_table(methods: Sequence[str], found: dict[str, dict[str, Interval]]) -> str:
    """A row for each criterion, as in the supplement, whose own table follows."""
    rows = [["Criterion", *(f"{method} (%)" for method in methods), "people"]]
    for criterion, values in found.items():
        cells = [_percent(values[method]) for method in methods]
        rows.append([criterion, *cells, str(values[methods[0]].count)])
    theirs = [["Criterion", *(f"{method} (%)" for method in STUDY.rows)]]
    theirs += [[name, *(f"{v[i]:.2f}" for v in STUDY.rows.values())] for i, name in enumerate(CRITERIA)]
    return f"{markdown(rows)}\n[ ]: 95 % by drawing people again.\n\n*{STUDY.title}*\n\n{markdown(theirs)}"


def _percent(share: Interval) -> str:
    if share.low != share.low:
        return f"{share.value:.2f}"
    return f"{share.value:.2f} [{share.low:.1f}, {share.high:.1f}]"
