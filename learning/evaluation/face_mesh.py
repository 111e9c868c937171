"""Commanded movement measured on portraits with an independent landmark detector: MediaPipe's face mesh.

It comes with the extra `judge`.

The movement of its landmarks on a portrait is divided by the movement of drawn heads with the same parameters, whose
landmarks are exact, so that 1 is the full movement.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from ...networks.renderer.model import Renderer
from ...vocabulary import LANDMARKS
from ..corpus.clips import clip_scene
from .judge.mesh import MeshProcess, mesh_process
from .metrics import correlation, mouth_opening, slope
from .sheets import parameters_of, render_parameters

FaceMesh = Callable[[np.ndarray], "np.ndarray | None"]
"""Picture (H,W,3) uint8 -> landmarks (K,2) in [0,1] in MediaPipe's numbering, or None where it sees no face."""
FaceBoxes = Callable[[np.ndarray], np.ndarray]
"""Picture (H,W,3) uint8 -> boxes (N,4) of the faces in it: x0, y0, x1, y1 in pixels."""

MESH = {  # our names of landmarks (left and right of the image) in MediaPipe's numbering
    "left_eye_outer": 33, "left_eye_inner": 133, "left_lid_upper": 159, "left_lid_lower": 145,
    "right_eye_outer": 263, "right_eye_inner": 362, "right_lid_upper": 386, "right_lid_lower": 374,
    "nose_tip": 1, "upper_lip_inner": 13, "lower_lip_inner": 14,
}  # fmt: skip
LIPS = ((13, 14), (82, 87), (312, 317))  # upper and lower inner lip: the middle, and a little to each side
BONE = (168, 2)  # from between the eyes to below the nose: no muscle moves it, and it shortens as the lips' gap does
CORNERS = (61, 291)  # of the mouth
STEPS = 7  # frames of a commanded movement
MOVES: dict[str, tuple[dict[str, float], dict[str, float]]] = {
    "jaw": ({}, {"jaw": 0.7}),
    "yaw": ({"yaw": -0.3}, {"yaw": 0.3}),
    "blink": ({}, {"blink_left": 1.0, "blink_right": 1.0}),
}
DRAWN_HEADS = 12


def media_pipe() -> FaceMesh:
    """MediaPipe's face mesh for still pictures: in this process, or in the environment that `make judge` builds.
    ImportError where it is in neither."""
    try:
        solutions = _solutions()
    except ImportError:
        process = mesh_process()
        if process is None:
            raise
        return _elsewhere(process)
    mesh = solutions.face_mesh.FaceMesh(static_image_mode=True, refine_landmarks=True, max_num_faces=1)

    def look(picture: np.ndarray) -> np.ndarray | None:
        found = mesh.process(np.ascontiguousarray(picture)).multi_face_landmarks
        return None if not found else np.array([[p.x, p.y] for p in found[0].landmark], np.float32)

    return look


def _elsewhere(process: MeshProcess) -> FaceMesh:
    """The mesh of a process, which ends with this one."""
    process.__enter__()

    def look(picture: np.ndarray) -> np.ndarray | None:
        [points] = process.landmarks(picture[None])
        return points[:, :2] / np.float32(picture.shape[1::-1]) if np.isfinite(points).all() else None

    return look


def media_pipe_faces() -> FaceBoxes:
    """MediaPipe's face detectors, both at a threshold of 0.5: the full-range one, whose boxes are more exact, and the
    short-range one for pictures in which the first finds nothing. ImportError as above."""
    detection = _solutions().face_detection.FaceDetection
    detectors = [detection(model_selection=model, min_detection_confidence=0.5) for model in (1, 0)]

    def look(picture: np.ndarray) -> np.ndarray:
        height, width = picture.shape[:2]
        for detector in detectors:
            found = detector.process(np.ascontiguousarray(picture)).detections or []
            boxes = [f.location_data.relative_bounding_box for f in found]
            if boxes:
                rows = [(b.xmin, b.ymin, b.xmin + b.width, b.ymin + b.height) for b in boxes]
                return np.array(rows, np.float32) * np.float32([width, height, width, height])
        return np.zeros((0, 4), np.float32)

    return look


def _solutions():
    """MediaPipe's `solutions`, which later releases no longer have."""
    try:
        import mediapipe

        return mediapipe.solutions
    except (ImportError, AttributeError) as fault:
        raise ImportError(
            "faces are measured by MediaPipe with its `solutions`: make judge, or pip install mediapipe==0.10.21"
        ) from fault


def lips_of(mesh: FaceMesh, picture: np.ndarray) -> tuple[float, float] | None:
    """How far the inner lips of the face in a picture (H,W,3) uint8 are apart, and how wide the mouth is, free of the
    face's size; None without a face."""
    points = mesh(picture)
    if points is None:
        return None
    pixels = torch.from_numpy(points * np.float32(picture.shape[1::-1]))[None]
    return float(mouth_opening(pixels, LIPS, BONE)), float(mouth_opening(pixels, (CORNERS,), BONE))


def movement(points: dict[str, np.ndarray], move: str) -> float:
    """A measure relative to the size of the face, from named points (2,): "jaw" the gap of the lips, "yaw" the offset
    of the nose from the middle of the eyes, "blink" the gap of the lids."""
    left, right = points["left_eye_outer"], points["right_eye_outer"]
    apart = max(float(np.linalg.norm(right - left)), 1e-6)
    if move == "jaw":
        return float(np.linalg.norm(points["lower_lip_inner"] - points["upper_lip_inner"])) / apart
    if move == "yaw":
        return float((points["nose_tip"] - (left + right) / 2) @ (right - left)) / apart**2
    gaps = []
    for side in ("left", "right"):
        width = np.linalg.norm(points[f"{side}_eye_outer"] - points[f"{side}_eye_inner"])
        gaps.append(np.linalg.norm(points[f"{side}_lid_upper"] - points[f"{side}_lid_lower"]) / max(width, 1e-6))
    return float(np.mean(gaps))


def commanded_parameters(move: str) -> Tensor:
    """(STEPS,24) parameters from one end of a move to the other."""
    begin, end = (parameters_of(c) for c in MOVES[move])
    return torch.lerp(begin, end, torch.linspace(0, 1, STEPS)[:, None])


@lru_cache(maxsize=len(MOVES))
def drawn_range(move: str) -> float:
    """Mean change of the measure over the whole move on drawn heads."""
    changes = []
    for seed in range(DRAWN_HEADS):
        scene = clip_scene(seed, 64)
        first, last = (
            movement(dict(zip(LANDMARKS, scene.landmarks(scene.rig.pose(p)), strict=True)), move)
            for p in commanded_parameters(move)[[0, -1]].numpy()
        )
        changes.append(last - first)
    return float(np.mean(changes))


def measure_portrait(renderer: Renderer, photo: Tensor, mesh: FaceMesh, size: int = 256) -> dict[str, float]:
    """Correlation and slope of each move on one square portrait (3,H,W) in [0,1]; moves without a detected face are
    left out.

    `jaw_slope` 1: the lips part as far as a drawn head's; `blink_slope` 1: the lids close completely.
    """
    values = {}
    along = torch.linspace(0, 1, STEPS)
    for move in MOVES:
        pictures = render_parameters(renderer, photo, commanded_parameters(move), size)
        frames = pictures.permute(0, 2, 3, 1).mul(255).round().byte().numpy()
        seen = [mesh(frame) for frame in frames]
        if any(points is None for points in seen):
            continue
        named = [{name: points[i] for name, i in MESH.items()} for points in seen]
        curve = torch.tensor([movement(points, move) for points in named])
        whole = drawn_range(move)
        if move == "blink":  # relative to the first frame: how far eyes are open differs more than how they close
            curve, whole = curve / curve[0].clamp_min(1e-3), -1.0
        values[f"{move}_correlation"] = correlation(curve, along * np.sign(whole))
        values[f"{move}_slope"] = slope(curve, along) / whole
    return values
