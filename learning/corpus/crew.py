"""Drawing a corpus in several worker processes, before a training or beside it."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Sequence
from pathlib import Path

from ...files import CannotWrite

SHARD = 32  # groups in a shard, the most that a stopped worker loses


class Stopped(Exception):
    """Raised inside a worker between two shards or clips."""


class Crew:
    """A pool of worker processes that write stills and clips to `out`, each a part of the range; the files are the same
    for any number of workers.

    A context manager: after `seconds`, or when it is left, each worker stops after its current shard; those that have
    not ended `patience` seconds later are killed. Another pool on the same folder continues the work.
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
        scenes: int = 1,
        framing: str = "head",
        engines: Sequence[str] = (),
        patience: float = 20.0,
    ):
        if clips:
            from .speech.voices import installed

            installed()  # raises now, not after hours of training, where no speech engine is installed
        context = multiprocessing.get_context("spawn")
        self.stop, self.patience = context.Event(), patience
        clip_workers = 0 if not clips else jobs if not groups else max(1, jobs // 4)
        still_workers = 0 if not groups else max(1, jobs - clip_workers)
        self._unwritten = context.SimpleQueue()  # sentences of what could not be written
        arguments = (str(out), seed, self.stop, self._unwritten, time.time() + seconds)
        self.workers = [
            context.Process(
                target=_stills_worker,
                args=(*arguments, first, count, size, shard),
                kwargs={"scenes": scenes, "framing": framing},
                daemon=True,
            )
            for first, count in _parts(groups, still_workers, shard)
        ] + [
            context.Process(target=_clips_worker, args=(*arguments, first, count, framing, engines), daemon=True)
            for first, count in _parts(clips, clip_workers, 1)
        ]

    def __enter__(self) -> Crew:
        threads = os.environ.get("OMP_NUM_THREADS")
        os.environ["OMP_NUM_THREADS"] = "1"  # one thread a worker: inherited, and read when numpy is imported
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
        """Whether a worker is running; CannotWrite when one could not write, RuntimeError when one has failed otherwise
        (its own message went to stderr)."""
        working = any(worker.is_alive() for worker in self.workers)  # first, so that a failure meanwhile is seen below
        if not self._unwritten.empty():
            raise CannotWrite(self._unwritten.get())
        failed = [worker.exitcode for worker in self.workers if worker.exitcode]
        if failed:
            raise RuntimeError(
                f"{len(failed)} of {len(self.workers)} processes that draw the corpus failed (see above): "
                "stills need moderngl with EGL, voices need espeak-ng, flite, festival or kokoro"
            )
        return working


def _parts(count: int, workers: int, unit: int) -> list[tuple[int, int]]:
    """(first, count) of each worker's part of 0 .. count, cut at multiples of `unit`."""
    units = -(-count // unit)
    edges = [units * i // workers * unit for i in range(workers)] + [count] if workers else []
    return [(a, b - a) for a, b in zip(edges, edges[1:], strict=False) if b > a]


def _stop_check(stop, until: float):
    def progress(done: int, total: int) -> None:
        if stop.is_set() or time.time() > until:
            raise Stopped

    return progress


def _stills_worker(
    out: str,
    seed: int,
    stop,
    unwritten,
    until: float,
    first: int,
    count: int,
    size: int,
    shard: int,
    **kind,
) -> None:
    from .stills import draw_stills

    progress = _stop_check(stop, until)
    try:
        progress(0, count)
        draw_stills(out, count, seed, size, first=first, shard=shard, progress=progress, **kind)
    except Stopped:
        pass
    except CannotWrite as error:
        unwritten.put(str(error))


def _clips_worker(
    out: str,
    seed: int,
    stop,
    unwritten,
    until: float,
    first: int,
    count: int,
    framing: str,
    engines: Sequence[str],
) -> None:
    from .tracks import draw_tracks

    progress = _stop_check(stop, until)
    try:
        progress(0, count)
        draw_tracks(out, count, seed, progress, first=first, framing=framing, engines=engines)
    except Stopped:
        pass
    except CannotWrite as error:
        unwritten.put(str(error))
