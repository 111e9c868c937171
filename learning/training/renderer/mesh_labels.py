"""What MediaPipe's face mesh says of a face, in the terms of the drawn corpus's labels.

The mesh looks at drawn faces, whose labels are exact: so its points are placed as the drawn landmarks are, and it is
known which parameters open and widen a mouth that it sees, and which turn of the head.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....media.mesh_parameters import CORNERS, EYES, LIDS, LIPS
from ....vocabulary import INDEX, LANDMARKS

POINTS: dict[str, int] = {
    "left_eye_outer": 33, "left_eye_inner": 133, "left_lid_upper": 159, "left_lid_lower": 145,
    "right_eye_outer": 263, "right_eye_inner": 362, "right_lid_upper": 386, "right_lid_lower": 374,
    "left_brow_outer": 46, "left_brow_middle": 52, "left_brow_inner": 55,
    "right_brow_outer": 276, "right_brow_middle": 282, "right_brow_inner": 285,
    "nose_tip": 4, "nose_base": 2, "mouth_left": 61, "mouth_right": 291,
    "upper_lip_inner": 13, "lower_lip_inner": 14, "upper_lip_outer": 0, "lower_lip_outer": 17,
    "upper_lip_inner_left": 81, "upper_lip_inner_right": 311,
    "lower_lip_inner_left": 178, "lower_lip_inner_right": 402,
    "chin": 152, "left_pupil": 468, "right_pupil": 473,
}  # fmt: skip
"""Landmarks of the corpus (left and right of the image) that the mesh has, in its numbering."""
KNOWN: tuple[int, ...] = tuple(LANDMARKS.index(name) for name in POINTS)
"""Their indices in the corpus's order."""
MOUTH = tuple(INDEX[name] for name in ("jaw", "pucker", "spread", "smile_left", "smile_right", "press")) + tuple(
    INDEX[name] for name in ("upper_lip", "lower_lip")
)
WIDE_MOUTH = 0.42
"""Opening of the jaw parameter at 1, in distances of the eyes' outer corners: R^2 .93 on drawn faces."""


@dataclass(frozen=True)
class Seen:
    """What a mesh shows of N faces, free of their size: distances in those of the eyes' outer corners."""

    opening: np.ndarray  # (N,) between the inner lips
    width: np.ndarray  # (N,) of the mouth
    lids: np.ndarray  # (N,2) gap of the left and the right lids, of the eye's width
    roll: np.ndarray  # (N,) of the eyes' line, radians, positive clockwise in the picture
    turn: np.ndarray  # (N,) how far the tip of the nose lies beside the eyes' middle, along their line


def seen(mesh: np.ndarray) -> Seen:
    """Measures of meshes (N,478,2) in [0,1] of square pictures."""
    centre, scale, angle = _eye_frame(mesh)

    def apart(a: int, b: int) -> np.ndarray:
        return np.linalg.norm(mesh[:, a] - mesh[:, b], axis=-1)

    lids = [apart(upper, lower) / np.maximum(apart(outer, inner), 1e-6) for upper, lower, outer, inner in LIDS.values()]
    nose = _into(mesh[:, [POINTS["nose_tip"]]], centre, scale, angle)[:, 0, 0]
    return Seen(apart(*LIPS) / scale, apart(*CORNERS) / scale, np.stack(lids, 1), angle, nose)


@dataclass(frozen=True)
class MeshLabels:
    """From meshes to labels, and from parameters to what a mesh would see; fitted on drawn faces."""

    offsets: np.ndarray  # (K,2) from the mesh's point to the landmark, in the frame of the eyes; K as KNOWN
    lips: np.ndarray  # (C,2) opening and width from `mouth_terms`
    yaw: np.ndarray  # (2,) slope and offset, from `Seen.turn`
    roll: np.ndarray  # (2,) likewise, from `Seen.roll`

    @classmethod
    def fit(cls, mesh: np.ndarray, marks: np.ndarray, parameters: np.ndarray) -> MeshLabels:
        """Least squares from meshes (N,478,2), landmarks (N,40,2) and parameters (N,24) of the same drawn pictures."""
        frame, looks = _eye_frame(mesh), seen(mesh)
        apart = _into(marks[:, KNOWN], *frame) - _into(mesh[:, list(POINTS.values())], *frame)
        lips = np.linalg.lstsq(mouth_terms(parameters), np.stack([looks.opening, looks.width], 1), rcond=None)[0]
        return cls(
            np.median(apart, 0),
            lips,
            np.polyfit(looks.turn, parameters[:, INDEX["yaw"]], 1),
            np.polyfit(looks.roll, parameters[:, INDEX["roll"]], 1),
        )

    def marks(self, mesh: np.ndarray) -> np.ndarray:
        """(N,478,2) -> (N,40,2) float32 in [0,1]; landmarks that no mesh has are 0."""
        _, scale, angle = _eye_frame(mesh)
        found = np.zeros((len(mesh), len(LANDMARKS), 2), np.float32)
        moved = _turned(np.broadcast_to(self.offsets, (len(mesh), *self.offsets.shape)), angle) * scale[:, None, None]
        found[:, KNOWN] = mesh[:, list(POINTS.values())] + moved
        return found


def mouth_terms(parameters):
    """Parameters (N,24), a NumPy array or a tensor -> (N,19): what opening and width are linear in."""
    mouth = parameters[:, list(MOUTH)]
    jaw, pucker = mouth[:, :1], mouth[:, 1:2]
    parts = [mouth, jaw * mouth, pucker * mouth[:, 2:4], mouth[:, :1] * 0 + 1]
    if isinstance(parameters, np.ndarray):
        return np.concatenate(parts, 1)
    import torch

    return torch.cat(parts, 1)


def _eye_frame(mesh: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Middle (N,2), length (N,) and angle (N,) of the line from the left eye's outer corner to the right one's."""
    left, right = mesh[:, EYES[0]], mesh[:, EYES[1]]
    along = right - left
    return (left + right) / 2, np.maximum(np.linalg.norm(along, axis=1), 1e-6), np.arctan2(along[:, 1], along[:, 0])


def _into(points: np.ndarray, centre: np.ndarray, scale: np.ndarray, angle: np.ndarray) -> np.ndarray:
    return _turned(points - centre[:, None], -angle) / scale[:, None, None]


def _turned(points: np.ndarray, angle: np.ndarray) -> np.ndarray:
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    return np.stack([points[..., 0] * cos - points[..., 1] * sin, points[..., 0] * sin + points[..., 1] * cos], -1)
