"""study: a page on which people choose the best of several films, and the table of their answers."""

from __future__ import annotations

import argparse

from .options import command, positive_int


def add(commands) -> argparse.ArgumentParser:
    """Declare the command."""
    parser = command(
        commands,
        "study",
        "make a blind user study of films as one page, or read its answers",
        run,
        """
study --method ours=runs/judged/films/voice --method theirs=films/theirs --page study.html --key study_key.json
study --key study_key.json --answers answers_ann.csv answers_bob.csv --table study.md
""",
    )
    parser.add_argument("--key", required=True, metavar="FILE", help="which film is whose; keep it from who is asked")
    group = parser.add_argument_group("the page")
    group.add_argument("--page", metavar="FILE", help="HTML to write: one file, to be opened from a disk")
    group.add_argument("--method", action="append", default=[], metavar="NAME=FOLDER", help="films by the clips' names")
    group.add_argument("--clips", type=positive_int, metavar="N", help="clips at most, spread evenly")
    group = parser.add_argument_group("the answers")
    group.add_argument("--answers", nargs="+", metavar="FILE", help="CSV files that the page saved")
    group.add_argument("--table", metavar="FILE", help="Markdown to write the table to as well")
    return parser


def run(options: argparse.Namespace) -> None:
    """Run the command; prints where the page is, or the table."""
    from ..files import check_place, whole_file
    from ..learning.evaluation.judge.study import films_of, make_study, read_answers, shares, study_table

    if bool(options.page) == bool(options.answers):
        raise ValueError("name either --page with the methods, or --answers with the files that people saved")
    if options.page:
        for path in (options.page, options.key):
            check_place(path)
        count = make_study([films_of(text) for text in options.method], options.page, options.key, options.clips)
        print(f"{options.page}: {count} clips of {len(options.method)} methods; the key is {options.key}")
        return
    methods, answers = read_answers(options.answers, options.key)
    text = study_table(methods, shares(methods, answers))
    if options.table:
        with whole_file(options.table) as partial:
            partial.write_text(text, "utf8")
    print(text, end="")
