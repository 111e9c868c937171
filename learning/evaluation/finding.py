"""Recall of the face finder against another detector, and its false positives in pictures without a face."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ...media.faces import find_faces
from ...media.photo import load_photo, to_uint8
from .face_mesh import FaceBoxes

SAME_FACE_IOU = 0.6  # intersection over union from which on two boxes are one face


def overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union (N,M) of boxes (N,4) and (M,4): x0, y0, x1, y1."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(-1)
    area, other = ((b[:, 2:] - b[:, :2]).prod(-1) for b in (boxes, others))
    return shared / np.maximum(area[:, None] + other[None] - shared, 1e-9)


def measure_finder(
    pictures: Sequence[str | Path],
    faceless: Sequence[str | Path],
    judge: FaceBoxes,
    *,
    finder: str = "own",
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, dict[str, float]]:
    """For each picture file: `faces` that the reference detector `judge` finds, `found`, those of them that the finder
    finds too (by the overlap of boxes), and `more`, those that the finder alone finds; in `faceless` pictures `false`,
    the number of false positives."""
    figures, total = {}, len(pictures) + len(faceless)
    for number, path in enumerate([*pictures, *faceless]):
        picture = load_photo(path)
        ours = np.array([face.box for face in find_faces(picture, finder)], np.float32).reshape(-1, 4)
        if number < len(pictures):
            theirs = judge(to_uint8(picture))
            alike = overlaps(theirs, ours)
            found = float((alike.max(1, initial=0) >= SAME_FACE_IOU).sum())
            more = float((alike.max(0, initial=0) < SAME_FACE_IOU).sum())
            figures[Path(path).name] = {"faces": float(len(theirs)), "found": found, "more": more}
        else:
            figures[Path(path).name] = {"false": float(len(ours))}
        if progress is not None:
            progress(number + 1, total)
    return figures
