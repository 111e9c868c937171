"""Timing of the stages of a run, and progress bars."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")


class Stages:
    """Timer with a name for every stage; stages inside others are not counted twice."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._running: list[str] = []

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        self._running.append(name)
        try:
            yield
        finally:
            self._running.pop()
            passed = time.perf_counter() - started
            self.seconds[name] = self.seconds.get(name, 0.0) + passed
            if self._running:
                outer = self._running[-1]
                self.seconds[outer] = self.seconds.get(outer, 0.0) - passed

    def each(self, name: str, items: Iterable[T]) -> Iterator[T]:
        """The items of an iterator; the time that it takes to make them counts as stage `name`."""
        iterator, end = iter(items), object()
        while True:
            with self(name):
                item = next(iterator, end)
            if item is end:
                return
            yield item

    def report(self, frames: int, duration: float) -> str:
        """A table of the stages in order, and the total compared with the video's duration."""
        total = sum(self.seconds.values())
        width = max(map(len, self.seconds))
        lines = [f"  {name:<{width}}  {seconds:8.2f} s" for name, seconds in self.seconds.items()]
        ratio = duration / total if total else 0.0
        lines.append(
            f"  {'total':<{width}}  {total:8.2f} s for {duration:.2f} s of video ({frames} frames): "
            f"{ratio:.2f} x real time"
        )
        return "\n".join(lines)


@contextmanager
def progress(description: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, nothing elsewhere; gives a callable (done, total)."""
    with tqdm(desc=description, unit=unit, disable=None, leave=False) as bar:

        def report(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield report
