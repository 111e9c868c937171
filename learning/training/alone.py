"""One training a folder: two would write one checkpoint and one log."""

from __future__ import annotations

import functools
import inspect
import logging
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ...files import NO_LOCKS, writing
from ...locks import FileLock
from . import processes

log = logging.getLogger("mamba_portrait")

LOCK = ".training.lock"


@contextmanager
def only_training_in(folder: str | Path) -> Iterator[None]:
    """While the block runs no other training begins in `folder`, which is made; after a kill another may at once.

    All processes of a training come here after `processes.join`. ValueError where another training is at work."""
    folder = Path(folder)
    lock, new = FileLock(folder / LOCK), not folder.exists()
    taken = processes.from_main(float(_take(lock) if processes.is_main() else 0))
    if not taken:
        told = lock.text() or "it has not said which"
        raise ValueError(
            f"Another training ({told}) is at work in {folder}: wait until it has ended, or train into another folder."
        )
    try:
        yield
    finally:
        lock.release()
        if new and processes.is_main():
            with suppress(OSError):  # files lie in it
                folder.rmdir()


def _take(lock: FileLock) -> bool:
    with writing(lock.path):
        lock.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return lock.take(f"process {os.getpid()} on {platform.node()}")
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            log.warning("%s cannot be locked: see to it that no other training writes there.", lock.path.parent)
            return True


def alone_in(argument: str) -> Callable[[Callable], Callable]:
    """Decorator of a training with a `plan`: `only_training_in` the folder that its `argument` names."""

    def decorated(train: Callable) -> Callable:
        @functools.wraps(train)
        def alone(*values, **named):
            given = inspect.signature(train).bind(*values, **named).arguments
            processes.join(given["plan"].device)
            with only_training_in(given[argument]):
                return train(*values, **named)

        return alone

    return decorated
