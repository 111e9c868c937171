"""Frames that are shown on the node as they come, and how long the others will take."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from torch import Tensor

from ...host import progress_bar

T = TypeVar("T")

log = logging.getLogger("mamba_portrait")

SHOW_EVERY = 0.5  # seconds
LONG = 10.0  # seconds from which it is said how long the rest takes


def previewed(
    parts: Iterable[T], total: int, what: str, picture: Callable[[T], Tensor] = lambda frames: frames
) -> Iterator[T]:
    """Batches as they are, whose frames (b,H,W,3) `picture` gives, with the node's bar, a picture on it twice a second
    at most, and one line in the log: how many frames of which size, and about how many seconds they take, told by the
    second batch. Raises `Interrupted` once the user has cancelled."""
    bar, done, began, shown, told = progress_bar(total), 0, time.monotonic(), 0.0, False
    first = 0
    for part in parts:
        frames = picture(part)
        done, now = done + len(frames), time.monotonic()
        if not told and first:
            told = True
            _tell(frames, total, what, (now - began) / (done - first) * total)
        if not first:
            first, began = done, now  # the first batch also loads and prepares
        preview = frames[-1][..., :3] if now - shown >= SHOW_EVERY else None
        shown = now if preview is not None else shown
        bar(done, total, preview)
        yield part


def _tell(part: Tensor, total: int, what: str, seconds: float) -> None:
    if seconds >= LONG:
        height, width = part.shape[1:3]
        log.info("%s: %d frames of %dx%d, about %.0f s.", what, total, width, height, seconds)
