"""Geometry shared by all drawn parts: smooth steps, bumps, grids of vertices, their triangles and normals.

Axes: x to the image's right, y up, z towards the camera. One unit is about ten centimetres; the head spans y in
[-1, 1].
A surface is a grid of vertices (rows, columns, 3); a closed ring repeats its first column.
"""

import numpy as np


def smooth_step(start: float, stop: float, x: np.ndarray) -> np.ndarray:
    """Hermite step from 0 at `start` to 1 at `stop` (descending when start > stop)."""
    t = np.clip((x - start) / (stop - start), 0, 1)
    return t * t * (3 - 2 * t)


def bump(x: np.ndarray, width: np.ndarray | float) -> np.ndarray:
    """Gaussian bump exp(-(x / width)^2)."""
    return np.exp(-((x / width) ** 2))


def signed_power(x: np.ndarray, power: float) -> np.ndarray:
    """|x|^power with the sign of x: the super-ellipse's rounded corners."""
    return np.sign(x) * np.abs(x) ** power


def graded(start: float, stop: float, count: int, fine_start: bool, fine_stop: bool) -> np.ndarray:
    """`count` positions from start to stop, steps about three times finer at the chosen ends."""
    t = np.linspace(0, 1, count - 1)
    step = np.ones(count - 1)
    if fine_start:
        step *= np.clip(0.28 + 1.6 * t, 0, 1)
    if fine_stop:
        step *= np.clip(0.28 + 1.6 * (1 - t), 0, 1)
    position = np.concatenate([[0.0], np.cumsum(step)])
    return start + (stop - start) * position / position[-1]


def grid_triangles(rows: int, columns: int, offset: int = 0) -> np.ndarray:
    """Indices (2 (rows - 1) (columns - 1), 3) of a grid's triangles, vertices numbered from `offset` row by row."""
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1].ravel(), index[:-1, 1:].ravel(), index[1:, :-1].ravel(), index[1:, 1:].ravel()
    return np.concatenate([np.stack([a, b, d], 1), np.stack([a, d, c], 1)]) + offset


def grid_normals(grid: np.ndarray) -> np.ndarray:
    """Unit normals (rows, columns, 3) by central differences; outwards for rows upwards and columns rightwards."""
    across, along = np.empty_like(grid), np.empty_like(grid)
    np.subtract(grid[:, 2:], grid[:, :-2], out=across[:, 1:-1])
    across[:, 0], across[:, -1] = grid[:, 1] - grid[:, 0], grid[:, -1] - grid[:, -2]
    np.subtract(grid[2:], grid[:-2], out=along[1:-1])
    along[0], along[-1] = grid[1] - grid[0], grid[-1] - grid[-2]
    normal = np.empty_like(grid)
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        normal[..., i] = across[..., j] * along[..., k] - across[..., k] * along[..., j]
    return unit(normal)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors scaled to length 1 along the last axis."""
    length = np.sqrt(np.einsum("...i,...i->...", vectors, vectors))[..., None]
    return vectors / np.maximum(length, 1e-9)


def sphere_grid(rows: int, columns: int) -> np.ndarray:
    """Unit sphere (rows, columns, 3), rows from pole -y to +y, columns around y beginning at the back."""
    polar = np.linspace(np.pi - 0.02, 0.02, rows)[:, None]
    around = np.linspace(-np.pi, np.pi, columns)[None]
    y = np.broadcast_to(np.cos(polar), (rows, columns))
    return np.stack([np.sin(polar) * np.sin(around), y, np.sin(polar) * np.cos(around)], -1).astype(np.float32)


def tube(curve: np.ndarray, radius: float, sides: int = 6) -> np.ndarray:
    """A tube of constant radius around a curve (n, 3): grid (sides + 1, n, 3)."""
    tangent = unit(np.gradient(curve, axis=0))
    first = unit(np.cross(tangent, [0.01, 0.02, 1.0]))
    second = np.cross(tangent, first)
    around = np.linspace(-np.pi, np.pi, sides + 1)[:, None, None]
    return curve[None] + radius * (np.cos(around) * first[None] + np.sin(around) * second[None])


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Head rotation (3, 3), radians: yaw turns the nose to the right, pitch down, roll tilts the crown to the left.

    Pitch is applied first, then yaw, then roll: the head nods about its own axis and tilts in the picture plane.
    """
    (cy, cp, cr), (sy, sp, sr) = np.cos([yaw, pitch, roll]), np.sin([yaw, pitch, roll])
    turn = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    nod = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    tilt = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return (tilt @ turn @ nod).astype(np.float32)
