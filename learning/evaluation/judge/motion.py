"""How heads and pictures move: pose and landmarks of MediaPipe's mesh, optical flow, diversity, temporal distance."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from ...datasets.films import EYES

SIDES = ((33, 263), (133, 362), (234, 454), (127, 356))  # left and right of the head
MIDLINE = ((10, 168), (168, 6), (6, 2))  # of the forehead and the nose: above and below
MOUTH = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185, 78, 95, 88, 178, 87,
         14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191)  # fmt: skip
FACE = 468  # landmarks of the face; the others are the irises'
FLOW_SIDE = 128  # pixels at which optical flow is computed
PAIRS = 500


def head_pose(points: np.ndarray) -> np.ndarray:
    """Landmarks (T,478,3) -> yaw, pitch and roll (T,3) in degrees, from the axes that points on bone span.

    MediaPipe's depth is a guess, so angles are to be compared with each other, not with those of another tool."""
    points = points.astype(np.float64)
    across = sum(points[:, right] - points[:, left] for left, right in SIDES)
    down = sum(points[:, low] - points[:, high] for high, low in MIDLINE)
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    down -= across * (across * down).sum(1, keepdims=True)
    down /= np.linalg.norm(down, axis=1, keepdims=True)
    inward = np.cross(across, down)
    yaw = np.arctan2(across[:, 2], np.hypot(across[:, 0], across[:, 1]))
    roll = np.arctan2(across[:, 1], across[:, 0])
    pitch = np.arctan2(down[:, 2], inward[:, 2])
    return np.degrees(np.stack([yaw, pitch, roll], 1))


def pose_distance(made: np.ndarray, truth: np.ndarray) -> float:
    """Mean absolute difference of yaw, pitch and roll in degrees, of landmarks (T,478,3)."""
    apart = head_pose(made) - head_pose(truth)
    return float(np.abs((apart + 180) % 360 - 180).mean())


def landmark_distance(made: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """`lmd`: mean distance of the face's landmarks (T,478,3), in hundredths of the truth's distance of the eyes;
    `lmd_mouth`: that of the lips, after their centres are laid on each other."""
    made, truth = made[:, :FACE, :2], truth[:, :FACE, :2]
    eyes = np.median(np.linalg.norm(truth[:, EYES[0]] - truth[:, EYES[1]], axis=1))
    ours, theirs = (points[:, MOUTH] - points[:, MOUTH].mean(1, keepdims=True) for points in (made, truth))
    face, mouth = (np.linalg.norm(a - b, axis=2).mean() for a, b in ((made, truth), (ours, theirs)))
    return {"lmd": float(100 * face / eyes), "lmd_mouth": float(100 * mouth / eyes)}


def optical_flow(frames: np.ndarray) -> np.ndarray:
    """Frames (T,H,W,3) uint8 -> motion vectors (T-1,128,128,2) in pixels of a picture of 256, by DIS optical flow."""
    finder = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    size = (FLOW_SIDE, FLOW_SIDE)
    grey = [cv2.resize(cv2.cvtColor(f, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA) for f in frames]
    flows = [finder.calc(a, b, None) for a, b in zip(grey, grey[1:], strict=False)]
    return np.stack(flows) * np.float32(256 / FLOW_SIDE) if flows else np.zeros((0, *size, 2), np.float32)


def flow_measures(flow: np.ndarray) -> dict[str, float]:
    """Of motion vectors (T,h,w,2): `flow_change`, mean length of their change from one frame to the next (lower is
    smoother); `flow_variance`, their variance over time at each place, mean over the picture. Our definitions: the
    papers name flow's consistency and the variance of motion vectors, and define neither."""
    if len(flow) < 2:
        return {}
    change = np.linalg.norm(np.diff(flow, axis=0), axis=-1).mean()
    return {"flow_change": float(change), "flow_variance": float(flow.var(0).sum(-1).mean())}


def diversity(motion: Tensor, seed: int = 0) -> float:
    """DIV: mean distance of 500 random pairs of frames of a film in our 768 numbers of motion (T,768). Our
    definition."""
    generator = torch.Generator().manual_seed(seed)
    first, second = torch.randint(len(motion), (2, PAIRS), generator=generator)
    return float((motion[first] - motion[second]).norm(dim=1).mean())


def temporal_distance(made: Tensor, truth: Tensor) -> float:
    """TGD: mean distance between the changes from frame to frame of made and true motion (T,768). Our definition: the
    paper names a temporal gesture distance and does not define it."""
    return float((made.diff(dim=0) - truth.diff(dim=0)).norm(dim=1).mean())
