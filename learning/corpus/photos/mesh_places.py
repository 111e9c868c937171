"""Where points of MediaPipe's face mesh lie on the rig's skin, learnt from drawn faces, whose vertices are known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..acting.expressions import random_expression
from ..drawing.rasterizer import HeadRasterizer
from ..drawing.scene import random_scene
from ..person.head import LOWER, MIDDLE, UPPER, HeadMesh
from ..person.identity import random_identity

# Points of the mesh along lips and lids, from the image's left to its right; of the eyes the image's left one first.
UPPER_LIP = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LOWER_LIP = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
UPPER_LIDS = (33, 246, 161, 160, 159, 158, 157, 173, 133), (362, 398, 384, 385, 386, 387, 388, 466, 263)
LOWER_LIDS = (33, 7, 163, 144, 145, 153, 154, 155, 133), (362, 382, 381, 380, 374, 373, 390, 249, 263)
MOUTH = (*UPPER_LIP, *LOWER_LIP[::-1])
"""Points around the open mouth."""
EYES = tuple((*upper, *lower[::-1]) for upper, lower in zip(UPPER_LIDS, LOWER_LIDS, strict=True))
"""Points around each open eye."""
PUPILS = 468, 473
IRISES = (469, 471), (474, 476)
"""Points across each iris."""
SKIN_POINTS = 468  # of the mesh, without irises
UNSURE = 2.5  # rows or columns of the skin's grid; points whose place varies more are not used
ANGLE = 1.35  # radians to either side of the nose in which points are sought
_ALONG_LIP = np.array([-1, -0.8, -0.6, -0.4, -0.2, 0, 0.2, 0.4, 0.6, 0.8, 1])  # of the mouth's half width
_ALONG_LID = np.array([-1, -0.85, -0.6, -0.3, 0, 0.3, 0.6, 0.85, 1])  # of the eye's half width


@dataclass(frozen=True)
class MeshPlaces:
    """points (K,): of the mesh, none of lips and lids; grid (K,2): row and column of the skin's grid for each."""

    points: np.ndarray
    grid: np.ndarray

    @classmethod
    def learn(cls, meshes: np.ndarray, vertices: np.ndarray, shape: tuple[int, int], angles: np.ndarray) -> MeshPlaces:
        """From meshes (N,478,2) in [0,1] of drawn faces and their skins' vertices in clip space (N,rows*columns,3).
        shape: rows and columns of the grid; angles (columns,): around the head."""
        rows, columns = shape
        at = np.stack(np.divmod(np.arange(rows * columns), columns), 1)
        near = np.empty((len(meshes), SKIN_POINTS, 2))
        for i, (mesh, clip) in enumerate(zip(meshes, vertices, strict=True)):
            xy = clip[:, :2] * [0.5, -0.5] + 0.5
            seen = np.flatnonzero(_facing(xy.reshape(rows, columns, 2)) & (np.abs(angles[at[:, 1]]) < ANGLE))
            apart = ((xy[seen, None] - mesh[None, :SKIN_POINTS]) ** 2).sum(-1)
            near[i] = at[seen[apart.argmin(0)]]
        grid = np.median(near, 0)
        varies = np.median(np.abs(near - grid), 0).max(1)
        inside = (grid[:, 0] > 5) & (grid[:, 0] < rows - 3) & (grid[:, 1] > 1) & (grid[:, 1] < columns - 2)
        on_lines = np.isin(np.arange(SKIN_POINTS), (*MOUTH, *EYES[0], *EYES[1]))
        points = np.flatnonzero((varies <= UNSURE) & inside & ~on_lines)
        return cls(points, grid[points])

    def vertices(self, head: HeadMesh) -> tuple[np.ndarray, np.ndarray]:
        """(vertices, points of the mesh), both (M,): the learnt ones first, then lips and lids."""
        columns, shape = head.bands[0][1], head.shape
        first = np.cumsum([0] + [rows for rows, _ in head.bands])
        vertices, points = [np.rint(self.grid).astype(int) @ [columns, 1]], [self.points]

        def on_line(row: int, x: np.ndarray) -> np.ndarray:
            line = row * columns + np.arange(columns)
            line = line[np.abs(head.canonical[line, 2]) < ANGLE]
            return line[np.abs(head.canonical[line, 0] - x[:, None]).argmin(1)]

        lip = _ALONG_LIP * shape.mouth_half
        vertices += [on_line(first[MIDDLE], lip), on_line(first[LOWER + 1] - 1, lip)]
        points += [np.array(UPPER_LIP), np.array(LOWER_LIP)]
        for eye, side in enumerate((-1, 1)):
            lid = side * shape.eye_x + _ALONG_LID * shape.eye_half
            vertices += [on_line(first[UPPER], lid), on_line(first[MIDDLE + 1] - 1, lid)]
            points += [np.array(UPPER_LIDS[eye]), np.array(LOWER_LIDS[eye])]
        return np.concatenate(vertices), np.concatenate(points)


def _facing(grid: np.ndarray) -> np.ndarray:
    """(rows*columns,): where a grid of picture coordinates (rows,columns,2) is seen from its front."""
    across, up = np.gradient(grid, axis=1), np.gradient(grid, axis=0)
    return (across[..., 0] * up[..., 1] - across[..., 1] * up[..., 0]).ravel() < 0


def drawn_faces(
    rasterizer: HeadRasterizer, count: int, seed: int = 0
) -> Iterator[tuple[np.ndarray, np.ndarray, HeadMesh]]:
    """Pictures (S,S,3) uint8 of random drawn people without glasses and hats, their skins' vertices in clip space
    (V,3), and their heads."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        person = random_identity(rng)
        person = replace(person, glasses=None, hat=None, look=replace(person.look, pattern=0.0))
        rasterizer.set_scene(random_scene(rng, person, rasterizer.size))
        picture, _, clip, _ = rasterizer.draw(random_expression(rng))
        yield picture, clip[: rasterizer.scene.rig.skin_count], rasterizer.scene.rig.head
