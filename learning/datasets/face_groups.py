"""Pictures of real faces with what landmarks tell of them: groups of four, of one person in a film or of four people.

`learning/training/renderer/real_faces.py` writes them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from ...files import whole_file

Arrays = TypeVar("Arrays", bound=tuple)
FILE = "faces.npz"
LOOKS = ("opening", "width", "left_lid", "right_lid", "yaw", "roll")
"""Of a picture: distances of the inner lips and of the mouth's corners in those of the eyes' outer corners, gaps of the
lids in widths of their eyes, radians."""


class FaceGroups(NamedTuple):
    """N groups of four pictures, in the layout of the file."""

    rgb: np.ndarray  # (N,4,S,S,3) uint8
    mark: np.ndarray  # (N,4,40,2) float32 in [0,1], 0 where the mesh has no such landmark
    looks: np.ndarray  # (N,4,6) float32, as LOOKS
    person: np.ndarray  # (N,) int64; -1: four portraits of different people
    lips: np.ndarray  # (C,2) what opening and width are of the parameters, see `mesh_labels.mouth_terms`

    def save(self, folder: Path) -> None:
        """As folder/faces.npz."""
        folder.mkdir(parents=True, exist_ok=True)
        with whole_file(folder / FILE) as part, part.open("wb") as file:
            np.savez(file, **self._asdict())


def read_face_groups(folder: str | Path) -> FaceGroups:
    """The faces in a folder. FileNotFoundError where there are none."""
    return read_arrays(FaceGroups, Path(folder) / FILE, "real_faces")


def read_arrays(kind: type[Arrays], file: Path, maker: str) -> Arrays:
    """A named tuple of the arrays in a file. FileNotFoundError, which names the module that makes it, without one."""
    if not file.is_file():
        raise FileNotFoundError(
            f"{file.parent} holds no {file.name}: make it with "
            f"`python -m mamba_portrait.learning.training.renderer.{maker}`"
        )
    with np.load(file) as fields:
        return kind(**{name: fields[name] for name in kind._fields})
