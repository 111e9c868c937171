"""Work on a CPU by several threads side by side, each with its share of PyTorch's threads.

PyTorch by itself divides every operation among its threads, which wait for each other at its end. The renderer has
hundreds of short operations a frame, and where other programs use the same cores each of them waits for a thread that
does not run: on two cores with a load of nine a frame took 800 ms, 50 ms side by side and with passive waiting
(docs/speed.md).
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

T, R = TypeVar("T"), TypeVar("R")

MOST_WORKERS = 4  # more of them wait for Python's lock


def worker_count(device: torch.device, most: int) -> int:
    """How many threads should work side by side: at most `most`, 1 where the device is no CPU."""
    return max(1, min(torch.get_num_threads(), most, MOST_WORKERS)) if device.type == "cpu" else 1


@contextlib.contextmanager
def threads_a_thread(count: int) -> Iterator[None]:
    """PyTorch operations of this thread, and of threads that start meanwhile, use `count` threads in the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def in_order(work: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """work(item) of every item, in their order, by so many threads at once; 1 works in the caller's own.

    One result more than there are workers is computed ahead, so that they go on while the caller uses one. An error of
    an item is raised in its place. A caller that stops early waits for the items that are being worked on, no others.
    """
    if workers == 1:
        yield from map(work, items)
        return
    threads = torch.get_num_threads()
    share, waiting = max(1, threads // workers), deque()
    pool = ThreadPoolExecutor(workers, "mamba_portrait", torch.set_num_threads, (share,))
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)  # a new thread takes the number that was set last, by whichever thread
