"""MediaPipe's face mesh to motion parameters: distances and angles of landmarks, against the face's own rest.

What each distance becomes at a full parameter is measured in distances of the eyes' outer corners: of people who speak
the widest "a" parts the lips by .2, which is .68 of the jaw's parameter (visemes/table.py).
"""

from __future__ import annotations

import numpy as np

from ..vocabulary import COUNT, INDEX

MESH = 478  # landmarks, with irises
EYES, LIPS, CORNERS = (33, 263), (13, 14), (61, 291)
LIDS = {"left": (159, 145, 33, 133), "right": (386, 374, 263, 362)}  # upper, lower, outer, inner; of the picture
BROWS = {"left": (105, 33), "right": (334, 263)}  # middle of the brow, outer corner of the eye
INNER_BROWS = (107, 336)
IRISES = {"left": 468, "right": 473}
ACROSS = ((33, 263), (133, 362), (234, 454), (127, 356))  # left and right of the head
MIDLINE = ((10, 168), (168, 6), (6, 2))  # of forehead and nose: above and below
NOSE_BASE = 2
MOUTH_CORNERS = {"left": 61, "right": 291}

OPEN, SPREAD, ROUND, SMILE, BROW, FURROW = 0.29, 0.12, 0.2, 0.08, 0.1, 0.06  # eye distances of a parameter of 1
DRAGGED = 0.25  # of the lips' opening
EYE_RADIUS = 0.4  # of an eye's width: the iris moves by the sine of the gaze times this
CALM = 0.2  # share of the frames with the least open mouth, whose median is the face at rest


def parameters_of_mesh(points: np.ndarray) -> np.ndarray:
    """Landmarks (T,478,3) in pixels or in [0,1] of a square picture, x to the right, y down -> parameters (T,24).

    Frames without a face (NaN) are filled in from their neighbours. ValueError where no frame has a face."""
    points = _filled(points.astype(np.float64))
    eyes = np.linalg.norm(points[:, EYES[0]] - points[:, EYES[1]], axis=1)
    flat = _upright(points)
    unit = np.median(eyes) or 1.0

    def apart(pair: tuple[int, int]) -> np.ndarray:
        return np.linalg.norm(points[:, pair[0]] - points[:, pair[1]], axis=1) / unit

    gap, width = apart(LIPS), apart(CORNERS)
    calm = np.argsort(gap)[: max(1, round(CALM * len(gap)))]

    def change(values: np.ndarray) -> np.ndarray:
        return values - np.median(values[calm])

    found = np.zeros((len(points), COUNT), np.float32)

    def put(name: str, values: np.ndarray) -> None:
        found[:, INDEX[name]] = values

    put("jaw", np.maximum(change(gap), 0) / OPEN)
    put("spread", np.clip(change(width) / SPREAD, 0, 1))
    put("pucker", np.clip(-change(width) / ROUND, 0, 1))
    put("furrow", np.clip(-change(apart(INNER_BROWS)) / FURROW, 0, 1))
    dragged = DRAGGED * np.maximum(change(gap), 0)  # an opening jaw takes the corners along
    for side in ("left", "right"):
        lifted = change((flat[:, NOSE_BASE, 1] - flat[:, MOUTH_CORNERS[side], 1]) / unit) + dragged
        put(f"smile_{side}", np.clip(lifted / SMILE, -0.5, 1))
        brow, eye = BROWS[side]
        put(f"brow_{side}", np.clip(change((flat[:, eye, 1] - flat[:, brow, 1]) / unit) / BROW, -0.5, 1))
        put(f"blink_{side}", _blink(points, side))
    for name, values in zip(("gaze_x", "gaze_y"), _gaze(flat), strict=True):
        put(name, np.clip(change(values), -0.5, 0.5))
    for name, values in zip(("yaw", "pitch", "roll"), _pose(points), strict=True):
        put(name, values - np.median(values[calm]))
    return found


def _filled(points: np.ndarray) -> np.ndarray:
    seen = np.isfinite(points).all((1, 2))
    if not seen.any():
        raise ValueError("No frame of the landmarks has a face in it.")
    if seen.all():
        return points
    flat, places = points.reshape(len(points), -1), np.arange(len(points))
    return np.stack([np.interp(places, places[seen], column[seen]) for column in flat.T], 1).reshape(points.shape)


def _upright(points: np.ndarray) -> np.ndarray:
    """Landmarks (T,K,2) turned so that the eyes lie level."""
    across = points[:, EYES[1], :2] - points[:, EYES[0], :2]
    angle = np.arctan2(across[:, 1], across[:, 0])
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    x, y = points[..., 0], points[..., 1]
    return np.stack([cos * x + sin * y, cos * y - sin * x], -1)


def _blink(points: np.ndarray, side: str) -> np.ndarray:
    upper, lower, outer, inner = LIDS[side]
    gap = np.linalg.norm(points[:, upper] - points[:, lower], axis=1)
    gap = gap / np.maximum(np.linalg.norm(points[:, outer] - points[:, inner], axis=1), 1e-9)
    return np.clip(1 - gap / max(float(np.median(np.sort(gap)[len(gap) // 2 :])), 1e-9), -0.15, 1)


def _gaze(flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Radians to the picture's right and up, of both eyes together."""
    aside, up = [], []
    for side, iris in IRISES.items():
        _, _, outer, inner = LIDS[side]
        width = np.maximum(np.linalg.norm(flat[:, outer] - flat[:, inner], axis=1), 1e-9)
        away = (flat[:, iris] - (flat[:, outer] + flat[:, inner]) / 2) / width[:, None]
        aside.append(away[:, 0])
        up.append(-away[:, 1])
    return tuple(np.arcsin(np.clip(np.mean(both, 0) / EYE_RADIUS, -1, 1)) for both in (aside, up))


def _pose(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Yaw (nose to the picture's right), pitch (down) and roll (crown to the picture's left) in radians, from axes that
    points on bone span. Depth is larger away from the camera."""
    across = sum(points[:, right] - points[:, left] for left, right in ACROSS)
    down = sum(points[:, low] - points[:, high] for high, low in MIDLINE)
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9)
    down -= across * (across * down).sum(1, keepdims=True)
    down /= np.maximum(np.linalg.norm(down, axis=1, keepdims=True), 1e-9)
    inward = np.cross(across, down)
    yaw = np.arctan2(across[:, 2], np.hypot(across[:, 0], across[:, 1]))
    roll = -np.arctan2(across[:, 1], across[:, 0])
    pitch = np.arctan2(down[:, 2], inward[:, 2])
    return yaw, pitch, roll
