"""The mouth's picture in each frame of a film, cut by the pack's own face finder."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
import torch
from torch import Tensor

from ....media.finders import own
from ....media.photo import to_uint8
from .network import MOUTH

EVERY = 5  # frames from one search to the next; the face moves evenly between them
SPAN = 1.5  # width of the picture in distances of the eyes
LOWERED = 0.12  # its centre below the mouth's corners, in the same unit: a jaw opens downwards
SMOOTH = 2  # searches on either side over which the place is averaged


def find_mouths(frames: Iterable[Tensor]) -> Tensor | None:
    """Frames (H,W,3) in [0,1] of one speaking person -> (T,48,64) in [0,1], grey, upright and of one size.

    The largest face of a frame, searched in every fifth and smoothed. None where fewer than half of the searches find
    one."""
    pictures, places = [], []
    for number, frame in enumerate(frames):
        picture = to_uint8(frame)
        if number % EVERY == 0:
            places.append(_place(picture))
        pictures.append(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))
    seen = [i for i, place in enumerate(places) if place is not None]
    if not seen or 2 * len(seen) < len(places):
        return None
    known = np.array([places[i] for i in seen])
    smooth = _smoothed(np.stack([np.interp(range(len(places)), seen, column) for column in known.T], 1))
    at = np.arange(len(pictures)) / EVERY
    tracks = np.stack([np.interp(at, range(len(smooth)), column) for column in smooth.T], 1)
    cut = [_cut(picture, *track) for picture, track in zip(pictures, tracks, strict=True)]
    return torch.from_numpy(np.stack(cut)).float() / 255


def cut_mouths(still: Tensor, frames: Iterable[Tensor]) -> Tensor | None:
    """Frames (H,W,3) of a head that stays where it is in `still` (H,W,3) -> (T,48,64) as `find_mouths`, all cut at the
    still's place. None where no face is found in it."""
    place = _place(to_uint8(still))
    if place is None:
        return None
    grey = (cv2.cvtColor(to_uint8(frame), cv2.COLOR_RGB2GRAY) for frame in frames)
    return torch.from_numpy(np.stack([_cut(picture, *place) for picture in grey])).float() / 255


def _place(picture: np.ndarray) -> tuple[float, float, float, float] | None:
    """Centre x, y, distance of the eyes and tilt (radians) of the largest face."""
    faces = [face for face in own.find(picture) if face.landmarks is not None]
    if not faces:
        return None
    left, right, _, *corners = max(faces, key=lambda face: face.size).landmarks
    across = right - left
    return (*np.mean(corners, 0), float(np.hypot(*across)), float(np.arctan2(across[1], across[0])))


def _smoothed(places: np.ndarray) -> np.ndarray:
    """(N,4), each row the mean of its neighbours'; the edges repeat."""
    padded = np.pad(places, ((SMOOTH, SMOOTH), (0, 0)), mode="edge")
    return np.stack([padded[i : i + 2 * SMOOTH + 1].mean(0) for i in range(len(places))])


def _cut(picture: np.ndarray, x: float, y: float, eyes: float, tilt: float) -> np.ndarray:
    """(H,W) -> (48,64), turned upright."""
    rows, columns = MOUTH
    scale = columns / max(SPAN * eyes, 2.0)
    cos, sin = np.cos(tilt) * scale, np.sin(tilt) * scale
    turn = np.array([[cos, sin, 0.0], [-sin, cos, 0.0]])
    turn[:, 2] = (columns / 2, rows / 2 - LOWERED * eyes * scale) - turn[:, :2] @ (x, y)
    smaller = scale < 0.5  # of a large face several pixels become one
    if smaller:
        factor = 0.5 / scale
        picture = cv2.blur(picture, (2 * round(factor) - 1,) * 2)
    return cv2.warpAffine(picture, turn, (columns, rows), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
