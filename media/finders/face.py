"""What every finder returns."""

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True, eq=False)
class Face:
    """A face in a picture, in that picture's pixels (x to the right, y down, pixel edges: a full picture is 0..width).

    box: (x0, y0, x1, y1), the square from the brows to the chin, about as wide as the face; every finder's own box is
    converted to this convention, so that crops do not depend on the finder. score: 0..1. landmarks:
    (L,2) or None; the own finder gives 5: left eye, right eye (the image's left and right), nose tip, mouth's left
    and right corner. frame: (height, width) of the picture.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: np.ndarray | None
    finder: str
    frame: tuple[int, int]

    @property
    def center(self) -> tuple[float, float]:
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2

    @property
    def size(self) -> float:
        """Side of the box in pixels (the longer one where a hand-given box is not square)."""
        return max(self.box[2] - self.box[0], self.box[3] - self.box[1])


def square(cx: float, cy: float, side: float) -> tuple[float, float, float, float]:
    """The square box of a centre and a side."""
    return cx - side / 2, cy - side / 2, cx + side / 2, cy + side / 2


def within(image: np.ndarray, side: int) -> tuple[np.ndarray, float]:
    """(H,W,3) -> the picture shrunk so that its longer side is at most `side`, and the factor; at least one pixel a
    side is left."""
    height, width = image.shape[:2]
    scale = min(1.0, side / max(height, width))
    if scale == 1:
        return image, scale
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), scale
