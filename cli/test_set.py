"""test-set: the real people that the model card measures on, from public repositories."""

from __future__ import annotations

import argparse
from pathlib import Path

from tqdm import tqdm

from ..files import check_folder
from .options import command


def add(commands) -> argparse.ArgumentParser:
    """Declare the command."""
    parser = command(
        commands,
        "test-set",
        "put together the real speakers, films and portraits of the model card, from clones of public repositories",
        run,
        """
test-set clones --out data/test_set
evaluate --out runs/real --no-drawn --speakers data/test_set/speakers --videos data/test_set/films
""",
    )
    parser.add_argument(
        "clones", metavar="CLONES", help="a folder with clones of the repositories (any are missing: it says how)"
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="for the folders speakers, films and portraits")
    return parser


def run(options: argparse.Namespace) -> None:
    """Run the command; prints how many samples there are of each kind."""
    from ..learning.evaluation.test_set import USES, missing, put_together, read_list

    if not Path(options.clones).is_dir():
        raise ValueError(f"There is no folder {options.clones}; make it, and clone the repositories there.")
    check_folder(options.out)
    samples = read_list()
    absent = missing(samples, options.clones)
    if absent:
        raise ValueError("Some repositories are missing; clone them: " + "; ".join(absent))
    with tqdm(total=len(samples), disable=None, leave=False) as bar:
        put_together(samples, options.clones, options.out, lambda done, total: bar.update(done - bar.n))
    for use in USES:
        print(f"{Path(options.out) / use}: {sum(sample.use == use for sample in samples)}")
