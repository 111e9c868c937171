"""The mesh of face and skull, with slits for the mouth and the eyes, and a blendshape for each expression.

The surface is a grid over (height, angle around the head). Its rows are three bands that meet at the closed lip line
and at the closed lid line; the row on a line exists twice, so that the bands can separate there and leave a hole. All
shapes are smooth analytic functions.
"""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from ....vocabulary import COUNT, INDEX
from .geometry import bump, graded, grid_triangles, signed_power, smooth_step
from .identity import FaceShape, Look

_HEIGHTS = np.array([-1.0, -0.97, -0.90, -0.75, -0.5, -0.2, 0.1, 0.4, 0.7, 0.9, 0.97, 1.0])
_SIDE = np.array([0.0, 0.20, 0.34, 0.49, 0.63, 0.71, 0.745, 0.74, 0.61, 0.38, 0.21, 0.0])
_FRONT = np.array([0.0, 0.50, 0.70, 0.775, 0.79, 0.79, 0.79, 0.77, 0.66, 0.42, 0.24, 0.0])
_BACK = np.array([0.0, 0.10, 0.20, 0.35, 0.60, 0.85, 0.95, 0.92, 0.75, 0.45, 0.25, 0.0])
LOWER, MIDDLE, UPPER = 0, 1, 2


@dataclass
class Skull:
    """Half extents of the bare head at a height y: to the side, to the front and to the back."""

    side: PchipInterpolator
    front: PchipInterpolator
    back: PchipInterpolator


@dataclass
class HeadMesh:
    """The skin's rest vertices and blendshapes; n vertices, bands stacked.

    rest (n, 3): mouth and eyes closed; blendshapes (COUNT, n, 3): displacement where a parameter is 1;
    lids (2, n, 3): displacement that opens each eye;
    shut (2, n): how far the line of a closed eye sinks;
    lid_vertices: indices near each eye, kept in front of the eyeball;
    canonical (n, 4): x, y, angle, band before any displacement;
    occlusion (n,); closed (2, columns): 1 where a line's two rows stay together (0 inside mouth or eyes).
    """

    shape: FaceShape
    skull: Skull
    bands: list[tuple[int, int]]
    rest: np.ndarray
    blendshapes: np.ndarray
    lids: np.ndarray
    shut: np.ndarray
    lid_vertices: list[np.ndarray]
    canonical: np.ndarray
    occlusion: np.ndarray
    closed: np.ndarray
    eyes: np.ndarray  # centres of the eyeballs (2, 3)

    @property
    def triangles(self) -> tuple[np.ndarray, np.ndarray]:
        """Triangles (m, 3) below the eyes and from the lids upwards: two halves for two shaders."""
        offset, parts = 0, []
        for rows, columns in self.bands:
            parts.append(grid_triangles(rows, columns, offset))
            offset += rows * columns
        triangles = np.concatenate(parts)
        upper = self.canonical[triangles[:, 0], 1] > self.shape.slit_y - 0.13
        return triangles[~upper], triangles[upper]

    def nearest(self, x: float, y: float, band: int | None = None) -> int:
        """Index of the front vertex nearest to a canonical position, of one band when given."""
        distance = np.hypot(self.canonical[:, 0] - x, self.canonical[:, 1] - y) + 4 * (
            np.abs(self.canonical[:, 2]) > 1.45
        )
        if band is not None:
            distance = distance + 4 * (self.canonical[:, 3] != band)
        return int(np.argmin(distance))


def _columns() -> np.ndarray:
    """Angles around the head: fine over mouth and eyes, coarse behind."""
    centre = np.linspace(-0.62, 0.62, 43)
    flank = np.linspace(0.62, 1.45, 13)[1:]
    rear = np.linspace(1.45, np.pi, 7)[1:]
    return np.concatenate([-rear[::-1], -flank[::-1], centre, flank, rear])


def _skull(shape: FaceShape, rng: np.random.Generator) -> Skull:
    side = _SIDE * shape.width * (1 + 0.02 * rng.normal(size=12))
    side[:6] *= np.linspace(1 + shape.jaw_taper, 1, 6)
    front = _FRONT * (1 + 0.015 * rng.normal(size=12)) * (1 + 0.03 * rng.normal())
    back = _BACK * (1 + 0.03 * rng.normal())
    return Skull(*(PchipInterpolator(_HEIGHTS, profile) for profile in (side, front, back)))


def _relief(shape: FaceShape, look: Look, x: np.ndarray, y: np.ndarray, upper_lip: np.ndarray) -> np.ndarray:
    """Depth added to the smooth skull: nose, sockets, brows, cheeks, lips, chin, beard."""
    side, tip = np.abs(x), shape.nose_tip_y
    profile = PchipInterpolator(
        [tip - 0.16, tip - 0.11, tip - 0.05, tip, tip + 0.1, 0.06, 0.17, 0.32],
        [0, 0.22, 0.82, 1, 0.78, 0.34, 0.16, 0],
        extrapolate=False,
    )
    width = np.interp(
        y,
        [tip - 0.15, tip, 0.0, 0.2],
        [0.125 * shape.nose_width, 0.12 * shape.nose_width, 0.085 * shape.nose_width, 0.08],
    )
    z = shape.nose_height * np.nan_to_num(profile(y)) * bump(x, width)
    z += 0.085 * bump(side - 0.112 * shape.nose_width, 0.05) * bump(y - tip + 0.055, 0.055)
    z -= 0.035 * bump(side - 0.05 * shape.nose_width, 0.03) * bump(y - tip + 0.105, 0.025)
    z -= 0.095 * bump(side - shape.eye_x + 0.01, 0.16) * bump(y - shape.eye_y - 0.01, 0.11)
    z += shape.brow_ridge * bump(side - shape.eye_x + 0.03, 0.24) * bump(y - shape.eye_y - 0.19, 0.08)
    z += shape.cheek * bump(side - 0.43, 0.17) * bump(y + 0.15, 0.15)
    z += shape.chin * bump(x, 0.15) * bump(y + 0.86, 0.10)
    z -= 0.035 * bump(x, 0.2) * bump(y - shape.mouth_y + 0.165, 0.05)
    z += 0.04 * bump(x, 0.3) * bump(y - shape.mouth_y, 0.16)
    over = y - shape.mouth_y
    height = np.where(upper_lip, over / shape.upper_lip, -over / shape.lower_lip)
    lip = (
        shape.fullness
        * lip_width(shape, x)
        * np.maximum(np.sin(np.clip(height, 0, 1.4) * 2.2), 0)
        * np.where(upper_lip, 1, 1.1)
    )
    z += np.where(np.abs(over) < 0.16, lip, 0)
    z -= 0.045 * lip_width(shape, x) * bump(over, 0.012)
    z -= 0.015 * bump(x, 0.03) * bump(over - 0.11, 0.04)
    growth = look.beard_length * 0.06
    z += growth * look.goatee * bump(x, 0.3) * smooth_step(shape.mouth_y - 0.12, shape.mouth_y - 0.3, y)
    z += 0.5 * growth * look.moustache * bump(x, 0.25) * bump(over - 0.13, 0.05)
    return z


def lip_width(shape: FaceShape, x: np.ndarray) -> np.ndarray:
    """1 in the middle of the mouth, 0 at and beyond its corners."""
    return np.clip(1 - (x / (shape.mouth_half * 1.05)) ** 2, 0, 1) ** 0.5


def _blendshapes(
    shape: FaceShape, rest: np.ndarray, x: np.ndarray, y: np.ndarray, band: np.ndarray, front: np.ndarray
) -> np.ndarray:
    """Blendshapes (COUNT, rows, columns, 3) of the expressions; pose and eyes, which are rigid, have zeros."""
    blendshapes = np.zeros((COUNT, *rest.shape), np.float32)
    upper, lower, over = band >= MIDDLE, band == LOWER, y - shape.mouth_y
    opening = np.clip(1 - (x / shape.mouth_half) ** 2, 0, 1) ** 0.6
    near, wide = bump(over, 0.19) * front, bump(x, 0.36)

    descent = smooth_step(shape.mouth_y + 0.16, shape.mouth_y - 0.16, y)
    parting = opening * bump(over, 0.15)
    descent = np.where(upper, descent * (1 - parting), descent + (1 - descent) * parting)
    descent = descent * (1 - 0.75 * smooth_step(0.35, 0.72, np.abs(x))) * front * (y < 0.2)
    jaw = blendshapes[INDEX["jaw"]]
    jaw[..., 1] = -descent * np.maximum(rest[..., 2] + 0.05, 0.3) * 0.36
    jaw[..., 1] += np.where(upper, 0.035 * opening * bump(over, 0.08) * front, 0)  # the upper lip rises a little
    jaw[..., 2] = descent * rest[..., 1] * 0.30
    jaw[..., 0] = -0.07 * x * bump(over, 0.3) * bump(x, 0.5) * front

    pucker = blendshapes[INDEX["pucker"]]
    pucker[..., 0], pucker[..., 2] = -0.46 * x * near * wide, 0.09 * near * bump(x, 0.26)
    pucker[..., 1] = np.where(upper, 0.018, -0.018) * bump(np.abs(over) - 0.05, 0.05) * bump(x, 0.2) * opening * front
    spread = blendshapes[INDEX["spread"]]
    spread[..., 0], spread[..., 2] = 0.34 * x * near * wide, -0.03 * near * wide

    for name, side in (("smile_left", -1), ("smile_right", 1)):
        corner = bump(x - side * shape.mouth_half * 1.02, 0.16) * bump(over, 0.15) * front
        cheek = bump(x - side * 0.4, 0.16) * bump(y + 0.2, 0.15) * front
        lift = np.where(upper, 0.022, 0.0) * bump(over, 0.09) * opening * smooth_step(-0.1, 0.1, side * x) * front
        smile = blendshapes[INDEX[name]]
        smile[..., 0], smile[..., 2] = side * 0.060 * corner, -0.035 * corner + 0.028 * cheek
        smile[..., 1] = (
            0.085 * corner
            + 0.03 * cheek
            + lift
            + 0.012 * bump(x - side * shape.eye_x, 0.16) * bump(y - shape.slit_y + 0.03, 0.06) * (band < UPPER)
        )

    press = blendshapes[INDEX["press"]]
    press[..., 1] = -0.6 * over * bump(over, 0.08) * lip_width(shape, x) * front
    press[..., 2] = -0.03 * bump(over, 0.06) * lip_width(shape, x) * front
    lip = bump(over, 0.10) * front * opening
    blendshapes[INDEX["upper_lip"]][..., 1] = np.where(
        upper, 0.08 * lip + 0.02 * bump(over - 0.15, 0.12) * smooth_step(0.0, 0.06, over) * bump(x, 0.25) * front, 0
    )
    blendshapes[INDEX["lower_lip"]][..., 1] = np.where(lower, -0.085 * lip, 0)

    brow_y = shape.eye_y + 0.2
    for name, side in (("brow_left", -1), ("brow_right", 1)):
        reach = np.where(y > brow_y, bump(y - brow_y, 0.28), bump(y - brow_y, 0.10))
        blendshapes[INDEX[name]][..., 1] = 0.085 * bump(x - side * shape.eye_x, 0.21) * reach * front
    knit = bump(np.abs(x) - 0.16, 0.14) * bump(y - shape.eye_y - 0.17, 0.11) * front
    furrow = blendshapes[INDEX["furrow"]]
    furrow[..., 0], furrow[..., 1] = -np.sign(x) * 0.035 * knit, -0.045 * knit
    return blendshapes


def _lids(
    shape: FaceShape, x: np.ndarray, y: np.ndarray, band: np.ndarray, front: np.ndarray
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Displacement that opens each eye, how far its closed line sinks, and the vertices near the eyeball."""
    lids, shut, around = np.zeros((2, *x.shape, 3), np.float32), np.zeros((2, *x.shape), np.float32), []
    over = y - shape.slit_y
    for eye, side in enumerate((-1, 1)):
        local = (x - side * shape.eye_x) / shape.eye_half
        # The highest point of an upper lid lies towards the nose, the lowest of a lower lid towards the temple.
        almond_up = np.clip(1 - (local + 0.12 * side * (1 - local**2)) ** 2, 0, 1) ** 0.62
        almond_down = np.clip(1 - (local - 0.15 * side * (1 - local**2)) ** 2, 0, 1) ** 0.75
        lids[eye, ..., 1] = (band == UPPER) * shape.lid_up * almond_up * bump(over, 0.085) * front
        lids[eye, ..., 1] -= (band == MIDDLE) * shape.lid_down * almond_down * bump(over, 0.06) * (y > -0.3) * front
        shut[eye] = 0.016 * np.clip(1 - local**2, 0, 1) * bump(over, 0.06) * front
        around.append(np.flatnonzero((np.abs(over) < 0.25) & (np.abs(x - side * shape.eye_x) < 0.3) & (front > 0.05)))
    return lids, shut, around


def _occlusion(shape: FaceShape, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Painted ambient occlusion: inner sockets, under the nose, under the lower lip, the lip line, under the chin."""
    side, over = np.abs(x), y - shape.mouth_y
    shade = 1 - 0.32 * bump(side - 0.19, 0.09) * bump(y - shape.eye_y - 0.05, 0.09)
    shade -= 0.18 * bump(side - shape.eye_x, 0.17) * bump(y - shape.eye_y - 0.09, 0.05)
    shade -= 0.32 * bump(x, 0.12) * bump(y - shape.nose_tip_y + 0.13, 0.04)
    shade -= 0.18 * bump(side - 0.19 * shape.nose_width, 0.05) * bump(y - shape.nose_tip_y + 0.03, 0.09)
    shade -= 0.28 * bump(x, 0.2) * bump(over + shape.lower_lip + 0.065, 0.045)
    shade -= 0.2 * bump(over, 0.012) * lip_width(shape, x)
    return np.clip(shade - 0.4 * smooth_step(-0.85, -1.0, y), 0.2, 1)


def build_head(shape: FaceShape, look: Look) -> HeadMesh:
    """The skin of one person."""
    rng = np.random.default_rng(shape.seed)
    skull, angles = _skull(shape, rng), _columns()
    rows = [
        graded(-1.0, shape.mouth_y, 17, True, True),
        graded(shape.mouth_y, shape.slit_y, 28, True, True),
        graded(shape.slit_y, 1.0, 25, True, True),
    ]
    heights = np.concatenate(rows)
    band = np.repeat(np.arange(3), [len(r) for r in rows])
    y, angle = np.meshgrid(heights, angles, indexing="ij")
    band = np.broadcast_to(band[:, None], y.shape)
    power = 2 / shape.squareness
    depth = np.where(np.cos(angle) > 0, skull.front(heights)[:, None], skull.back(heights)[:, None])
    x = skull.side(heights)[:, None] * signed_power(np.sin(angle), power)
    z = depth * signed_power(np.cos(angle), power)
    front = smooth_step(-0.1, 0.35, np.cos(angle))

    rest = np.stack([x, y, z + _relief(shape, look, x, y, band >= MIDDLE) * front], -1)
    for _ in range(8):
        centre, reach = (
            np.array([rng.uniform(-0.7, 0.7), rng.uniform(-1, 1), rng.uniform(0, 0.8)]),
            rng.uniform(0.28, 0.6),
        )
        rest += (rng.normal(size=3) * 0.025) * np.exp(-((rest - centre) ** 2).sum(-1, keepdims=True) / reach**2)
    rest[..., 1] += (
        shape.mouth_curve * np.clip(x / shape.mouth_half, -1.3, 1.3) ** 2 * bump(y - shape.mouth_y, 0.15) * front
    )
    tilt = np.clip((np.abs(x) - shape.eye_x) / shape.eye_half, -1.5, 1.5)
    rest[..., 1] += shape.eye_slant * tilt * bump(y - shape.slit_y, 0.12) * bump(np.abs(x) - shape.eye_x, 0.3) * front
    rest = rest.astype(np.float32)

    blendshapes = _blendshapes(shape, rest, x, y, band, front)
    lids, shut, around = _lids(shape, x, y, band, front)
    mouth_line, eye_line = (
        np.abs(skull.side(line) * signed_power(np.sin(angles), power)) for line in (shape.mouth_y, shape.slit_y)
    )
    facing = np.cos(angles) > 0
    closed = np.stack(
        [~((mouth_line < shape.mouth_half) & facing), ~((np.abs(eye_line - shape.eye_x) < shape.eye_half) & facing)]
    ).astype(np.float32)
    canonical = np.stack([x, y, angle, band], -1).reshape(-1, 4).astype(np.float32)
    head = HeadMesh(
        shape,
        skull,
        [(len(r), len(angles)) for r in rows],
        rest.reshape(-1, 3),
        blendshapes.reshape(COUNT, -1, 3),
        lids.reshape(2, -1, 3),
        shut.reshape(2, -1),
        around,
        canonical,
        _occlusion(shape, x, y).ravel().astype(np.float32),
        closed,
        np.zeros((2, 3), np.float32),
    )
    for eye, side in enumerate((-1, 1)):
        surface = head.rest[head.nearest(side * shape.eye_x, shape.eye_y, UPPER)]
        head.eyes[eye] = surface - np.array([0, 0, shape.eye_radius - 0.035])
    return head
