"""The 68 face points of iBUG and OpenPose's two pupils, of a face of any expression and pose, and pictures of them.

The points are those of a mean face drawn up for this purpose, in distances of the eyes' outer corners: x to the
picture's right, y down, z towards the camera, 0 between the eyes. Parameters (vocabulary.py) move them.
"""

from __future__ import annotations

import cv2
import numpy as np

from ..vocabulary import INDEX

POINTS = (68, 70)
JAW, BROWS, NOSE = slice(0, 17), (slice(17, 22), slice(22, 27)), slice(27, 36)
EYES = (slice(36, 42), slice(42, 48))
OUTER, INNER = slice(48, 60), slice(60, 68)
PUPILS = (68, 69)
FIVE = (EYES[0], EYES[1], slice(30, 31), slice(48, 49), slice(54, 55))
"""What the face finder's five landmarks are the means of: eyes, tip of the nose, corners of the mouth."""
CHAINS: tuple[tuple[int, ...], ...] = (
    tuple(range(17)), tuple(range(17, 22)), tuple(range(22, 27)), tuple(range(27, 31)), tuple(range(31, 36)),
    (*range(36, 42), 36), (*range(42, 48), 42), (*range(48, 60), 48), (*range(60, 68), 60),
)  # fmt: skip
"""Points that lines join."""

PIVOT = np.array([0.0, 0.35, -0.6])  # of the head's turns, between the ears
HALF_HEAD = 0.8  # in which shifts are told
NEARER = 0.1  # how much larger a face is that came nearer by half a head
DROP, PARTED, RAISED, ROUNDED, SPREAD, SMILED = 0.29, 0.0725, 0.14, 0.35, 0.22, 0.10
GAZE = 0.22  # of a pupil for the sine of its angle


def mean_face() -> np.ndarray:
    """(70,3)."""
    u = np.linspace(-1, 1, 17)
    jaw = np.stack([0.8 * np.sin(u * 1.5), 0.02 + 1.2 * np.cos(u * np.pi / 2) ** 0.8, -0.75 * u**2], 1)
    brow = np.array([(-0.70, -0.24, -0.12), (-0.58, -0.33, 0.02), (-0.44, -0.36, 0.1), (-0.29, -0.34, 0.14),
                     (-0.15, -0.29, 0.16)])  # fmt: skip
    nose = np.array([(0, -0.03, 0.16), (0, 0.13, 0.24), (0, 0.29, 0.33), (0, 0.45, 0.42), (-0.17, 0.54, 0.17),
                     (-0.085, 0.57, 0.24), (0, 0.59, 0.28), (0.085, 0.57, 0.24), (0.17, 0.54, 0.17)])  # fmt: skip
    eye = np.array([(-0.5, 0, -0.06), (-0.40, -0.06, 0.03), (-0.27, -0.06, 0.04), (-0.17, 0.01, 0.02),
                    (-0.27, 0.055, 0.04), (-0.40, 0.055, 0.03)])  # fmt: skip
    outer = np.array([(-0.29, 0.86, 0.06), (-0.19, 0.79, 0.17), (-0.07, 0.755, 0.23), (0, 0.77, 0.24),
                      (0.07, 0.755, 0.23), (0.19, 0.79, 0.17), (0.29, 0.86, 0.06), (0.19, 0.935, 0.15),
                      (0.08, 0.975, 0.2), (0, 0.985, 0.21), (-0.08, 0.975, 0.2), (-0.19, 0.935, 0.15)])  # fmt: skip
    inner = np.array([(-0.25, 0.86, 0.08), (-0.09, 0.85, 0.2), (0, 0.855, 0.21), (0.09, 0.85, 0.2), (0.25, 0.86, 0.08),
                      (0.09, 0.855, 0.2), (0, 0.86, 0.21), (-0.09, 0.855, 0.2)])  # fmt: skip
    flip = np.array([-1, 1, 1])
    other_eye = (eye * flip)[[3, 2, 1, 0, 5, 4]]
    pupils = np.array([(-0.335, 0, 0.05), (0.335, 0, 0.05)])
    return np.concatenate([jaw, brow, (brow * flip)[::-1], nose, eye, other_eye, outer, inner, pupils])


def posed_points(parameters: np.ndarray) -> np.ndarray:
    """Motion parameters (T,24) -> points (T,70,2) in distances of the eyes' outer corners of a face from the front."""
    p = {name: parameters[:, i].astype(np.float64)[:, None] for name, i in INDEX.items()}
    points = np.repeat(mean_face()[None], len(parameters), 0)
    _move_mouth(points, p)
    _move_eyes(points, p)
    points = (points - PIVOT) @ _turns(p) + PIVOT
    scale = 1 + NEARER * p["shift_z"][..., None]
    shift = HALF_HEAD * np.stack([p["shift_x"], -p["shift_y"]], -1)
    return points[..., :2] * scale + shift


def _move_mouth(points: np.ndarray, p: dict[str, np.ndarray]) -> None:
    low, middle = list(range(7, 12)), points[:, [60, 64], 1].mean(1, keepdims=True)
    drop, below, above = DROP * p["jaw"], PARTED * p["lower_lip"], PARTED * p["upper_lip"]
    low_outer, low_inner = [48 + i for i in low], [65, 66, 67]
    high_outer, high_inner = [48 + i for i in range(1, 6)], [61, 62, 63]
    points[:, low_outer + low_inner, 1] += drop + below
    points[:, high_outer + high_inner, 1] -= above
    points[:, [48, 54, 60, 64], 1] += drop / 2
    points[:, JAW, 1] += 0.9 * drop * np.clip(1.4 * np.cos(np.linspace(-1, 1, 17) * np.pi / 2), 0, 1)
    thin = 1 - 0.4 * np.clip(p["press"], 0, 1)
    for outer, inner in ((low_outer, 66), (high_outer, 62)):
        edge = points[:, [inner], 1]
        points[:, outer, 1] = edge + (points[:, outer, 1] - edge) * thin
    mouth = list(range(48, 68))
    points[:, mouth, 0] *= 1 - ROUNDED * np.clip(p["pucker"], 0, 1.2) + SPREAD * p["spread"]
    points[:, mouth, 2] += 0.1 * p["pucker"]
    for side, corners, near, sign in (("left", [48, 60], [49, 59], -1), ("right", [54, 64], [53, 55], 1)):
        smile = p[f"smile_{side}"]
        for which, share in ((corners, 1.0), (near, 0.5)):
            points[:, which, 1] -= share * SMILED * smile
            points[:, which, 0] += sign * share * 0.06 * smile
    points[:, mouth, 1] = np.maximum(points[:, mouth, 1], middle - 0.35)


def _move_eyes(points: np.ndarray, p: dict[str, np.ndarray]) -> None:
    for side, brow, eye, inner, sign in (("left", BROWS[0], EYES[0], 21, 1), ("right", BROWS[1], EYES[1], 22, -1)):
        points[:, brow, 1] -= RAISED * p[f"brow_{side}"]
        points[:, [inner], 0] += sign * 0.05 * p["furrow"]
        points[:, [inner], 1] += 0.04 * p["furrow"]
        first = eye.start
        upper, lower = [first + 1, first + 2], [first + 5, first + 4]
        points[:, upper] += np.clip(p[f"blink_{side}"], -0.3, 1)[..., None] * (points[:, lower] - points[:, upper])
    for pupil in PUPILS:
        points[:, [pupil], 0] += GAZE * np.sin(p["gaze_x"])
        points[:, [pupil], 1] -= GAZE * np.sin(p["gaze_y"])


def _turns(p: dict[str, np.ndarray]) -> np.ndarray:
    """(T,3,3) that rows of points are multiplied by: yaw, then pitch, then roll."""
    zero, one = np.zeros_like(p["yaw"][:, 0]), np.ones_like(p["yaw"][:, 0])
    (sy, cy), (sp, cp), (sr, cr) = ((np.sin(p[n][:, 0]), np.cos(p[n][:, 0])) for n in ("yaw", "pitch", "roll"))
    yaw = np.stack([cy, zero, -sy, zero, one, zero, sy, zero, cy], 1).reshape(-1, 3, 3)
    pitch = np.stack([one, zero, zero, zero, cp, -sp, zero, sp, cp], 1).reshape(-1, 3, 3)
    roll = np.stack([cr, -sr, zero, sr, cr, zero, zero, zero, one], 1).reshape(-1, 3, 3)
    return yaw @ pitch @ roll


def draw_points(points: np.ndarray, size: tuple[int, int], radius: float, lines: bool = False) -> np.ndarray:
    """Points (K,2) in pixels -> a picture (H,W,3) uint8: white on black, joined by grey lines if wanted."""
    picture = np.zeros((*size, 3), np.uint8)
    fixed = np.round(np.clip(points, -1e4, 1e4) * 16).astype(np.int32)
    if lines:
        for chain in CHAINS:
            cv2.polylines(picture, [fixed[list(chain)]], False, (128,) * 3, max(1, round(radius / 1.5)), cv2.LINE_AA, 4)
    for x, y in fixed:
        cv2.circle(picture, (int(x), int(y)), max(1, round(radius * 16)), (255,) * 3, -1, cv2.LINE_AA, 4)
    return picture
