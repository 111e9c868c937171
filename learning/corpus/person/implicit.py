"""Isosurface extraction from a signed distance field: naive surface nets (Gibson 1998), a vertex in each cut cell."""

from itertools import product

import numpy as np


def surface_nets(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (n, 3) in grid steps and triangles (m, 3), seen counter-clockwise from where values are positive.

    values (a, b, c): negative inside. ValueError when the surface leaves the grid, as the mesh would have holes.
    """
    inside = values < 0
    if any(inside.take(end, axis).any() for axis, end in product(range(3), (0, -1))):
        raise ValueError("The surface reaches the border of its grid; give the grid more room.")
    total, count = np.zeros((*(n - 1 for n in values.shape), 3)), np.zeros([n - 1 for n in values.shape])
    for axis, first, second in product(range(3), (0, 1), (0, 1)):
        corner = np.insert([first, second], axis, 0)
        a, b = _corner(values, corner), _corner(values, corner + np.eye(3, dtype=int)[axis])
        cut = (a < 0) != (b < 0)
        along = np.where(cut, a / np.where(cut, a - b, 1), 0)
        total += cut[..., None] * (corner + along[..., None] * np.eye(3)[axis])
        count += cut
    cells = np.argwhere(count)
    number = np.full(count.shape, -1)
    number[tuple(cells.T)] = np.arange(len(cells))
    vertices = cells + total[tuple(cells.T)] / count[tuple(cells.T)][:, None]
    return vertices, np.concatenate([_faces(inside, number, axis) for axis in range(3)])


def _corner(values: np.ndarray, corner: np.ndarray) -> np.ndarray:
    """The value at one corner of every cell."""
    return values[tuple(slice(c, n - 1 + c) for c, n in zip(corner, values.shape, strict=True))]


def _faces(inside: np.ndarray, number: np.ndarray, axis: int) -> np.ndarray:
    """Two triangles for each grid edge along `axis` that the surface cuts, between the four cells around it."""
    inside, number = np.moveaxis(inside, axis, 0), np.moveaxis(number, axis, 0)
    if axis == 1:  # keeps the three axes right-handed
        inside, number = inside.swapaxes(1, 2), number.swapaxes(1, 2)
    cut = inside[:-1, 1:-1, 1:-1] != inside[1:, 1:-1, 1:-1]
    leaving = inside[:-1, 1:-1, 1:-1][cut]
    a, b, c, d = (number[:, u : number.shape[1] - 1 + u, v : number.shape[2] - 1 + v][cut]
                  for u, v in ((0, 0), (1, 0), (1, 1), (0, 1)))  # fmt: skip
    quads = np.where(leaving[:, None], np.stack([a, b, c, d], 1), np.stack([a, d, c, b], 1))
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
