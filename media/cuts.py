"""Scene cuts of a film, frame by frame."""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np

SIDE = 32  # pixels of the small picture in which frames are compared
LEAST = 0.05  # mean difference, of 1, below which nothing is a cut
TIMES = 3.0  # how many times the difference of the frames before it a cut has
BEFORE = 12  # frames whose differences are remembered


class Cuts:
    """Tells of each frame whether it begins another shot.

    Compared are pictures of 32 x 32 pixels: a cut changes most of them at once, by three times the median of the last
    twelve changes or more. A slow fade, a flash of less than .05 and a moving camera are no cuts."""

    def __init__(self) -> None:
        self._last: np.ndarray | None = None
        self._changes: deque[float] = deque(maxlen=BEFORE)

    def __call__(self, frame: np.ndarray) -> bool:
        """The next frame (H,W,3) uint8; the first one begins no other shot."""
        small = cv2.resize(frame, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        last, self._last = self._last, small
        if last is None:
            return False
        change = float(np.abs(small - last).mean())
        usual = float(np.median(self._changes)) if self._changes else 0.0
        if change > max(LEAST, TIMES * usual):
            self._changes.clear()
            return True
        self._changes.append(change)
        return False
