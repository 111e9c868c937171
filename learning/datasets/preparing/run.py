"""Preparing many clips: in several processes, on several machines, and on from where a killed run stopped.

Every clip is a folder of its own, or a file that says why it is none; nothing is shared, so that machines can write to
one place. OUT/clips.csv, rejected.csv, report.md and its pictures are written from what is there when a run ends.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from ....files import whole_file
from ....locks import FileLock
from ....media.video import probe_video
from .clip import ATTEMPTS, Settings, prepare_clip
from .source import Source

PER_JOB = 8  # clips that wait in the pool for each process


def prepare_all(
    sources: Sequence[Source],
    out: str | Path,
    settings: Settings,
    *,
    jobs: int = 1,
    shard: tuple[int, int] = (1, 1),
    progress: Callable[[int, int], None] | None = None,
) -> list[str]:
    """Prepare the clips of one shard (number, of how many) that are not prepared yet; the names of all of the shard.

    ValueError where OUT was begun with other settings, where another run works on this shard, or where two clips have
    one name."""
    out = Path(out)
    names = [source.name for source in sources]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"Two clips would be named {twice}; prepare their folders one by one, into others.")
    _check_settings(out, settings)
    own = sorted(sources, key=lambda source: source.name)[shard[0] - 1 :: shard[1]]
    with _alone(out, shard):
        waiting = [source for source in own if not is_done(out, source.name)]
        for done in _prepared(waiting, out, settings, jobs):
            if progress:
                progress(len(own) - len(waiting) + done, len(own))
    return [source.name for source in own]


@contextmanager
def _alone(out: Path, shard: tuple[int, int]) -> Iterator[None]:
    """Keep other runs from a shard for the block; the system frees it when this process ends, however it ends."""
    lock = FileLock(out / f".shard-{shard[0]}-of-{shard[1]}.lock")
    if not lock.take():
        raise ValueError(
            f"Another run prepares part {shard[0]} of {shard[1]} in {out}; wait for it, or give each a part."
        )
    try:
        yield
    finally:
        lock.release()


def is_done(out: Path, name: str) -> bool:
    """Whether a clip was prepared or rejected."""
    return (out / "clips" / name / "meta.json").exists() or (out / "rejected" / f"{name}.json").exists()


def _prepared(waiting: Sequence[Source], out: Path, settings: Settings, jobs: int) -> Iterator[int]:
    """Prepare clips; how many are done, after each."""
    if jobs == 1:
        for number, source in enumerate(waiting, 1):
            prepare_clip(source, out, settings)
            yield number
        return
    done = 0
    for _ in range(ATTEMPTS * len(waiting) + 1):  # a process that a damaged film ends takes its pool with it
        left = [source for source in waiting if not is_done(out, source.name)]
        if not left:
            return
        try:
            for _ in _pooled(left, out, settings, jobs):
                done += 1
                yield min(done, len(waiting))
        except BrokenProcessPool:
            done = len(waiting) - len(left)


def _pooled(waiting: Sequence[Source], out: Path, settings: Settings, jobs: int) -> Iterator[None]:
    context, rest = multiprocessing.get_context("spawn"), iter(waiting)
    with ProcessPoolExecutor(jobs, context, _begin_worker, (os.getpid(),)) as pool:
        running = set()
        for source in rest:
            running.add(pool.submit(prepare_clip, source, out, settings))
            if len(running) >= PER_JOB * jobs:
                first = next(as_completed(running))
                running.remove(first)
                first.result()
                yield
        for future in as_completed(running):
            future.result()
            yield


def _begin_worker(parent: int) -> None:
    """One thread a process; and an end when the main process was killed, which closes no pipe."""
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _check_settings(out: Path, settings: Settings) -> None:
    """Remember how this folder is prepared, so that no run mixes two ways."""
    file = out / "settings.json"
    now = {"framing": settings.framing, "size": settings.size, "filters": asdict(settings.filters)}
    now["sync"] = settings.sync is not None
    if file.is_file():
        before = json.loads(file.read_text("utf8"))
        if before != now:
            changed = [name for name in now if now[name] != before.get(name)]
            raise ValueError(
                f"{out} was begun with another {' and '.join(changed)}; name another folder, or remove it."
            )
        return
    with whole_file(file) as partial:
        partial.write_text(json.dumps(now, indent=1), "utf8")


def in_pieces(sources: Sequence[Source], seconds: float, shortest: float) -> list[Source]:
    """Clips longer than `seconds` in pieces of that length; a last one shorter than `shortest` is left out.

    Films that cannot be read stay whole, to be rejected with their reason."""
    pieces = []
    for source in sources:
        entry = source.entry
        whole = entry.seconds
        if whole is None and entry.video is not None:
            try:
                whole = probe_video(entry.video).duration - entry.start
            except ValueError:
                whole = None
        if whole is None or whole <= seconds:
            pieces.append(source)
            continue
        count = int(whole // seconds) + (whole % seconds >= shortest)
        for number in range(count):
            start = entry.start + number * seconds
            part = replace(entry, start=start, seconds=min(seconds, entry.start + whole - start))
            pieces.append(replace(source, name=f"{source.name}_{number:04d}", entry=part))
    return pieces
