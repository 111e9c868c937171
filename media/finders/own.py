"""The pack's own face finder: a small network trained on drawn heads (networks/face_finder.py), shipped in weights/."""

import json
import os
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from ...model_loaders.checkpoint import WEIGHTS, WEIGHTS_VARIABLE, load_checkpoint
from ...networks.face_finder import FaceFinder, FaceFinderConfig, decode, suppress
from .face import Face, square

FILE = "face_finder.safetensors"
SIDES = (192, 384)  # longer side of the picture at each look: large faces, then small ones
FAR_SIDE = 768  # one more look where no face fills FAR of the longer side
FAR = 0.12
MIN_SCORE = 0.5


def _path() -> Path:
    return Path(os.environ.get(WEIGHTS_VARIABLE) or WEIGHTS) / FILE


def missing() -> str:
    return "" if _path().is_file() else f"weights/{FILE} is not there; reinstall the pack"


@lru_cache(maxsize=2)
def _network(path: Path) -> FaceFinder:
    state, metadata = load_checkpoint(path)
    network = FaceFinder(FaceFinderConfig.from_dict(json.loads(metadata["config"])))
    network.load_state_dict(state)
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def find(image: np.ndarray, min_score: float = MIN_SCORE) -> list[Face]:
    """(H,W,3) uint8 RGB -> faces with five landmarks: eyes, nose tip, mouth corners, the image's left first."""
    network, (height, width) = _network(_path()), image.shape[:2]
    long = max(height, width)
    rows = [_look(network, image, side, min_score) for side in SIDES]
    largest = max((float(r[:, 3].max()) for r in rows if len(r)), default=0.0)
    if largest < FAR * long and long > SIDES[-1]:
        rows.append(_look(network, image, FAR_SIDE, min_score))
    faces = []
    for score, x, y, side, *marks in suppress(torch.cat(rows)).tolist():
        faces.append(Face(square(x, y, side), score, np.array(marks).reshape(-1, 2), "own", (height, width)))
    return faces


def _look(network: FaceFinder, image: np.ndarray, side: int, min_score: float) -> torch.Tensor:
    """Decoded rows (N,14) of one look at the picture, in the picture's own pixels."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    h, w = max(1, round(height * scale)), max(1, round(width * scale))
    small = cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    pixels = torch.from_numpy(small).permute(2, 0, 1)[None].float() / 255
    pixels = F.pad(pixels, (0, -w % 32, 0, -h % 32), mode="replicate")
    with torch.inference_mode():
        rows = decode(network(pixels.contiguous(memory_format=torch.channels_last)), min_score)[0]
    x, y = width / w, height / h
    return rows * torch.tensor([1.0, x, y, (x + y) / 2] + [x, y] * 5)
