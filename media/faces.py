"""Face detection: one interface over several finders, and the choice among the faces found."""

import numpy as np
from torch import Tensor

from .finders import cascade, own, yunet
from .finders.face import Face
from .photo import to_uint8
from .picture import checked

__all__ = ["CHOICES", "FINDERS", "Face", "NoFaceError", "choose_face", "find_face", "find_faces", "follow_face"]

SEARCHERS = {"own": own, "yunet": yunet, "cascade": cascade}  # in the order in which "auto" tries them
FINDERS = ("auto", *SEARCHERS, "box", "whole")
CHOICES = ("largest", "left", "right", "center")

NO_FACE = (
    "No face was found in the picture: use one in which the face is larger and seen from the front, choose the finder "
    "'whole' if the picture is a cropped portrait already, or 'box' and give the face's place."
)


class NoFaceError(ValueError):
    """There is no face where one is needed; the message says what to do."""


def find_faces(
    image: np.ndarray | Tensor, finder: str = "auto", box: tuple[float, float, float, float] | None = None
) -> list[Face]:
    """Find the faces of one picture (H,W,3), RGB floats in [0,1]; the largest first, an empty list for none.

    finder: "auto" takes the first finder that can run; "own" (the pack's network), "yunet", "cascade" only that one;
    "box" takes `box` (x0, y0, x1, y1 in pixels, around brows to chin) as the face; "whole" the whole picture. A given
    box overrides any finder. Raises ValueError for a bad box or picture, RuntimeError when the finder cannot run.
    """
    if image.ndim == 4 and image.shape[0] == 1:
        image = image[0]
    if image.ndim != 3 or image.shape[-1] < 3:
        raise ValueError(f"find_faces needs one picture (H,W,3), got shape {tuple(image.shape)}.")
    if finder not in FINDERS:
        raise ValueError(f"Unknown face finder '{finder}'; use one of {', '.join(FINDERS)}.")
    frame = (int(image.shape[0]), int(image.shape[1]))
    if box is not None or finder == "box":
        return [Face(_checked(box, frame), 1.0, None, "box", frame)]
    if finder == "whole":
        return [Face((0.0, 0.0, float(frame[1]), float(frame[0])), 1.0, None, "whole", frame)]
    searcher = _runnable(finder)
    faces = searcher.find(np.ascontiguousarray(to_uint8(checked(image, "the picture"))[..., :3]))
    return sorted(faces, key=lambda face: -face.size)


def _runnable(finder: str):
    """The finder's module, or a RuntimeError that says what each needs."""
    names = list(SEARCHERS) if finder == "auto" else [finder]
    reasons = {name: SEARCHERS[name].missing() for name in names}
    for name, reason in reasons.items():
        if not reason:
            return SEARCHERS[name]
    causes = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
    raise RuntimeError(f"No face finder can run here ({causes}). Give the face's box by hand or choose finder='whole'.")


def _checked(box, frame: tuple[int, int]) -> tuple[float, float, float, float]:
    if box is None:
        raise ValueError("The finder 'box' needs the face's box in pixels.")
    x0, y0, x1, y1 = (float(v) for v in box)
    height, width = frame
    if not (x1 - x0 >= 2 and y1 - y0 >= 2 and x1 > 0 and y1 > 0 and x0 < width and y0 < height):
        raise ValueError(
            f"The box from ({x0:g}, {y0:g}) to ({x1:g}, {y1:g}) is no part of a {width}x{height} picture: give the "
            "face's place in pixels, from brows to chin."
        )
    return x0, y0, x1, y1


def choose_face(faces: list[Face], which: str | int | tuple[float, float] = "largest") -> Face:
    """One of the faces: "largest", the "left" or "right" most, the nearest to the picture's "center", an index by size,
    or the face at a point (x, y) in pixels: of those whose box holds it the smallest, else the nearest.

    Raises NoFaceError where there is none, ValueError when the index is too high."""
    if not faces:
        raise NoFaceError(NO_FACE)
    if isinstance(which, tuple):
        holding = [face for face in faces if _holds(face, which)]
        return min(holding, key=lambda face: face.size) if holding else min(faces, key=lambda f: _far(f, which))
    if isinstance(which, str) and which.isdecimal():
        which = int(which)
    if isinstance(which, int):
        if not 0 <= which < len(faces):
            raise ValueError(f"Face {which} was asked for, counted from 0, but the picture has {len(faces)}.")
        return sorted(faces, key=lambda face: -face.size)[which]
    if which == "largest":
        return max(faces, key=lambda face: face.size)
    if which == "left":
        return min(faces, key=lambda face: face.center[0])
    if which == "right":
        return max(faces, key=lambda face: face.center[0])
    if which == "center":
        return min(faces, key=lambda f: np.hypot(f.center[0] - f.frame[1] / 2, f.center[1] - f.frame[0] / 2))
    raise ValueError(f"Unknown choice of face '{which}'; use {', '.join(CHOICES)} or a number.")


def _holds(face: Face, point: tuple[float, float]) -> bool:
    (x0, y0, x1, y1), (x, y) = face.box, point
    return x0 <= x <= x1 and y0 <= y <= y1


def _far(face: Face, point: tuple[float, float]) -> float:
    return float(np.hypot(*np.subtract(face.center, point)))


def find_face(
    image: np.ndarray | Tensor,
    finder: str = "auto",
    box: tuple[float, float, float, float] | None = None,
    which: str | int = "largest",
) -> Face:
    """`find_faces` and `choose_face` in one."""
    return choose_face(find_faces(image, finder, box), which)


def follow_face(image: np.ndarray | Tensor, face: Face) -> Face | None:
    """A face of the frame before in the next one (H,W,3); None where it is lost. The own finder looks around it, the
    others search the whole frame and give the face whose centre is nearest, at most half a face away."""
    if face.finder == "own":
        return own.follow(np.ascontiguousarray(to_uint8(image)[..., :3]), face)
    found = [new for new in find_faces(image, face.finder) if apart(new, face) < 0.5]
    return min(found, key=lambda new: apart(new, face), default=None)


def apart(first: Face, second: Face) -> float:
    """Distance of the centres, in sides of the second's box."""
    return float(np.hypot(*np.subtract(first.center, second.center)) / second.size)
