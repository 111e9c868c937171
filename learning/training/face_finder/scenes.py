"""Training scenes for the face finder: drawn heads at any size over procedural backgrounds, and distractors.

A scene is a square picture and its faces as rows (centre x, y, side of the box, five landmarks x, y) in pixels. The
box is the one of media/finders/face.py: a square around the brows and the chin.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from ....vocabulary import LANDMARKS
from .backdrops import add_distractor, backdrop

_INDEX = {name: i for i, name in enumerate(LANDMARKS)}
_BROWS = [_INDEX[f"{side}_brow_{part}"] for side in ("left", "right") for part in ("outer", "middle", "inner")]
_HULL = [i for name, i in _INDEX.items() if name not in ("crown", "forehead")]
# Fitted so that on drawn heads the box is that of MediaPipe (short-range detector, median of 62 heads).
BOX_SIDE = 1.12  # in heights from the chin to the brows
BOX_SHIFT = 0.09  # centre of the box above the middle of brows and chin, in the same heights

KINDS = {"portrait": 0.38, "group": 0.38, "empty": 0.24}
SMALLEST = 13.0  # pixels: smaller faces are ignored in the loss, neither positive nor negative, as they are mere dots
VISIBLE = 0.6  # part of the box that must lie in the picture for a face to be positive


class HeadCutout(NamedTuple):
    """A drawn portrait: picture (s,s,3) uint8, the person's opacity (s,s) uint8, landmarks (K,2) in pixels."""

    picture: np.ndarray
    opacity: np.ndarray
    marks: np.ndarray


class HeadStore:
    """Random heads from the shards of learning/corpus/stills.py, memory-mapped.

    `refresh` adds shards drawn since."""

    def __init__(self, root: str | Path):
        self.folder = Path(root) / "stills" if (Path(root) / "stills").is_dir() else Path(root)
        self.shards: dict[str, tuple[np.ndarray, ...]] = {}
        self.refresh()
        if not self.shards:
            raise FileNotFoundError(
                f"{root} holds no drawn stills: draw some with `python -m mamba_portrait corpus --stills` first."
            )

    def refresh(self) -> None:
        for path in sorted(self.folder.glob("*_rgb.npy")):
            stem = path.name.removesuffix("_rgb.npy")
            if stem not in self.shards:
                names = ("rgb", "mark", "part0", "label")
                self.shards[stem] = tuple(np.load(self.folder / f"{stem}_{n}.npy", mmap_mode="r") for n in names)

    def draw(self, rng: np.random.Generator) -> HeadCutout:
        rgb, mark, part0, label = self.shards[list(self.shards)[rng.integers(len(self.shards))]]
        group, twin, frame = rng.integers(len(rgb)), rng.integers(2), rng.integers(4)
        parts = part0[group, twin] if frame == 0 else label[group, twin, frame - 1] >> 1
        picture, size = np.asarray(rgb[group, twin, frame]), rgb.shape[3]
        opacity = cv2.resize((parts > 0).astype(np.uint8) * 255, (size, size), interpolation=cv2.INTER_LINEAR)
        marks = np.asarray(mark[group, twin, frame], np.float32) * size
        return _mirror(picture, opacity, marks) if rng.random() < 0.5 else HeadCutout(picture, opacity, marks)


def _mirror(picture: np.ndarray, opacity: np.ndarray, marks: np.ndarray) -> HeadCutout:
    swap = [_INDEX.get(_other_side(name), i) for i, name in enumerate(LANDMARKS)]
    marks = marks[swap] * np.float32([-1, 1]) + np.float32([picture.shape[1], 0])
    return HeadCutout(np.ascontiguousarray(picture[:, ::-1]), np.ascontiguousarray(opacity[:, ::-1]), marks)


def _other_side(name: str) -> str:
    return name.replace("left", "#").replace("right", "left").replace("#", "right")


def face_row(marks: np.ndarray) -> np.ndarray:
    """Landmarks (K,2) in pixels -> (13,): box centre x, y, side, and the five landmarks."""
    chin, brows = marks[_INDEX["chin"]], marks[_BROWS].mean(0)
    height = float(np.linalg.norm(chin - brows))
    cheeks = marks[[_INDEX[n] for n in ("cheek_left", "cheek_right", "jaw_left", "jaw_right")]]
    middle = (chin + brows) / 2 + BOX_SHIFT * (brows - chin)
    middle[0] = (middle[0] + (cheeks[:, 0].min() + cheeks[:, 0].max()) / 2) / 2
    eyes = [marks[[_INDEX[f"{s}_eye_outer"], _INDEX[f"{s}_eye_inner"]]].mean(0) for s in ("left", "right")]
    points = [*eyes, marks[_INDEX["nose_tip"]], marks[_INDEX["mouth_left"]], marks[_INDEX["mouth_right"]]]
    return np.concatenate([middle, [BOX_SIDE * height], *points]).astype(np.float32)


def scene(rng: np.random.Generator, heads: HeadStore, size: int) -> tuple[np.ndarray, np.ndarray]:
    """One scene before augmentation by `camera`: picture (size,size,3) uint8 and faces (n,13)."""
    kind = rng.choice(list(KINDS), p=list(KINDS.values()))
    if kind == "portrait":
        image, faces = _portrait(rng, heads.draw(rng), size)
    else:
        image, faces = _close_up(rng, heads, size) if rng.random() < 0.12 else backdrop(rng, size), []
        count = 0 if kind == "empty" else int(rng.integers(1, 6))
        for _ in range(int(rng.integers(0, 4)) if kind == "empty" or rng.random() < 0.4 else 0):
            image = _composite(image, *_placed(rng, _without_face(rng, heads.draw(rng)), size)[:2])
        for _ in range(int(rng.integers(0, 4))):
            extent = np.exp(rng.uniform(np.log(0.06), np.log(0.6))) * size
            image = add_distractor(rng, image, rng.uniform(0, size, 2), extent)
        for _ in range(count):
            picture, opacity, marks = _placed(rng, heads.draw(rng), size)
            row = face_row(marks)
            if all(np.hypot(*(row[:2] - f[:2])) > 0.75 * (row[2] + f[2]) for f in faces):
                image = _composite(image, picture, opacity)
                faces.append(row)
    image = _occluded(rng, image, faces)
    return image, np.array(faces, np.float32).reshape(-1, 13)


def _warp(head: HeadCutout, matrix: np.ndarray, size: int, border: int) -> HeadCutout:
    """A head under a similarity transform (2,3); for strong reductions averaged over areas first, against aliasing."""
    picture, opacity = head.picture, head.opacity
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale < 0.6:
        reduced = max(8, round(picture.shape[0] * scale * 1.3))
        factor = reduced / picture.shape[0]
        picture = cv2.resize(picture, (reduced, reduced), interpolation=cv2.INTER_AREA)
        opacity = cv2.resize(opacity, (reduced, reduced), interpolation=cv2.INTER_AREA)
        small = matrix.copy()
        small[:, :2] /= factor
    else:
        small = matrix
    options = {"flags": cv2.INTER_LINEAR, "borderMode": border}
    warped = cv2.warpAffine(picture, small, (size, size), **options)
    opacity = cv2.warpAffine(opacity, small, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return HeadCutout(warped, opacity, head.marks @ matrix[:, :2].T + matrix[:, 2])


def _similarity(rng: np.random.Generator, head: HeadCutout, side: float, target: np.ndarray) -> np.ndarray:
    """The similarity transform (2,3) that brings the head's face to `side` pixels at `target`, rotated by a random
    angle, standard deviation 14 degrees."""
    row, angle = face_row(head.marks), rng.normal(0, 0.24)
    scale = side / row[2]
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.hstack([linear, (target - linear @ row[:2])[:, None]]).astype(np.float32)


def _portrait(rng: np.random.Generator, head: HeadCutout, size: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """One head with its own background fills the scene; the face's side is a fifth of the scene's to all of it."""
    side = size * np.exp(rng.uniform(np.log(0.22), np.log(1.0)))
    target = size / 2 + rng.normal(0, 0.13, 2) * size
    target = np.clip(target, side * 0.35, size - side * 0.35) if side < 0.9 * size else np.full(2, size / 2)
    border = cv2.BORDER_REFLECT if rng.random() < 0.6 else cv2.BORDER_REPLICATE
    warped = _warp(head, _similarity(rng, head, side, target), size, border)
    if border == cv2.BORDER_REFLECT:  # the mirror image of a small face at the edge would be a face without a label
        image = (
            _composite(backdrop(rng, size), warped.picture, warped.opacity) if side < 0.45 * size else warped.picture
        )
    else:
        image = warped.picture
    row = face_row(warped.marks)
    if rng.random() < 0.4:  # hands and collars are mostly near faces
        angle, distance = rng.normal(np.pi / 2, 0.8), rng.uniform(1.0, 1.8) * row[2]
        center = row[:2] + distance * np.array([np.cos(angle), np.sin(angle)])
        image = add_distractor(rng, image, center, rng.uniform(0.25, 0.7) * row[2])
    return image, [row]


def _close_up(rng: np.random.Generator, heads: HeadStore, size: int) -> np.ndarray:
    """Skin, hair, cloth or a single feature of a drawn person, so near that the picture shows no face."""
    head = heads.draw(rng)
    side = size * rng.uniform(2.5, 5)
    target = size / 2 + rng.uniform(-0.6, 0.6, 2) * side
    return _warp(head, _similarity(rng, head, side, target), size, cv2.BORDER_REFLECT).picture


def _placed(rng: np.random.Generator, head: HeadCutout, size: int) -> HeadCutout:
    """The head somewhere in the scene, the side of its face from below SMALLEST to half of the scene's."""
    side = np.exp(rng.uniform(np.log(0.8 * SMALLEST), np.log(0.55 * size)))
    target = rng.uniform(0.2 * side, size - 0.2 * side, 2)
    return _warp(head, _similarity(rng, head, side, target), size, cv2.BORDER_REPLICATE)


def _composite(image: np.ndarray, picture: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    alpha = opacity[..., None].astype(np.float32) / 255
    return (image + alpha * (picture.astype(np.float32) - image) + 0.5).astype(np.uint8)


def _without_face(rng: np.random.Generator, head: HeadCutout) -> HeadCutout:
    """A hard negative: a head whose facial features are painted over, or whose face is cut in tiles and shuffled."""
    picture = head.picture.copy()
    x, y, side = face_row(head.marks)[:3]
    x0, y0, x1, y1 = (
        int(np.clip(v, 0, picture.shape[0])) for v in (x - side / 2, y - side / 2, x + side / 2, y + side / 2)
    )
    patch = picture[y0:y1, x0:x1]
    if rng.random() < 0.5 and min(patch.shape[:2]) >= 12:
        n = int(rng.integers(2, 5))
        h, w = patch.shape[0] // n, patch.shape[1] // n
        tiles = [patch[i * h : (i + 1) * h, j * w : (j + 1) * w].copy() for i in range(n) for j in range(n)]
        for place, tile in enumerate(rng.permutation(len(tiles))):
            i, j = divmod(place, n)
            turned = tiles[tile][:: rng.choice([-1, 1]), :: rng.choice([-1, 1])]
            patch[i * h : (i + 1) * h, j * w : (j + 1) * w] = turned
    else:
        hull = cv2.convexHull(head.marks[_HULL].astype(np.int32))
        mask = cv2.GaussianBlur(cv2.fillConvexPoly(np.zeros(picture.shape[:2], np.uint8), hull, 255), (0, 0), 3)
        skin = np.full_like(picture, np.median(patch[::4, ::4].reshape(-1, 3), axis=0) if patch.size else 128)
        shading = cv2.resize(cv2.resize(picture, (6, 6), interpolation=cv2.INTER_AREA), picture.shape[1::-1])
        picture = _composite(picture, cv2.addWeighted(skin, 0.8, shading, 0.2, 0), mask)
    return HeadCutout(picture, head.opacity, head.marks)


def _occluded(rng: np.random.Generator, image: np.ndarray, faces: list[np.ndarray]) -> np.ndarray:
    """Occlude one face in six with an ellipse over an edge of its box, as by a hand, a microphone or a scarf."""
    for row in faces:
        if rng.random() < 0.16:
            x, y, side = row[:3]
            around = rng.uniform(0, 2 * np.pi)
            center = (int(x + 0.6 * side * np.cos(around)), int(y + 0.6 * side * np.sin(around)))
            axes = tuple(max(2, int(v)) for v in rng.uniform(0.15, 0.4, 2) * side)
            colour = tuple(int(v) for v in rng.integers(20, 235, 3))
            image = cv2.ellipse(
                np.ascontiguousarray(image), center, axes, rng.uniform(0, 180), 0, 360, colour, -1, cv2.LINE_AA
            )
    return image
