"""Drawing a corpus on many cores at once, before a training or beside it."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

SHARD = 32  # groups a file: what a stopped worker loses at most


class Stopped(Exception):
    """Raised inside a worker between two shards or clips."""


class Crew:
    """Processes that fill `out` with stills and clips, each its own part of the range; files do not depend on how many.

    Use it as a context: after `seconds`, or when it is left, the workers stop after the shard in hand; those that do
    not come to an end within `patience` seconds are killed. On the same folder a crew goes on where another stopped.
    """

    def __init__(
        self,
        out: str | Path,
        *,
        groups: int,
        clips: int,
        seed: int,
        jobs: int,
        seconds: float,
        size: int = 256,
        shard: int = SHARD,
        patience: float = 20.0,
    ):
        if clips:
            from .speech.voices import installed

            installed()  # better no training at all than one that finds no voices at its end
        context = multiprocessing.get_context("spawn")
        self.stop, self.patience = context.Event(), patience
        speakers = 0 if not clips else jobs if not groups else max(1, jobs // 4)
        painters = 0 if not groups else max(1, jobs - speakers)
        arguments = (str(out), seed, self.stop, time.time() + seconds)
        self.workers = [
            context.Process(target=_paint, args=(*arguments, first, count, size, shard), daemon=True)
            for first, count in _parts(groups, painters, shard)
        ] + [
            context.Process(target=_speak, args=(*arguments, first, count), daemon=True)
            for first, count in _parts(clips, speakers, 1)
        ]

    def __enter__(self) -> Crew:
        threads = os.environ.get("OMP_NUM_THREADS")
        os.environ["OMP_NUM_THREADS"] = "1"  # a worker a core: they inherit it before anything is imported
        try:
            for worker in self.workers:
                worker.start()
        finally:
            os.environ.pop("OMP_NUM_THREADS")
            if threads is not None:
                os.environ["OMP_NUM_THREADS"] = threads
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        until = time.monotonic() + self.patience
        for worker in self.workers:
            worker.join(max(0.0, until - time.monotonic()))
            if worker.is_alive():
                worker.terminate()
                worker.join()

    def check(self) -> bool:
        """Whether anyone still works; RuntimeError when a worker failed (its own message went to stderr)."""
        working = any(worker.is_alive() for worker in self.workers)  # asked first: who ends meanwhile shows below
        failed = [worker.exitcode for worker in self.workers if worker.exitcode]
        if failed:
            raise RuntimeError(
                f"{len(failed)} of {len(self.workers)} processes that draw the corpus failed (see above): "
                "stills need moderngl with EGL, voices need espeak-ng, flite or festival"
            )
        return working


def _parts(count: int, workers: int, unit: int) -> list[tuple[int, int]]:
    """(first, count) of each worker's part of 0 .. count, cut at multiples of `unit`."""
    units = -(-count // unit)
    edges = [units * i // workers * unit for i in range(workers)] + [count] if workers else []
    return [(a, b - a) for a, b in zip(edges, edges[1:], strict=False) if b > a]


def _guard(stop, until: float):
    def progress(done: int, total: int) -> None:
        if stop.is_set() or time.time() > until:
            raise Stopped

    return progress


def _paint(out: str, seed: int, stop, until: float, first: int, count: int, size: int, shard: int) -> None:
    from .stills import draw_stills

    progress = _guard(stop, until)
    try:
        progress(0, count)
        draw_stills(out, count, seed, size, first=first, shard=shard, progress=progress)
    except Stopped:
        pass


def _speak(out: str, seed: int, stop, until: float, first: int, count: int) -> None:
    from .tracks import draw_tracks

    progress = _guard(stop, until)
    try:
        progress(0, count)
        draw_tracks(out, count, seed, progress, first=first)
    except Stopped:
        pass
