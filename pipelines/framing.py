"""The square crop of a photo that is animated and of a driving video that is encoded: the same for nodes, commands and
evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from torch import Tensor

from ..media.crop import Crop, crop_box, crop_portrait, cut
from ..media.faces import Face, NoFaceError, choose_face, find_faces
from .threads import threads_a_thread

DRIVING_SIZE = 512  # pixels; the motion encoder's input is a quarter of this, more would only cost memory
Box = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class FramedPortrait:
    """The square portrait (S,S,3) cut from a photo, where it was cut, its face, and how many faces there were."""

    picture: Tensor
    crop: Crop
    face: Face
    faces: int


def frame_portrait(
    photo: Tensor, *, finder: str = "auto", box: Box | None = None, which: str | int = "largest", **framing: float
) -> FramedPortrait:
    """Find a face in a photo (H,W,3) in [0,1] and cut a square around it.

    finder, box: as `find_faces`; which: as `choose_face`; framing: scale and shift of `crop_box`. NoFaceError, which
    says what to do, where there is no face."""
    faces = _faces(photo, finder, box)
    face = choose_face(faces, which)
    return FramedPortrait(*crop_portrait(photo, face, **framing), face, len(faces))


def _faces(picture: Tensor, finder: str, box: Box | None) -> list[Face]:
    """`find_faces` on one thread: it takes .1 s, and where another program has one of two cores 2.5 s on both."""
    with threads_a_thread(1):
        return find_faces(picture, finder, box)


def frame_video(
    frames: Iterable[Tensor],
    *,
    finder: str = "auto",
    box: Box | None = None,
    which: str | int = "largest",
    remedy: str = "or take the whole frame if the video is cut to a face already",
    **framing: float,
) -> tuple[Crop, Iterator[Tensor]]:
    """The square around the face of the first frame, and every frame cut to it: (S,S,3) with S at most DRIVING_SIZE.

    frames: (H,W,3) each, in [0,1], read lazily. The square is found once and kept, so that it does not jitter. The
    other arguments are those of `frame_portrait`. ValueError for a video without frames; NoFaceError, which ends in
    `remedy`, without a face in the first."""
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise ValueError("The driving video has no frames.")
    faces = _faces(first, finder, box)
    if not faces:
        raise NoFaceError(
            "No face was found in the first frame of the driving video: begin where a face looks at the camera, "
            f"{remedy}."
        )
    crop = crop_box(tuple(first.shape[:2]), choose_face(faces, which), **framing)
    return crop, (cut(frame, crop, DRIVING_SIZE) for frame in chain([first], frames))
