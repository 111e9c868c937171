"""corpus: draw the data that the networks are trained on."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

from tqdm import tqdm

from .options import command, positive_int

SHARD = 32  # groups that corpus.stills writes together
PAINTED_SEED = 1_000_000  # people of different corpus seeds do not meet


def add(commands) -> argparse.ArgumentParser:
    """Declare the command."""
    parser = command(
        commands,
        "corpus",
        "draw talking heads to train on: labelled stills, voices with their motion, painted clips",
        run,
        """
corpus --out data/train --stills 6000 --clips 3600 --seed 1 --jobs 8
corpus --out data/held_out --stills 64 --clips 40 --painted 8 --seed 900
corpus --out data/train --sheet sheet.png
""",
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="an interrupted run goes on where it stopped")
    parser.add_argument(
        "--stills", type=int, default=0, metavar="GROUPS", help="groups of 2 people x 4 faces (stage 1)"
    )
    parser.add_argument(
        "--clips", type=int, default=0, metavar="N", help="voices of 3-10 s with their motion (stage 2)"
    )
    parser.add_argument(
        "--painted", type=int, default=0, metavar="N", help="of the clips, how many get a video as well"
    )
    parser.add_argument("--seed", type=int, default=0, help="another seed, other people and words (%(default)s)")
    parser.add_argument("--size", type=int, default=256, help="side of the pictures (%(default)s)")
    parser.add_argument("--jobs", type=positive_int, default=1, help="processes that draw stills (%(default)s)")
    parser.add_argument("--sheet", metavar="FILE.png", help="then write a contact sheet of the first stills")
    return parser


def run(options: argparse.Namespace) -> None:
    """Do it; prints what was drawn."""
    if not (options.stills or options.clips or options.sheet):
        raise ValueError("Nothing to draw: give --stills, --clips or --sheet.")
    if options.painted > options.clips:
        raise ValueError(f"--painted {options.painted} of --clips {options.clips}: there are not that many clips.")
    if options.stills:
        draw_all_stills(options.out, options.stills, options.seed, options.size, options.jobs)
        print(f"{options.stills} groups of stills in {Path(options.out) / 'stills'}")
    if options.clips:
        from ..corpus.tracks import draw_tracks

        with _bar(options.clips, "clips") as report:
            folders = draw_tracks(options.out, options.clips, options.seed, report)
        print(f"{len(folders)} clips in {Path(options.out) / 'clips'}")
        paint(folders[: options.painted], options.seed, options.size)
    if options.sheet:
        from ..corpus.sheet import contact_sheet
        from ..media.photo import save_image

        print(save_image(options.sheet, contact_sheet(options.out)))


@contextmanager
def _bar(total: int, what: str) -> Iterator:
    with tqdm(total=total, desc=what, unit=what.rstrip("s"), disable=None) as bar:
        yield lambda done, _total: bar.update(done - bar.n)


def draw_all_stills(out: str | Path, groups: int, seed: int, size: int, jobs: int = 1) -> None:
    """Groups 0 .. groups of a seed, in this process or in several; the files do not depend on how many."""
    from ..corpus.stills import draw_stills

    with _bar(groups, "stills") as report:
        if jobs == 1:
            draw_stills(out, groups, seed, size, progress=report)
            return
        starts = range(0, groups, SHARD)
        done = 0
        with ProcessPoolExecutor(min(jobs, len(starts)), get_context("spawn")) as pool:
            counts = [min(SHARD, groups - start) for start in starts]
            tasks = {
                pool.submit(draw_stills, out, count, seed, size, start): count
                for start, count in zip(starts, counts, strict=True)
            }
            for task in as_completed(tasks):
                task.result()
                done += tasks[task]
                report(done, groups)


def paint(folders: list[Path], seed: int, size: int) -> None:
    """Give clips a video.mp4 of a drawn person who speaks them."""
    if not folders:
        return
    import numpy as np
    import torch

    from ..corpus.clips import ClipRenderer
    from ..media.audio import load_audio
    from ..media.video import VideoWriter
    from ..pipelines.portrait import MODEL_FPS

    painter = ClipRenderer(size)
    for index, folder in enumerate(tqdm(folders, desc="painted clips", unit="clip", disable=None)):
        if (folder / "video.mp4").exists():
            continue
        with np.load(folder / "labels.npz") as labels:
            motion = labels["parameters"]
        with VideoWriter(folder / "video.mp4", fps=MODEL_FPS, audio=load_audio(folder / "audio.wav")) as writer:
            for frame in painter.clip(seed * PAINTED_SEED + index, motion):
                writer.write(torch.from_numpy(frame))
    print(f"{len(folders)} of them painted")
