"""corpus: draw the data that the networks are trained on."""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from ..files import check_folder, check_place
from ..pipelines.settings import Range
from ..vocabulary import FRAMINGS
from .options import command, count, number, processes, seed

SIZES = Range(64, 2048)
ENGINES = "espeak-ng", "flite", "festival", "kokoro"


def add(commands) -> argparse.ArgumentParser:
    """Declare the command."""
    parser = command(
        commands,
        "corpus",
        "draw talking heads to train on: labelled stills, voices with their motion, painted clips",
        run,
        """
corpus --out data/train --stills 6000 --clips 3600 --seed 1 --jobs 8
corpus --out data/scenes --stills 400 --scenes 2 --seed 3
corpus --out data/held_out --stills 64 --clips 40 --painted 8 --seed 900
corpus --out data/half --framing half --size 128 --stills 640 --clips 900 --painted 4 --seed 7
corpus --out data/train --sheet sheet.png
""",
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="an interrupted run goes on where it stopped")
    parser.add_argument(
        "--stills", type=count, default=0, metavar="GROUPS", help="groups of 2 people x 4 faces (stage 1)"
    )
    parser.add_argument(
        "--clips", type=count, default=0, metavar="N", help="voices of 3-10 s with their motion (stage 2)"
    )
    parser.add_argument(
        "--painted",
        type=count,
        default=0,
        metavar="N",
        help="of the clips, how many get a video as well; a quarter of those show gesturing hands (meta.json: hands)",
    )
    parser.add_argument(
        "--engines",
        nargs="+",
        choices=ENGINES,
        default=(),
        help="speech engines that speak the clips (default: all that are installed)",
    )
    parser.add_argument("--seed", type=seed, default=0, help="another seed, other people and words (%(default)s)")
    parser.add_argument("--size", type=number(SIZES), default=256, help=f"side of the pictures ({SIZES}; %(default)s)")
    parser.add_argument(
        "--scenes",
        type=number(Range(1, 64)),
        default=1,
        help="of each person: so many groups of stills, and painted clips, show the same people in other light, "
        "clothes and views (%(default)s)",
    )
    parser.add_argument(
        "--framing",
        choices=FRAMINGS,
        default="head",
        help="half: bodies down to the hips, whose arms and hands gesture (%(default)s)",
    )
    parser.add_argument("--jobs", type=processes, default=1, help="processes that draw (%(default)s)")
    parser.add_argument("--sheet", metavar="FILE.png", help="then write a contact sheet: first stills, painted clips")
    return parser


def run(options: argparse.Namespace) -> None:
    """Run the command; prints what was drawn."""
    if not (options.stills or options.clips or options.sheet):
        raise ValueError("Nothing to draw: give --stills, --clips or --sheet.")
    if options.painted > options.clips:
        raise ValueError(f"--painted {options.painted} of --clips {options.clips}: there are not that many clips.")
    check_folder(options.out)
    if options.sheet:
        check_place(options.sheet)
    draw(options)
    if options.stills:
        print(f"{options.stills} groups of stills in {Path(options.out) / 'stills'}")
    if options.clips:
        print(f"{options.clips} clips in {Path(options.out) / 'clips'}")
    if options.painted:
        folders = [Path(options.out) / "clips" / f"voice_{options.seed}_{i:06d}" for i in range(options.painted)]
        from ..learning.corpus.paint import paint_clips

        paint_clips(folders, options.seed, options.size, options.scenes)
        print(f"{len(folders)} of them painted")
    if options.sheet:
        from ..learning.corpus.paint import corpus_sheet
        from ..media.photo import save_image

        print(save_image(options.sheet, corpus_sheet(Path(options.out))))


@contextmanager
def _bar(total: int, what: str) -> Iterator:
    with tqdm(total=total, desc=what, unit=what.rstrip("s"), disable=None) as bar:
        yield lambda done, _total: bar.update(done - bar.n)


def draw(options: argparse.Namespace) -> None:
    """Stills and clips of a seed, in this process or in several; the files do not depend on how many."""
    stills, clips = options.stills, options.clips
    if options.jobs > 1:
        from ..learning.corpus.crew import SHARD, Crew

        arguments = {"groups": stills, "clips": clips} | {
            name: getattr(options, name) for name in ("seed", "jobs", "size", "scenes", "framing", "engines")
        }
        with _bar(stills, "stills") as painted, _bar(clips, "clips") as spoken:
            with Crew(options.out, seconds=math.inf, **arguments) as crew:
                working = True
                while working:
                    working = crew.check()
                    painted(min(stills, SHARD * _count(options.out, "stills/*_rgb.npy")), stills)
                    spoken(min(clips, _count(options.out, "clips/*/meta.json")), clips)
                    time.sleep(0.5)
        return
    if stills:
        from ..learning.corpus.stills import draw_stills

        with _bar(stills, "stills") as report:
            kind = {"scenes": options.scenes, "framing": options.framing}
            draw_stills(options.out, stills, options.seed, options.size, progress=report, **kind)
    if clips:
        from ..learning.corpus.tracks import draw_tracks

        with _bar(clips, "clips") as report:
            draw_tracks(options.out, clips, options.seed, report, framing=options.framing, engines=options.engines)


def _count(folder: str, pattern: str) -> int:
    return sum(1 for _ in Path(folder).glob(pattern))
