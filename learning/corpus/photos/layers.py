"""The layers of a photo that are drawn: the person, what is behind him, his eyes, his teeth, his lids without eyes."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .mesh_places import EYES, IRISES, MOUTH, PUPILS

PARTED = 0.04  # gap of the inner lips, in distances of the eyes' outer corners, from which on teeth are looked for
_FRINGE = 9  # pixels around the matte that the background is not taken from


@dataclass(frozen=True)
class Layers:
    """Pictures (S,S,3) uint8 but for `person` (S,S,4), whose last channel is the matte.

    plate: the background with the person filled; eyes: what the open lids show, filled beyond them; lids: the photo
    with the eyes filled by the skin around; teeth: None where the photo shows none. teeth_end, too, is None then:
    where in the picture (2,), pixels, the upper teeth end in the middle of the mouth."""

    person: np.ndarray
    plate: np.ndarray
    eyes: np.ndarray
    lids: np.ndarray
    teeth: np.ndarray | None
    teeth_end: np.ndarray | None


def filled(image: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(H,W,C) float and how far its pixels count (H,W) -> the image in which the others take the mean of the smallest
    surroundings that hold some that do (push and pull over a pyramid)."""
    levels = [(image * known[..., None], known)]
    while min(levels[-1][1].shape) > 2:
        colour, weight = levels[-1]
        size = tuple((side + 1) // 2 for side in weight.shape[::-1])
        small = cv2.resize(colour, size, interpolation=cv2.INTER_AREA).reshape(*size[::-1], -1)
        levels.append((small, cv2.resize(weight, size, interpolation=cv2.INTER_AREA)))
    picture = levels[-1][0] / np.maximum(levels[-1][1], 1e-4)[..., None]
    for colour, weight in reversed(levels[:-1]):
        sure = np.clip(weight * 2, 0, 1)[..., None]
        wide = cv2.resize(picture, weight.shape[::-1]).reshape(*weight.shape, -1)
        picture = wide * (1 - sure) + colour / np.maximum(weight, 1e-4)[..., None] * sure
    return picture


def inside(loop: np.ndarray, size: int, grown: tuple[float, float] = (1.0, 1.0)) -> np.ndarray:
    """(size,size) in [0,1]: how far each pixel lies in a polygon (n,2) of parts of the picture; grown: times so much
    across and up around its middle."""
    middle = loop.mean(0)
    corners = np.rint((middle + (loop - middle) * grown) * size * 4 - 0.5).astype(np.int32)
    mask = cv2.fillPoly(np.zeros((size * 4, size * 4), np.uint8), [corners], 255)
    return cv2.resize(mask, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def parted(mesh: np.ndarray) -> float:
    """Gap of the inner lips of a mesh (478,2), in distances of the eyes' outer corners."""
    return float(np.linalg.norm(mesh[13] - mesh[14]) / np.linalg.norm(mesh[33] - mesh[263]))


def layers_of(photo: np.ndarray, matte: np.ndarray, mesh: np.ndarray) -> Layers:
    """photo (S,S,3) uint8, its matte (S,S) in [0,1], the mesh (478,2) in [0,1] of its face."""
    picture = photo.astype(np.float32)
    alpha = _of_face(np.clip((matte - 0.15) / 0.7, 0, 1).astype(np.float32), mesh)
    solid = cv2.erode((alpha > 0.9).astype(np.uint8), np.ones((3, 3))).astype(np.float32)
    # at the edge the photo is partly background: colours from further in
    edge = np.where(alpha[..., None] > 0.98, picture, 0.7 * filled(picture, solid) + 0.3 * picture)
    around = 1 - cv2.dilate((alpha > 0.02).astype(np.uint8), np.ones((_FRINGE, _FRINGE))).astype(np.float32)
    teeth, end = _teeth(picture, mesh) if parted(mesh) > PARTED else (None, None)
    return Layers(
        _stored(np.concatenate([edge, alpha[..., None] * 255], -1)),
        _stored(filled(picture, around)),
        _eyes(picture, mesh),
        _without_eyes(picture, mesh),
        teeth,
        end,
    )


def _stored(image: np.ndarray) -> np.ndarray:
    return image.clip(0, 255).round().astype(np.uint8)


def _of_face(alpha: np.ndarray, mesh: np.ndarray) -> np.ndarray:
    """The part of a matte that holds the face: mirrored edges of a crop show parts of the person again."""
    _, parts = cv2.connectedComponents((alpha > 0.1).astype(np.uint8))
    x, y = np.clip((mesh[4] * len(alpha)).astype(int), 0, len(alpha) - 1)
    return alpha * (parts == parts[y, x]) if parts[y, x] else alpha


def _eyes(picture: np.ndarray, mesh: np.ndarray) -> np.ndarray:
    """What is seen between the lids, with irises made whole: their hidden part is the mirrored other one."""
    size = len(picture)
    y, x = (np.mgrid[0:size, 0:size] + 0.5).astype(np.float32)
    picture, known = picture.copy(), np.zeros((size, size), np.float32)
    for loop, pupil, across in zip(EYES, PUPILS, IRISES, strict=True):
        seen = inside(mesh[list(loop)], size, (0.97, 0.86))
        middle = mesh[pupil] * size
        radius = np.linalg.norm(mesh[across[0]] - mesh[across[1]]) / 2 * size
        apart = np.hypot(x - middle[0], y - middle[1])
        mirrored = x - 0.5, (2 * middle[1] - y).astype(np.float32) - 0.5
        other = cv2.remap(picture, *mirrored, cv2.INTER_LINEAR)
        taken = (apart < 1.05 * radius) & (seen < 0.5) & (cv2.remap(seen, *mirrored, cv2.INTER_LINEAR) > 0.5)
        iris = (apart < radius) & (seen > 0.6)
        rest = (apart < 0.95 * radius) & (seen < 0.5) & ~taken
        picture = np.where(taken[..., None], other, picture)
        if iris.any():
            picture[rest] = picture[iris].mean(0)
            known = np.maximum(known, rest * 0.9)
        known = np.maximum(known, np.maximum(seen * (seen > 0.6), taken * 0.9))
    return _stored(filled(picture, known.astype(np.float32)))


def _without_eyes(picture: np.ndarray, mesh: np.ndarray) -> np.ndarray:
    size = len(picture)
    hole = np.max([inside(mesh[list(loop)], size, (1.12, 1.6)) for loop in EYES], 0)
    skin = filled(picture, (hole <= 0.05).astype(np.float32))
    soft = cv2.GaussianBlur(cv2.dilate(hole, np.ones((3, 3))), (0, 0), 1.0)[..., None]
    return _stored(skin * soft + picture * (1 - soft))


def _teeth(picture: np.ndarray, mesh: np.ndarray) -> tuple[np.ndarray | None, np.ndarray | None]:
    """What is bright between the lips, filled beyond, and where that ends in the middle; None where nothing is."""
    size, light = len(picture), picture.mean(-1)
    seen = inside(mesh[list(MOUTH)], size, (0.95, 0.9)) > 0.6
    if not seen.any():
        return None, None
    bright = seen & (light > 0.62 * np.quantile(light[seen], 0.95))
    down = np.linspace(0, 1, 24)[:, None]
    line = mesh[13] * size + down * (mesh[14] - mesh[13]) * size
    aside = (mesh[308] - mesh[78]) * size * 0.12
    beside = [(line + k * aside - 0.5).astype(np.float32) for k in (-1, 0, 1)]
    column = np.mean([cv2.remap(light, p[:, :1], p[:, 1:], cv2.INTER_LINEAR)[:, 0] for p in beside], 0)
    if bright.sum() <= 12 or column.max() < 110:
        return None, None
    end = np.flatnonzero(column > 0.72 * column.max())[-1]
    return _stored(filled(picture, bright.astype(np.float32))), line[end]
