"""The face of a clip: found in some of its frames, judged, and the square that holds it throughout."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ....media.crop import CROP_SCALE, CROP_SHIFT
from ....media.faces import Face, find_faces
from ....media.finders.face import within

FINDING = 480  # pixels of the longer side of the pictures in which faces are looked for
ROOM = 1.2  # side of the crop in sides of all face boxes together, at least
SECOND = 0.5  # a second face of this part of the first one's size is one too many
SOME = 0.2  # of the frames looked at may lack what is asked for
NOSE = 0.55  # how far the tip of a nose stands before the eyes, in their distance: for an estimate of the turn
CUT, CUT_OVER_USUAL = 0.12, 6.0  # least difference between frames that is a cut, alone and over the clip's usual one


@dataclass(frozen=True)
class Filters:
    """What a clip must have to be kept; None does not ask."""

    face: float = 64.0  # pixels of the face box in the film, at the median
    turn: float | None = None  # degrees that the head is turned away, at most, at the median
    moves: float = 0.4  # of a face box that its centre may leave the middle
    seconds: float = 1.0  # at least
    loudness: float = -55.0  # dB of full scale, of the clip's loudest tenth of a second, at least
    offset: float = 2.0  # frames between sound and lips, at most, where a judge of sync is given


class Rejected(Exception):
    """A clip that is not kept; the reason is one of REASONS, with figures after a colon."""


REASONS = (
    "no face",
    "two faces",
    "small face",
    "turned away",
    "moves too far",
    "cut",
    "no sound",
    "silent",
    "too short",
    "out of sync",
    "cannot be read",
)


@dataclass(frozen=True)
class Track:
    """Faces of the frames that were looked at: boxes (n,4) in pixels of the film, of the frames that have one."""

    looked: int
    boxes: np.ndarray
    turns: np.ndarray  # (n,) degrees
    crowded: int  # frames with a second face

    @property
    def side(self) -> float:
        """Median side of the boxes."""
        return float(np.median(self.boxes[:, 2] - self.boxes[:, 0]))


def look(frames: Iterable[np.ndarray]) -> Track:
    """Find the face in pictures (H,W,3) uint8 of one clip; of several the one nearest to where it was before."""
    boxes, turns, crowded, looked = [], [], 0, 0
    for frame in frames:
        looked += 1
        small, scale = within(frame, FINDING)
        found = find_faces(small.astype(np.float32) / 255, "own")
        if not found:
            continue
        face = found[0] if not boxes else min(found, key=lambda one: _away(one, boxes[-1] * scale))
        others = [one for one in found if one is not face]
        crowded += any(one.size > SECOND * face.size for one in others)
        boxes.append(np.array(face.box) / scale)
        turns.append(turn_of(face))
    return Track(looked, np.array(boxes).reshape(-1, 4), np.array(turns), crowded)


def _away(face: Face, box: np.ndarray) -> float:
    centre = (box[:2] + box[2:]) / 2
    return float(np.abs(np.array(face.center) - centre).max() + abs(face.size - (box[2] - box[0])))


def turn_of(face: Face) -> float:
    """Degrees by which a head is turned to a side, estimated: how far the tip of the nose lies beside the middle of the
    eyes. A finder without landmarks gives 0."""
    if face.landmarks is None:
        return 0.0
    left, right, nose = face.landmarks[:3]
    axis = right - left
    distance = float(np.linalg.norm(axis)) or 1.0
    aside = abs(float((nose - (left + right) / 2) @ axis)) / distance**2
    return float(np.degrees(np.arctan(aside / NOSE)))


def judge(track: Track, filters: Filters) -> None:
    """Raise Rejected where the face is not as the filters ask."""
    if len(track.boxes) < (1 - SOME) * track.looked or not len(track.boxes):
        raise Rejected(f"no face: in {track.looked - len(track.boxes)} of {track.looked} frames")
    if track.crowded > SOME * track.looked:
        raise Rejected(f"two faces: in {track.crowded} of {track.looked} frames")
    if track.side < filters.face:
        raise Rejected(f"small face: {track.side:.0f} pixels, {filters.face:.0f} are asked for")
    turn = float(np.median(track.turns))
    if filters.turn is not None and turn > filters.turn:
        raise Rejected(f"turned away: by about {turn:.0f} degrees, {filters.turn:.0f} are allowed")
    centres = (track.boxes[:, :2] + track.boxes[:, 2:]) / 2
    moved = float(np.abs(centres - np.median(centres, 0)).max()) / track.side
    if moved > filters.moves:
        raise Rejected(f"moves too far: {moved:.2f} of a face, {filters.moves:.2f} are allowed")


def face_square(track: Track, width: int, height: int, scale: float = CROP_SCALE) -> tuple[int, int, int]:
    """Left, top and side of the square around the face throughout the clip, framed as portraits are: `scale` boxes,
    raised a little for the hair, with room around all boxes together. It is moved, and where it must be made smaller,
    to lie in the film, so that no edge is mirrored into a training picture. The side is even."""
    low, high = track.boxes[:, :2].min(0), track.boxes[:, 2:].max(0)
    side = 2 * round(max(scale * track.side, ROOM * float((high - low).max())) / 2)
    side = min(side, width // 2 * 2, height // 2 * 2)
    x, y = (low + high) / 2
    left, top = x - side / 2, y - CROP_SHIFT * track.side - side / 2
    return round(float(np.clip(left, 0, width - side))), round(float(np.clip(top, 0, height - side))), side


def half_body_square(track: Track, width: int, height: int) -> tuple[int, int, int]:
    """The square as high as the film, or as wide where that is less, with the face in its middle where it fits."""
    side = min(width, height) // 2 * 2
    middle = float(np.median(track.boxes[:, [0, 2]]))
    left = int(np.clip(middle - side / 2, 0, width - side))
    return left, 0, side


def cuts(thumbnails: np.ndarray) -> list[int]:
    """Frames of small pictures (T,h,w,3) in [0,1] that have little to do with the one before."""
    if len(thumbnails) < 2:
        return []
    steps = np.abs(np.diff(thumbnails, axis=0)).mean((1, 2, 3))
    threshold = max(CUT, CUT_OVER_USUAL * float(np.median(steps)))
    return (np.flatnonzero(steps > threshold) + 1).tolist()
