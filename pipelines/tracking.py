"""The face of a film, followed from frame to frame and from shot to shot, in a square that does not jitter."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from ..media.crop import CROP_SCALE, Crop, crop_box
from ..media.cuts import Cuts
from ..media.faces import Face, apart, choose_face, find_faces, follow_face
from ..media.finders.face import square
from ..media.photo import to_uint8
from ..media.smoothing import smoothed
from .devices import Progress
from .threads import threads_a_thread

EVERY = 0.08  # seconds from one look at the face to the next; it moves evenly between them
SEARCH = 0.48  # seconds from one search of the whole frame to the next while there is no face
GAP = 0.4  # seconds without the face that are filled in
STEADY = 0.12  # of the face's side: a head that moves and grows less than this in a shot has one box for all of it
SMOOTH_BOX, SMOOTH_MARKS = 0.25, 0.1  # seconds, sigma of the Gaussian
JUMP = 0.8  # of the face's side: a face that moves further between two looks belongs to another shot
MARKS = np.array([(0.30, 0.28), (0.70, 0.28), (0.50, 0.50), (0.31, 0.73), (0.69, 0.73)])
"""Eyes, nose tip and corners of the mouth in the box of a face, for finders without landmarks."""


@dataclass(frozen=True, eq=False)
class Shot:
    """Frames first .. last - 1 of a film without a cut.

    seen (n,): whether the face is there. boxes (n,3) float32: its centre x, y and the side of its box in pixels; marks
    (n,5,2): left eye, right eye, nose tip, corners of the mouth. Both are smoothed, and zero where it is not seen."""

    first: int
    last: int
    seen: Tensor
    boxes: Tensor
    marks: Tensor

    @property
    def steady(self) -> bool:
        """Whether the shot has one box for all frames."""
        boxes = self.boxes[self.seen]
        return len(boxes) > 0 and bool((boxes == boxes[0]).all())


@dataclass(frozen=True, eq=False)
class FaceTrack:
    """The face of a film of `frames` frames of height x width at `fps`, in its shots."""

    frames: int
    fps: Fraction
    height: int
    width: int
    shots: tuple[Shot, ...]
    scale: float = CROP_SCALE
    _starts: list[int] = field(default_factory=list)

    def shot(self, frame: int) -> Shot:
        """The shot of a frame."""
        if not self._starts:
            self._starts.extend(shot.first for shot in self.shots)
        return self.shots[int(np.searchsorted(self._starts, frame, side="right")) - 1]

    def seen(self, frame: int) -> bool:
        """Whether the face is there."""
        shot = self.shot(frame)
        return bool(shot.seen[frame - shot.first])

    def crop(self, frame: int) -> Crop:
        """The square around the face, where it is seen; within a shot of a steady head always the same."""
        shot = self.shot(frame)
        x, y, side = shot.boxes[frame - shot.first].tolist()
        face = Face(square(x, y, side), 1.0, None, "box", (self.height, self.width))
        return crop_box((self.height, self.width), face, self.scale)

    def marks(self, frame: int) -> np.ndarray:
        """(5,2) in pixels."""
        shot = self.shot(frame)
        return shot.marks[frame - shot.first].numpy()


def track_face(
    frames: Iterable[Tensor],
    fps: Fraction,
    *,
    finder: str = "auto",
    which: str | int | tuple[float, float] = "largest",
    scale: float = CROP_SCALE,
    total: int | None = None,
    progress: Progress | None = None,
) -> FaceTrack:
    """Follow one face through a film of frames (H,W,3) in [0,1], read lazily, one in memory at a time.

    finder, which: as `find_faces` and `choose_face`, at the beginning of every shot; within one the face is followed
    from its place. A point (x, y) means the face there. A film without any face gives a track in which it is nowhere
    seen. ValueError for a film without frames."""
    tracker = _Tracker(float(fps), finder, which)
    with threads_a_thread(1):
        for number, frame in enumerate(frames):
            tracker.look(frame)
            if progress is not None:
                progress(number + 1, max(number + 1, total or 0))
    if not tracker.frames:
        raise ValueError("The film has no frames.")
    tracker.end()
    return FaceTrack(tracker.frames, Fraction(fps), *tracker.size, tuple(tracker.shots), scale)


class _Tracker:
    def __init__(self, fps: float, finder: str, which: str | int | tuple[float, float]):
        self.fps, self.finder, self.which = fps, finder, which
        self.frames, self.shots, self.size = 0, [], (0, 0)
        self._every, self._search = max(1, round(EVERY * fps)), max(1, round(SEARCH * fps))
        self._cuts = Cuts()
        self._begin(0)

    def _begin(self, first: int) -> None:
        self._first, self._looks = first, []
        self._face, self._searched = None, None

    def look(self, frame: Tensor) -> None:
        """The next frame (H,W,3) in [0,1]."""
        self.size = tuple(frame.shape[:2])
        number, self.frames = self.frames, self.frames + 1
        if self._cuts(to_uint8(frame)):
            self._end(number)
        if (number - self._first) % self._every == 0:
            self._follow(number, frame)

    def _follow(self, number: int, frame: Tensor) -> None:
        before = self._face
        face = None if before is None else follow_face(frame, before)
        if face is None and (self._searched is None or number - self._searched >= self._search):
            face, self._searched = self._found(frame, before), number
        if face is None:
            return
        if before is not None and apart(face, before) > JUMP and self._looks[-1][0] >= number - self._every:
            self._end(number)
        self._face, self._searched = face, None
        self._looks.append((number, face))

    def _found(self, frame: Tensor, before: Face | None) -> Face | None:
        faces = find_faces(frame, self.finder)
        if before is not None:
            return min(faces, key=lambda face: apart(face, before), default=None)
        return choose_face(faces, self.which) if faces else None

    def end(self) -> None:
        """The film is over."""
        self._end(self.frames)

    def _end(self, last: int) -> None:
        if last > self._first:
            self.shots.append(_shot(self._first, last, self._looks, self.fps))
        self._begin(last)


def _shot(first: int, last: int, looks: list[tuple[int, Face]], fps: float) -> Shot:
    """A shot from the looks at its face, (frame, face) each."""
    frames = last - first
    if not looks:
        return Shot(
            first, last, torch.zeros(frames, dtype=torch.bool), torch.zeros(frames, 3), torch.zeros(frames, 5, 2)
        )
    at = np.array([number - first for number, _ in looks])
    rows = np.stack([_row(face) for _, face in looks])
    every = np.arange(frames)
    filled = np.stack([np.interp(every, at, column) for column in rows.T], 1)
    near = at[np.searchsorted(at, every, side="right").clip(1) - 1], at[np.searchsorted(at, every).clip(0, len(at) - 1)]
    seen = ((near[1] - near[0]) / fps <= GAP) & (np.abs(every - near[0]) / fps <= GAP)
    seen &= np.abs(near[1] - every) / fps <= GAP
    curves = torch.from_numpy(filled)
    boxes = smoothed(curves[:, :3], SMOOTH_BOX * fps).numpy()
    marks = smoothed(curves[:, 3:], SMOOTH_MARKS * fps).numpy()
    boxes = _steadied(boxes, seen)
    boxes[~seen], marks[~seen] = 0, 0
    return Shot(
        first,
        last,
        torch.from_numpy(seen),
        torch.from_numpy(boxes.astype(np.float32)),
        torch.from_numpy(marks.reshape(-1, 5, 2).astype(np.float32)),
    )


def _row(face: Face) -> np.ndarray:
    """(13,): centre, side and marks."""
    marks = np.array(face.box[:2]) + MARKS * face.size if face.landmarks is None else face.landmarks[:5]
    return np.concatenate([face.center, [face.size], np.ravel(marks)])


def _steadied(boxes: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Boxes (n,3): one for all where the head hardly moves, and one side for all where it hardly comes nearer."""
    shown = boxes[seen] if seen.any() else boxes
    middle = np.median(shown, 0)
    spread = np.abs(shown - middle).max(0) / middle[2]
    if spread.max() < STEADY:
        return np.broadcast_to(middle, boxes.shape).copy()
    if spread[2] < STEADY:
        boxes[:, 2] = middle[2]
    return boxes
