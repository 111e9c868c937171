"""ACTalker's mouth boxes beside those of another detector.

The paper takes RetinaFace's; ours come from the five points of the pack's own finder. Lips are MediaPipe's here, since
its mesh follows their outline, and RetinaFace gives five points as well.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from ....media.faces import find_faces
from ....media.photo import to_uint8
from ....pipelines.actalker.masks import mouth_box
from ..face_mesh import FaceMesh

OUTER_LIPS = (61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91)  # in MediaPipe's numbering, around the mouth


def measure_mouth_box(photo: Tensor, mesh: FaceMesh) -> dict[str, float]:
    """`mouth_covered`, the part of the lips' box that lies inside ours, and `mouth_larger`, ours in areas of the lips',
    for the largest face of a photo (H,W,3) in [0,1]; empty where either finder sees no face."""
    faces = find_faces(photo)
    marks = mesh(to_uint8(photo))
    if not faces or marks is None:
        return {}
    face = faces[0]
    ours = np.array(mouth_box(face.box, None if face.landmarks is None else face.landmarks[:5]))
    lips = marks[list(OUTER_LIPS), :2] * (photo.shape[1], photo.shape[0])
    theirs = np.concatenate([lips.min(0), lips.max(0)])
    if _area(theirs) == 0:
        return {}
    return {"mouth_covered": _area(_shared(ours, theirs)) / _area(theirs), "mouth_larger": _area(ours) / _area(theirs)}


def _shared(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.concatenate([np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])])


def _area(box: np.ndarray) -> float:
    return float(np.clip(box[2:] - box[:2], 0, None).prod())
