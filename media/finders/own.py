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
SIDES = (96, 192, 384, 768)  # longer side of the picture at each look: faces that fill it, down to small ones
ENLARGED = 2  # no look enlarges the picture more than this
RIM = 0.5  # of the longer side: the smallest look shows the picture framed by its own edge, or a face has no room
CANDIDATE = 0.35  # score of a first look that earns a second one
AROUND = 2.0  # what the second look shows, in sides of the box
LIKELY = 0.42  # score after it that earns the further ones
AROUND_AGAIN = (1.7, 2.4)  # and what those show: gravel and letters look like a face at one size, a face at each
NEAR_SIDE = 128  # pixels in which a near look is shown
NEAR_PIXELS = 8  # read for each of them, along a side; a face of thousands of pixels shows no more in all of them
SOFT = 0.8  # pixels of blur in half of the second looks: sand and gravel lose their eyes, a face keeps its own
NEAR_SHARE = 2 / 3  # of the second looks in the score
MOST = 64  # candidates looked at again
SMALLEST = 16  # pixels: smaller faces cannot be animated
MIN_SCORE = 0.595


def _path() -> Path:
    return Path(os.environ.get(WEIGHTS_VARIABLE) or WEIGHTS) / FILE


def missing() -> str:
    return "" if _path().is_file() else f"weights/{FILE} is not there; reinstall the pack"


def load_face_finder(path: str | Path) -> FaceFinder:
    """The network of a face finder's checkpoint."""
    state, metadata = load_checkpoint(path)
    network = FaceFinder(FaceFinderConfig.from_dict(json.loads(metadata["config"])))
    network.load_state_dict(state)
    return network


@lru_cache(maxsize=2)
def _network(path: Path) -> FaceFinder:
    return load_face_finder(path).eval().requires_grad_(False).to(memory_format=torch.channels_last)


def find(image: np.ndarray, min_score: float = MIN_SCORE) -> list[Face]:
    """(H,W,3) uint8 RGB -> faces with five landmarks: eyes, nose tip, mouth corners, the image's left first.

    Each candidate of a first look is looked at again from near, and if it stays likely also from nearer and from
    farther: sharp and soft, as it is and mirrored. Its score is that of a mean logit of all looks, its place that of
    the near ones."""
    network, (height, width) = _network(_path()), image.shape[:2]
    sides = [side for side in SIDES if side <= ENLARGED * max(height, width)] or SIDES[:1]
    rows = suppress(torch.cat([_look(network, image, side, RIM * (side == SIDES[0])) for side in sides]))[:MOST]
    rows = _look_again(network, image, rows) if len(rows) else rows
    rows = suppress(rows[(rows[:, 0] >= min_score) & (rows[:, 3] >= SMALLEST)])
    return [
        Face(square(x, y, side), score, np.array(marks).reshape(-1, 2), "own", (height, width))
        for score, x, y, side, *marks in rows.tolist()
    ]


def _look(network: FaceFinder, image: np.ndarray, side: int, rim: float = 0.0) -> torch.Tensor:
    """Candidates (N,14) of one look at the whole picture, in the picture's own pixels.

    rim: what is laid around the picture, in longer sides, by repeating its edge."""
    height, width = image.shape[:2]
    scale, edge = side / max(height, width), round(rim * side)
    h, w = max(1, round(height * scale)), max(1, round(width * scale))
    shown = cv2.copyMakeBorder(_resized(image, h, w), edge, edge, edge, edge, cv2.BORDER_REPLICATE)
    rows = _ask(network, shown[None], CANDIDATE)[0] - torch.tensor([0.0, edge, edge, 0.0] + [edge] * 10)
    rows = rows[(rows[:, 1:3] > 0).all(1) & (rows[:, 1] < w) & (rows[:, 2] < h)]
    x, y = width / w, height / h
    return rows * torch.tensor([1.0, x, y, (x + y) / 2] + [x, y] * 5)


def _look_again(network: FaceFinder, image: np.ndarray, rows: torch.Tensor) -> torch.Tensor:
    """Candidates (N,14) seen from near, the likely ones (M,14): their scores of all looks together, their places as
    the near ones have them."""
    views = _near_looks(network, image, rows, AROUND)
    places = torch.stack([_merged(row, seen) for row, seen in zip(rows, views, strict=True)])
    likely = torch.nonzero(places[:, 0] >= LIKELY)[:, 0].tolist()
    if not likely:
        return rows[:0]
    rows = torch.cat([rows[likely, :1], places[likely, 1:]], 1)
    nearer, farther = (_near_looks(network, image, rows, around) for around in AROUND_AGAIN)
    views = [views[i] for i in likely]
    return torch.stack([_merged(row, sum(seen, [])) for row, *seen in zip(rows, views, nearer, farther, strict=True)])


def _near_looks(network: FaceFinder, image: np.ndarray, rows: torch.Tensor, around: float) -> list[list[torch.Tensor]]:
    """For each candidate (N,14) what four looks at its surroundings say (M,14): sharp and soft, straight and
    mirrored."""
    pieces, corners, scales = zip(*(_near(image, row, around) for row in rows.tolist()), strict=True)
    pieces = np.stack([*pieces, *(cv2.GaussianBlur(piece, (0, 0), SOFT) for piece in pieces)])
    answers = _ask(network, np.concatenate([pieces, pieces[:, :, ::-1]]), 0.0)
    answers[len(pieces) :] = [_mirrored(found) for found in answers[len(pieces) :]]
    views = []
    for i, (corner, scale) in enumerate(zip(corners, scales, strict=True)):
        origin = torch.tensor([0.0, *corner, 0.0] + [*corner] * 5)
        size = torch.tensor([1.0] + [scale] * 13)
        views.append([found * size + origin for found in answers[i :: len(rows)]])
    return views


def _near(image: np.ndarray, row: list[float], around: float) -> tuple[np.ndarray, tuple[int, int], float]:
    """The surroundings of a candidate as (NEAR_SIDE,NEAR_SIDE,3), their corner in the picture, and pixels for pixel."""
    _, x, y, side, *_ = row
    span = max(2, round(around * side))
    corner = round(x - span / 2), round(y - span / 2)
    step = max(1, span // (NEAR_SIDE * NEAR_PIXELS))
    columns, lines = (
        np.clip(np.arange(start, start + span, step), 0, length - 1)
        for start, length in zip(corner, image.shape[1::-1], strict=True)
    )
    return _resized(image[lines][:, columns], NEAR_SIDE, NEAR_SIDE), corner, span / NEAR_SIDE


def _mirrored(rows: torch.Tensor) -> torch.Tensor:
    """Answers (N,14) about a mirrored near look, as they are in the picture: left is right and right is left."""
    rows = rows[:, [0, 1, 2, 3, 6, 7, 4, 5, 8, 9, 12, 13, 10, 11]].clone()
    rows[:, [1, 4, 6, 8, 10, 12]] = NEAR_SIDE - rows[:, [1, 4, 6, 8, 10, 12]]
    return rows


def _merged(row: torch.Tensor, views: list[torch.Tensor]) -> torch.Tensor:
    """A candidate (14,) and what each near look (M,14) says: the best answer of each about the same face counts."""
    answers = []
    for found in views:
        apart = (found[:, 1:3] - row[1:3]).abs().amax(1) / row[3]
        alike = (found[:, 3] / row[3]).log().abs()
        score = found[:, 0] * ((apart < 0.35) & (alike < 0.6))
        answers.append(torch.cat([score.max()[None], found[score.argmax(), 1:]]))
    near = torch.stack(answers)
    first, again = (score.clamp(0.003, 0.9999).logit() for score in (row[0], near[:, 0]))
    score = torch.lerp(first, again.mean(), NEAR_SHARE).sigmoid()
    weight = near[:, :1] + 1e-6
    place = (near[:, 1:] * weight).sum(0) / weight.sum() if near[:, 0].amax() > 0.02 else row[1:]
    return torch.cat([score[None], place])


def _resized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    shrinks = height < image.shape[0] or width < image.shape[1]
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def _ask(network: FaceFinder, images: np.ndarray, threshold: float) -> list[torch.Tensor]:
    """Pictures (B,H,W,3) uint8 -> decoded rows (N,14) of each."""
    pixels = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 255
    pixels = F.pad(pixels, (0, -pixels.shape[3] % 32, 0, -pixels.shape[2] % 32), mode="replicate")
    with torch.inference_mode():
        return decode(network(pixels.contiguous(memory_format=torch.channels_last)), threshold)
