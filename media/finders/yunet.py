"""YuNet, through OpenCV if its ONNX file is there, else through kornia if kornia's copy is already in torch's cache.

Nothing is downloaded here: put face_detection_yunet_2023mar.onnx (OpenCV's model zoo, MIT licence) into weights/ or
name it in the environment variable MAMBA_PORTRAIT_YUNET.
"""

import os
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import torch

from .face import Face, square, within

WEIGHTS = Path(__file__).resolve().parents[2] / "weights"
SEARCH_SIDE = 640
MIN_SCORE = 0.6
SIDE = 0.86  # our brow-to-chin box as a part of the height of YuNet's, which has half the forehead in it
SHIFT = 0.06


def _onnx() -> Path | None:
    named = os.environ.get("MAMBA_PORTRAIT_YUNET", "")
    if named:
        return Path(named) if Path(named).is_file() else None
    return next(iter(sorted(WEIGHTS.glob("face_detection_yunet*.onnx"))), None)


def _kornia_cached() -> bool:
    return find_spec("kornia") is not None and (Path(torch.hub.get_dir()) / "checkpoints" / "yunet_final.pth").is_file()


def missing() -> str:
    if (_onnx() and hasattr(cv2, "FaceDetectorYN")) or _kornia_cached():
        return ""
    return "it needs face_detection_yunet_2023mar.onnx in weights/ or named by MAMBA_PORTRAIT_YUNET"


def find(image: np.ndarray) -> list[Face]:
    """(H,W,3) uint8 RGB -> faces with YuNet's five landmarks: eyes, nose tip, mouth corners, the image's left first."""
    height, width = image.shape[:2]
    small, scale = within(image, SEARCH_SIDE)
    path = _onnx()
    rows = _by_opencv(small, path) if path else _by_kornia(small)
    faces = []
    for row in rows:
        x, y, w, h = row[:4] / scale
        box = square(x + w / 2, y + h / 2 + SHIFT * h, SIDE * h)
        faces.append(Face(box, float(row[14]), row[4:14].reshape(5, 2) / scale, "yunet", (height, width)))
    return faces


def _by_opencv(image: np.ndarray, path: Path) -> np.ndarray:
    """Rows of (x, y, w, h, five points, score)."""
    detector = cv2.FaceDetectorYN.create(str(path), "", (image.shape[1], image.shape[0]), MIN_SCORE, 0.3, 500)
    rows = detector.detect(np.ascontiguousarray(image[..., ::-1]))[1]
    return np.zeros((0, 15)) if rows is None else np.asarray(rows, float)


def _by_kornia(image: np.ndarray) -> np.ndarray:
    from kornia.contrib import FaceDetector

    detector = FaceDetector(confidence_threshold=MIN_SCORE)
    with torch.inference_mode():
        rows = detector(torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float())[0].numpy().astype(float)
    rows[:, 2:4] -= rows[:, 0:2]  # corners -> width and height
    return rows
