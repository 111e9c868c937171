"""Frames that are shown on the node as they come, and how long all of them take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from torch import Tensor

from ...host import progress_bar, say
from ...pipelines.forecast import Forecast, length

T = TypeVar("T")

SHOW_EVERY = 0.5  # seconds
LONG = 10.0  # seconds of a work of unknown pace from which it is said while it runs how long it takes


def previewed(
    parts: Iterable[T], forecast: Forecast, picture: Callable[[T], Tensor] = lambda frames: frames
) -> Iterator[T]:
    """Batches as they are, whose frames (b,H,W,3) `picture` gives, with the node's bar and a picture on it twice a
    second at most. What the work is and about how long it takes is said before; where the forecast cannot tell, from
    what the first second took. Raises `Interrupted` once the user has cancelled."""
    total, done, shown, bar = forecast.units, 0, 0.0, progress_bar(forecast.units)
    told = forecast.seconds() is not None
    say(forecast.text())
    begun, first, after_first = time.monotonic(), 0, 0.0
    for part in parts:
        frames = picture(part)
        done, now = done + len(frames), time.monotonic()
        if not first:
            first, after_first = done, now  # the first batch also loads and prepares
        elif not told and now - after_first >= 1:
            told = True
            _tell(forecast, (now - after_first) / (done - first) * total)
        preview = frames[-1][..., :3] if now - shown >= SHOW_EVERY else None
        shown = now if preview is not None else shown
        bar(done, total, preview)
        yield part
    forecast.took(time.monotonic() - begun, done)


def _tell(forecast: Forecast, seconds: float) -> None:
    if seconds >= LONG:
        say(f"{forecast.what}, about {length(seconds)}.")
