"""Portraits judged from outside: does a face mesh that knows nothing of us see the commanded movement?

The judge is MediaPipe's face mesh (extra `eval`). What it sees on a portrait is divided by what the same command does
to drawn heads, whose landmarks are exact, so that 1 is the full movement.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from ..corpus.clips import clip_scene
from ..corpus.rig import LANDMARKS
from ..networks.implicit_motion.renderer import Renderer
from .metrics import correlation, mean_of, slope
from .sheets import command, parameters_of

FaceMesh = Callable[[np.ndarray], "np.ndarray | None"]
"""Picture (H,W,3) uint8 -> landmarks (K,2) in [0,1] in MediaPipe's numbering, or None where it sees no face."""

MESH = {  # our names of landmarks (left and right of the image) in MediaPipe's numbering
    "left_eye_outer": 33, "left_eye_inner": 133, "left_lid_upper": 159, "left_lid_lower": 145,
    "right_eye_outer": 263, "right_eye_inner": 362, "right_lid_upper": 386, "right_lid_lower": 374,
    "nose_tip": 1, "upper_lip_inner": 13, "lower_lip_inner": 14,
}  # fmt: skip
STEPS = 7  # frames of a commanded movement
MOVES: dict[str, tuple[dict[str, float], dict[str, float]]] = {
    "jaw": ({}, {"jaw": 0.7}),
    "yaw": ({"yaw": -0.3}, {"yaw": 0.3}),
    "blink": ({}, {"blink_left": 1.0, "blink_right": 1.0}),
}
DRAWN_HEADS = 12


def media_pipe() -> FaceMesh:
    """MediaPipe's face mesh for still pictures; ImportError that names the extra where it is not installed."""
    try:
        import mediapipe

        mesh = mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=True, refine_landmarks=True, max_num_faces=1)
    except (ImportError, AttributeError) as fault:
        raise ImportError(
            "the face mesh needs MediaPipe with its `solutions`: pip install mediapipe==0.10.21"
        ) from fault

    def look(picture: np.ndarray) -> np.ndarray | None:
        found = mesh.process(np.ascontiguousarray(picture)).multi_face_landmarks
        return None if not found else np.array([[p.x, p.y] for p in found[0].landmark], np.float32)

    return look


def movement(points: dict[str, np.ndarray], move: str) -> float:
    """How far a face has moved, free of its size: "jaw" the gap of the lips, "yaw" the nose beside the middle of the
    eyes, "blink" the gap of the lids, from named points (2,)."""
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


def commanded(move: str) -> Tensor:
    """(STEPS,24) parameters from the one end of a move to the other."""
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
            for p in commanded(move)[[0, -1]].numpy()
        )
        changes.append(last - first)
    return float(np.mean(changes))


def measure_portrait(renderer: Renderer, photo: Tensor, mesh: FaceMesh, size: int = 256) -> dict[str, float]:
    """Correlation and slope of each move on one square portrait (3,H,W) in [0,1]; empty where no face is seen.

    `jaw_slope` 1: the lips part as far as a drawn head's; `blink_slope` 1: the lids close by the same share.
    """
    values = {}
    along = torch.linspace(0, 1, STEPS)
    for move in MOVES:
        frames = command(renderer, photo, commanded(move), size).permute(0, 2, 3, 1).mul(255).round().byte().numpy()
        seen = [mesh(frame) for frame in frames]
        if any(points is None for points in seen):
            continue
        named = [{name: points[i] for name, i in MESH.items()} for points in seen]
        curve = torch.tensor([movement(points, move) for points in named])
        whole = drawn_range(move)
        if move == "blink":  # as a share of how far this eye was open: eyes differ more than lids do
            curve, whole = curve / curve[0].clamp_min(1e-3), -1.0
        values[f"{move}_correlation"] = correlation(curve, along * np.sign(whole))
        values[f"{move}_slope"] = slope(curve, along) / whole
    return values


def measure_portraits(renderer: Renderer, photos: list[Tensor], mesh: FaceMesh | None = None) -> dict[str, float]:
    """Means over portraits (3,H,W), with `portraits`, the number that the mesh saw a face in."""
    mesh = mesh or media_pipe()
    rows = [row for photo in photos if (row := measure_portrait(renderer, photo, mesh))]
    return mean_of(rows) | {"portraits": float(len(rows))}
