"""Soft shadows of the key light, a value for each vertex, cast by brow, nose, chin, hair, glasses and hats.

A shadow map of points: vertices are splatted into a coarse depth grid seen from the light, and a vertex well behind the
grid's surface is in shadow. The coarse grid gives a penumbra. It takes a millisecond; a rasterized shadow map takes
five in software.
"""

import cv2
import numpy as np

from ..person.geometry import unit

_CELLS, _EXTENT = 56, 1.7  # grid over [-extent, extent]; a cell is about six millimetres
_EMPTY = -1.2  # depth of empty cells: so near that the blurred edge of a shadow is soft
_BIAS, _PENUMBRA = 0.12, 0.18
_CHEST = np.array([0.0, -1.55, 0.6], np.float32)  # centre of the region that gesturing arms can shade


def light_frame(direction: np.ndarray) -> np.ndarray:
    """Rows (3, 3): two axes perpendicular to the light, and the direction towards it."""
    across = unit(np.cross([0.0, 1.0, 0.1], direction))
    return np.stack([across, np.cross(direction, across), direction]).astype(np.float32)


def lit_fraction(position: np.ndarray, casters: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """Share of the key light that reaches each vertex: (n,) float32, 1 lit .. 0 in full shadow.

    position (n, 3) camera space; casters: indices of vertices that cast shadows; frame from `light_frame`.
    """
    local = position @ frame.T
    cell = (local[:, :2] + _EXTENT) * (_CELLS / (2 * _EXTENT))
    index = np.clip(cell.astype(np.int32), 0, _CELLS - 1)
    grid = np.full(_CELLS * _CELLS, _EMPTY, np.float32)
    np.maximum.at(grid, index[casters, 1] * _CELLS + index[casters, 0], local[casters, 2])
    grid = cv2.blur(cv2.dilate(grid.reshape(_CELLS, _CELLS), np.ones((3, 3), np.uint8)), (3, 3))
    depth = cv2.remap(grid, cell[:, :1] - 0.5, cell[:, 1:2] - 0.5, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[
        :, 0
    ]
    behind = np.clip((depth - local[:, 2] - _BIAS) / _PENUMBRA, 0, 1)
    return 1 - behind * behind * (3 - 2 * behind)


def arms_shade(position: np.ndarray, arms: slice, frame: np.ndarray) -> np.ndarray:
    """Share of the key light that gesturing arms let through to each vertex: (n,), as `lit_fraction`.

    The depth grid is centred on the chest; vertices of the arms outside it cast no shadow.
    """
    local = (position - _CHEST) @ frame.T
    near = np.abs(local[arms, :2]).max(1) < 0.93 * _EXTENT
    return lit_fraction(position - _CHEST, np.arange(arms.start, arms.stop)[near], frame)
