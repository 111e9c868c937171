"""The pack's own face finder: a small network trained on drawn heads (networks/face_finder.py), shipped in weights/."""

import os
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from ...model_loaders.checkpoint import WEIGHTS, WEIGHTS_VARIABLE, load_network
from ...networks.face_finder import FaceFinder, FaceFinderConfig, decode, suppress
from .face import Face, square

FILE = "face_finder.safetensors"
SIDES = (96, 192, 384, 768)  # image pyramid: longer side of the picture at each scale
ENLARGED = 2  # scales that would enlarge the picture more than this are left out
BORDER = 0.5  # padding at the smallest scale, in longer sides, for faces that fill the picture
CANDIDATE_SCORE = 0.35  # detections of the pyramid above it are scored again in crops
CROP_SCALE = 2.0  # side of the first crop, in sides of the box
LIKELY_SCORE = 0.42  # score in it above which there are further crops
MORE_SCALES = (1.7, 2.4)  # and their sides: texture such as gravel or letters passes at one scale, a face at each
CROP_SIDE = 128  # pixels to which crops are resized
CROP_SAMPLES = 8  # source pixels read for each of them, along a side; of larger faces some are skipped
BLUR_SIGMA = 0.8  # pixels, in half of the crops: texture such as sand loses its eye-like spots, a face keeps its eyes
CROP_WEIGHT = 2 / 3  # of the crops in the score
MAX_CANDIDATES = 64
MIN_SIDE = 16  # pixels: smaller faces cannot be animated
MIN_SCORE = 0.595
FOLLOWED_SCORE = 0.35  # of a face that was found already


def _path() -> Path:
    return Path(os.environ.get(WEIGHTS_VARIABLE) or WEIGHTS) / FILE


def missing() -> str:
    return "" if _path().is_file() else f"weights/{FILE} is not there; reinstall the pack"


def load_face_finder(path: str | Path) -> FaceFinder:
    """The network of a face finder's checkpoint. Errors as `load_network`."""
    return load_network("face_finder", path, lambda config, _: FaceFinder(FaceFinderConfig.from_dict(config)))


@lru_cache(maxsize=2)
def _network(path: Path) -> FaceFinder:
    return load_face_finder(path).to(memory_format=torch.channels_last)


def find(image: np.ndarray, min_score: float = MIN_SCORE) -> list[Face]:
    """(H,W,3) uint8 RGB -> faces with five landmarks: eyes, nose tip, mouth corners, the image's left first.

    An image pyramid gives candidates. Each is scored again in a crop, and if it stays likely in two more of other
    scales: each sharp and blurred, as it is and flipped. Its score is from the weighted mean of all logits, its box and
    landmarks are those of the crops."""
    network, (height, width) = _network(_path()), image.shape[:2]
    sides = [side for side in SIDES if side <= ENLARGED * max(height, width)] or SIDES[:1]
    rows = torch.cat([_detect(network, image, side, BORDER * (side == SIDES[0])) for side in sides])
    rows = suppress(rows)[:MAX_CANDIDATES]
    rows = _rescore(network, image, rows) if len(rows) else rows
    rows = suppress(rows[(rows[:, 0] >= min_score) & (rows[:, 3] >= MIN_SIDE)])
    return [
        Face(square(x, y, side), score, np.array(marks).reshape(-1, 2), "own", (height, width))
        for score, x, y, side, *marks in rows.tolist()
    ]


def follow(image: np.ndarray, face: Face) -> Face | None:
    """The face of the frame before in the next one (H,W,3) uint8 RGB, looked for in one crop around it: a tenth of the
    time of `find`. None where it is lost."""
    network, marks = _network(_path()), face.landmarks
    marks = np.zeros((5, 2)) if marks is None else marks
    row = torch.tensor([[face.score, *face.center, face.size, *np.ravel(marks).tolist()]], dtype=torch.float32)
    (detections,) = _detect_in_crops(network, image, row, CROP_SCALE)
    score, x, y, side, *marks = _merge(row[0], detections).tolist()
    if score < FOLLOWED_SCORE or side < MIN_SIDE:
        return None
    return Face(square(x, y, side), score, np.array(marks).reshape(-1, 2), "own", image.shape[:2])


def _detect(network: FaceFinder, image: np.ndarray, side: int, border: float = 0.0) -> torch.Tensor:
    """Candidates (N,14) in the whole picture at one scale, in the picture's pixels.

    border: padding around the picture by replication, in longer sides."""
    height, width = image.shape[:2]
    scale, edge = side / max(height, width), round(border * side)
    h, w = max(1, round(height * scale)), max(1, round(width * scale))
    shown = cv2.copyMakeBorder(_resized(image, h, w), edge, edge, edge, edge, cv2.BORDER_REPLICATE)
    rows = _infer(network, shown[None], CANDIDATE_SCORE)[0] - torch.tensor([0.0, edge, edge, 0.0] + [edge] * 10)
    rows = rows[(rows[:, 1:3] > 0).all(1) & (rows[:, 1] < w) & (rows[:, 2] < h)]
    x, y = width / w, height / h
    return rows * torch.tensor([1.0, x, y, (x + y) / 2] + [x, y] * 5)


def _rescore(network: FaceFinder, image: np.ndarray, rows: torch.Tensor) -> torch.Tensor:
    """Candidates (N,14) -> the likely ones (M,14), with the scores, boxes and landmarks of their crops."""
    detections = _detect_in_crops(network, image, rows, CROP_SCALE)
    merged = torch.stack([_merge(row, in_crop) for row, in_crop in zip(rows, detections, strict=True)])
    likely = torch.nonzero(merged[:, 0] >= LIKELY_SCORE)[:, 0].tolist()
    if not likely:
        return rows[:0]
    rows = torch.cat([rows[likely, :1], merged[likely, 1:]], 1)
    closer, wider = (_detect_in_crops(network, image, rows, crop_scale) for crop_scale in MORE_SCALES)
    first = [detections[i] for i in likely]
    return torch.stack([_merge(row, a + b + c) for row, a, b, c in zip(rows, first, closer, wider, strict=True)])


def _detect_in_crops(
    network: FaceFinder, image: np.ndarray, rows: torch.Tensor, crop_scale: float
) -> list[list[torch.Tensor]]:
    """For each candidate (N,14) the detections (M,14) in its crop's four versions: sharp and blurred, straight and
    flipped."""
    crops, corners, scales = zip(*(_crop(image, row, crop_scale) for row in rows.tolist()), strict=True)
    crops = np.stack([*crops, *(cv2.GaussianBlur(crop, (0, 0), BLUR_SIGMA) for crop in crops)])
    found_in = _infer(network, np.concatenate([crops, crops[:, :, ::-1]]), 0.0)
    found_in[len(crops) :] = [_unflip(found) for found in found_in[len(crops) :]]
    detections = []
    for i, (corner, scale) in enumerate(zip(corners, scales, strict=True)):
        origin = torch.tensor([0.0, *corner, 0.0] + [*corner] * 5)
        size = torch.tensor([1.0] + [scale] * 13)
        detections.append([found * size + origin for found in found_in[i :: len(rows)]])
    return detections


def _crop(image: np.ndarray, row: list[float], crop_scale: float) -> tuple[np.ndarray, tuple[int, int], float]:
    """The crop of a candidate (CROP_SIDE,CROP_SIDE,3), its corner in the picture, and picture pixels per crop pixel."""
    _, x, y, side, *_ = row
    span = max(2, round(crop_scale * side))
    corner = round(x - span / 2), round(y - span / 2)
    step = max(1, span // (CROP_SIDE * CROP_SAMPLES))
    columns, lines = (
        np.clip(np.arange(start, start + span, step), 0, length - 1)
        for start, length in zip(corner, image.shape[1::-1], strict=True)
    )
    return _resized(image[lines][:, columns], CROP_SIDE, CROP_SIDE), corner, span / CROP_SIDE


def _unflip(rows: torch.Tensor) -> torch.Tensor:
    """Detections (N,14) in a flipped crop -> those in the crop, with left and right landmarks swapped."""
    rows = rows[:, [0, 1, 2, 3, 6, 7, 4, 5, 8, 9, 12, 13, 10, 11]].clone()
    rows[:, [1, 4, 6, 8, 10, 12]] = CROP_SIDE - rows[:, [1, 4, 6, 8, 10, 12]]
    return rows


def _merge(row: torch.Tensor, detections: list[torch.Tensor]) -> torch.Tensor:
    """A candidate (14,) combined with the best detection of the same face in each crop (M,14)."""
    best = []
    for found in detections:
        apart = (found[:, 1:3] - row[1:3]).abs().amax(1) / row[3]
        alike = (found[:, 3] / row[3]).log().abs()
        score = found[:, 0] * ((apart < 0.35) & (alike < 0.6))
        best.append(torch.cat([score.max()[None], found[score.argmax(), 1:]]))
    in_crops = torch.stack(best)
    first, rescored = (score.clamp(0.003, 0.9999).logit() for score in (row[0], in_crops[:, 0]))
    score = torch.lerp(first, rescored.mean(), CROP_WEIGHT).sigmoid()
    weight = in_crops[:, :1] + 1e-6
    geometry = (in_crops[:, 1:] * weight).sum(0) / weight.sum() if in_crops[:, 0].amax() > 0.02 else row[1:]
    return torch.cat([score[None], geometry])


def _resized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    shrinks = height < image.shape[0] or width < image.shape[1]
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def _infer(network: FaceFinder, images: np.ndarray, threshold: float) -> list[torch.Tensor]:
    """Pictures (B,H,W,3) uint8 -> decoded rows (N,14) of each."""
    pixels = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 255
    pixels = F.pad(pixels, (0, -pixels.shape[3] % 32, 0, -pixels.shape[2] % 32), mode="replicate")
    with torch.inference_mode():
        return decode(network(pixels.contiguous(memory_format=torch.channels_last)), threshold)
