"""All of a photo's person but the face: a grid over the picture with depth, that follows head, skin and shoulders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from scipy.spatial import cKDTree

from ..person.geometry import grid_triangles, smooth_step
from ..person.rig import PIVOT
from .layers import filled
from .mesh_places import EYES

if TYPE_CHECKING:
    from .person import PhotoPerson

_VERTICES = 90  # a side
_LOW, _HIGH = -0.2, 1.2  # of the picture: beyond its edges it goes on as at them
_CELLS = 64  # a side of the depth map
_BEHIND = 0.02  # depth behind the skin that it continues
_EYE_DEPTH = 0.35  # of what shows beside an eyeball
_DRAG = 0.07  # of the picture, reach in which it moves with the skin's edge
_MASK = 256


class Relief:
    """rest (n,3) in the axes of a head at rest, follow (n,1) how far it follows the head, places (n,2) in the photo,
    height (n,) in the head's axes, triangles (m,3)."""

    def __init__(self, person: PhotoPerson, skin: np.ndarray, mesh: np.ndarray):
        """skin (V,3): the head's vertices as in the photo."""
        camera, turn = person.camera, person.turn
        at = person.project(skin)[:, :2] * [0.5, -0.5] + 0.5
        steps = np.linspace(_LOW, _HIGH, _VERTICES)
        u, v = np.meshgrid(steps, steps)
        covered, behind_eye = self._covered(person, at, mesh, u, v)
        z = _depth(person, skin, at, u, v) - _BEHIND - _EYE_DEPTH * behind_eye
        scale = (camera.distance - z) * camera.half / camera.distance
        x, y = (u * 2 - 1) * scale + camera.centre[0], (1 - v * 2) * scale + camera.centre[1]
        points = np.stack([x, y, z], -1).reshape(-1, 3)
        self.height = ((points - PIVOT) @ turn + PIVOT)[:, 1].astype(np.float32)
        follow = smooth_step(-1.75, -0.85, self.height)
        # at rest it is where following the head to the photo's pose brings it into its place
        moves = (1 - follow)[:, None, None] * np.eye(3) + follow[:, None, None] * turn
        offset = points - follow[:, None] * (PIVOT - PIVOT @ turn.T)
        self.rest = np.linalg.solve(moves, offset[..., None])[..., 0].astype(np.float32)
        self.follow, self.places = follow[:, None].astype(np.float32), np.stack([u, v], -1).reshape(-1, 2)
        triangles = grid_triangles(_VERTICES, _VERTICES)[:, ::-1]
        hidden = (covered & ~behind_eye).ravel()
        self.triangles = triangles[~(hidden[triangles].any(1) & covered.ravel()[triangles].all(1))]
        self._meet(person, at)

    def pose(self, moved: np.ndarray, turn: np.ndarray, shift: np.ndarray, shoulders: np.ndarray) -> np.ndarray:
        """Positions (n,3) in camera space. moved (V,3): displacement of the skin since the photo, in the head's axes;
        turn (3,3), shift (3,) of the head, shoulders (3,)."""
        rest = self.rest + np.einsum("nk,nkc->nc", self._weight, moved[self._near])
        follows = (rest - PIVOT) @ turn.T + PIVOT + shift
        return (rest + shoulders) * (1 - self.follow) + follows * self.follow

    def _meet(self, person: PhotoPerson, at: np.ndarray) -> None:
        """The vertices of the face's edge that each vertex moves with."""
        c = person.rig.head.canonical
        edge = np.flatnonzero(person.face & ((np.abs(c[:, 2]) > 1.05) | (c[:, 1] > 0.7) | (c[:, 1] < -0.93)))
        apart, near = cKDTree(at[edge]).query(self.places, k=4)
        weight = 1 / (apart + 0.01)
        weight *= np.exp(-((apart.min(1) / _DRAG) ** 2))[:, None] / weight.sum(1, keepdims=True)
        self._near, self._weight = edge[near], weight.astype(np.float32)

    @staticmethod
    def _covered(
        person: PhotoPerson, at: np.ndarray, mesh: np.ndarray, u: np.ndarray, v: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """(two of u's shape) bool: well behind the face's own layer, and of that the parts around the eyes, which are
        kept, further back: beside a turned eyeball there is skin."""
        triangles = np.concatenate(person.rig.head.triangles)
        corners = np.rint(at * _MASK).astype(np.int32)[triangles[person.face[triangles].all(1)]]
        mask = np.zeros((_MASK, _MASK), np.uint8)
        for triangle in corners:
            cv2.fillConvexPoly(mask, triangle, 255)
        cv2.fillPoly(mask, cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0], 255)
        mask = cv2.erode(mask, np.ones((15, 15)))
        cell = [np.clip((x * _MASK).astype(int), 0, _MASK - 1) for x in (v, u)]
        covered = (mask[cell[0], cell[1]] > 0) & (np.abs(u - 0.5) < 0.5) & (np.abs(v - 0.5) < 0.5)
        eyes = np.zeros_like(covered)
        for loop in EYES:
            x, y = mesh[list(loop)].mean(0)
            reach = 0.8 * np.linalg.norm(np.ptp(mesh[list(loop)], axis=0))
            eyes |= covered & (np.hypot(u - x, v - y) < reach)
        return covered, eyes


def _depth(person: PhotoPerson, skin: np.ndarray, at: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Depth of the relief (of u's shape): the head's where that is, around it a little behind its edge."""
    cell = np.clip(((at - _LOW) / (_HIGH - _LOW) * _CELLS).astype(int), 0, _CELLS - 1)
    front = np.abs(person.rig.head.canonical[:, 2]) < 1.7
    nearest = np.full((_CELLS, _CELLS), -9.0, np.float32)
    np.maximum.at(nearest, (cell[front, 1], cell[front, 0]), skin[front, 2])
    known = (nearest > -8).astype(np.float32)
    whole = cv2.morphologyEx(known.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5)))
    z = filled(nearest[..., None], known)[..., 0]
    away = cv2.distanceTransform(1 - whole, cv2.DIST_L2, 3) / _CELLS * (_HIGH - _LOW)
    outside = np.clip(away / 0.06, 0, 1)
    z = cv2.GaussianBlur(z * (1 - outside) + (np.minimum(z, 0.15) - 0.1) * outside, (0, 0), 1.0).astype(np.float32)
    column, row = (((x - _LOW) / (_HIGH - _LOW) * _CELLS - 0.5).astype(np.float32) for x in (u, v))
    return cv2.remap(z, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
