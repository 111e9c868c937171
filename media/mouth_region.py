"""The part of a face that a new voice changes, and how a drawn mouth is put into it without a seam."""

from __future__ import annotations

import cv2
import numpy as np

# In distances from the middle of the eyes to the middle of the mouth. The chin lies .65 below the mouth, and .8 where
# the jaw hangs; the nose ends .3 above it.
ABOVE, BELOW, ASIDE = 0.40, 1.10, 0.85
ROUND = 2.6  # exponent of the superellipse: 2 is an ellipse, more is closer to a rectangle
SOFT = 0.22  # of the radius, over which the edge fades
RING = 1.3  # outer radius of the ring by which colours are matched; its upper half alone, as the chin moves
NOSE = (0.55, 0.95)  # half width of the patch between eyes and mouth by which the drawn face is aligned, and its height
FARTHEST = 0.12  # that it is moved
SURE = 0.15  # response of the phase correlation from which its shift is used


class MouthRegion:
    """The region of one frame from its face's marks (5,2): left eye, right eye, nose tip, the mouth's corners.

    marks: in the pixels of a picture of `shape` (height, width). `alpha` (h,w) float32 is 1 inside and 0 from the edge
    on, `rows` and `columns` the slices of the picture that it covers: nothing outside of them is ever changed."""

    def __init__(self, marks: np.ndarray, shape: tuple[int, int]):
        eyes, mouth = marks[:2].mean(0), marks[3:].mean(0)
        down = mouth - eyes
        self.unit = max(float(np.hypot(*down)), 2.0)
        self.down, self.mouth, self.shape = down / self.unit, mouth, shape
        self.rows, self.columns = self._bounds()
        radius, along = self._radius()
        x = ((1 - radius) / SOFT).clip(0, 1)
        self.alpha = (x * x * (3 - 2 * x)).astype(np.float32)
        self._ring = ((radius > 1) & (radius < RING) & (along < 0)).astype(np.float32)

    def _bounds(self) -> tuple[slice, slice]:
        reach = RING * max(ABOVE, BELOW, ASIDE) * self.unit
        (x0, y0), (x1, y1) = np.floor(self.mouth - reach).astype(int), np.ceil(self.mouth + reach).astype(int)
        height, width = self.shape
        return slice(*np.clip([y0, y1], 0, height)), slice(*np.clip([x0, x1], 0, width))

    def _radius(self) -> tuple[np.ndarray, np.ndarray]:
        """(h,w): superelliptic distance from the region's middle, 1 at its edge; distance below the mouth."""
        y, x = np.mgrid[self.rows, self.columns].astype(np.float32) + 0.5
        x, y = x - self.mouth[0], y - self.mouth[1]
        along = (x * self.down[0] + y * self.down[1]) / self.unit
        across = (x * self.down[1] - y * self.down[0]) / self.unit
        middle, half = (BELOW - ABOVE) / 2, (BELOW + ABOVE) / 2
        return (np.abs((along - middle) / half) ** ROUND + np.abs(across / ASIDE) ** ROUND) ** (1 / ROUND), along

    def blend(self, picture: np.ndarray, drawn: np.ndarray, weight: float = 1.0) -> None:
        """Put `drawn` (H,W,3) into `picture` (H,W,3), both float32 in [0,1], in place. weight: 1 all of it, 0 none.

        Its colours are first moved by the mean difference on cheeks and nose."""
        if not self.alpha.size:
            return
        piece, new = picture[self.rows, self.columns], drawn[self.rows, self.columns]
        new = np.clip(new + self._offset(piece, new), 0, 1)
        piece += (weight * self.alpha)[..., None] * (new - piece)

    def _offset(self, piece: np.ndarray, new: np.ndarray) -> np.ndarray:
        total = float(self._ring.sum())
        if not total:
            return np.zeros(3, np.float32)
        return ((piece - new) * self._ring[..., None]).sum((0, 1)) / total

    def aligned(self, picture: np.ndarray, drawn: np.ndarray) -> np.ndarray:
        """`drawn` (H,W,3), moved by the pixels, and parts of one, by which its nose lies off that of `picture`."""
        half, height = NOSE[0] * self.unit, NOSE[1] * self.unit
        top = self.mouth - self.down * (height + 0.3 * self.unit)
        x0, x1 = np.clip([round(top[0] - half), round(top[0] + half)], 0, self.shape[1])
        y0, y1 = np.clip([round(top[1]), round(top[1] + height)], 0, self.shape[0])
        if min(x1 - x0, y1 - y0) < 16:
            return drawn
        ours, theirs = (cv2.cvtColor(image[y0:y1, x0:x1], cv2.COLOR_RGB2GRAY) for image in (drawn, picture))
        window = cv2.createHanningWindow((int(x1 - x0), int(y1 - y0)), cv2.CV_32F)
        shift, response = cv2.phaseCorrelate(ours, theirs, window)
        if response < SURE or max(map(abs, shift)) > FARTHEST * self.unit:
            return drawn
        move = np.float32([[1, 0, shift[0]], [0, 1, shift[1]]])
        return cv2.warpAffine(drawn, move, drawn.shape[1::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
