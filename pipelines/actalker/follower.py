"""One face through a film, by the pack's finders."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from ...media.faces import Face, find_face, follow_face
from .masks import Box, five_points


class FoundFace(NamedTuple):
    """A face's box in pixels, and its five points (5, 2) where the finder knows them."""

    box: Box
    points: Tensor | None = None


class Follower:
    """The largest face of the first picture (H, W, 3) it is called with, then the same one in the next; where it is
    lost, the largest again. Raises ValueError where there is none."""

    def __init__(self) -> None:
        self.face: Face | None = None

    def __call__(self, picture: Tensor) -> FoundFace:
        followed = None if self.face is None else follow_face(picture, self.face)
        self.face = followed or find_face(picture)
        return FoundFace(self.face.box, five_points(self.face))
