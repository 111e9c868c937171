"""Meshes of a person besides the skin of the head: eyes, mouth interior, ears, neck, shoulders, glasses.

Each part is a grid of vertices with canonical coordinates for its shader, a shader id, and a `mount`: what it follows.
"""

from dataclasses import dataclass

import numpy as np

from ....vocabulary import BACKGROUND, CAVITY, EAR, EYE, GLASS, HAIR, NECK, SKIN, TEETH, TONGUE, TORSO
from .geometry import rotation, signed_power, smooth_step, sphere_grid, tube
from .head import LOWER, MIDDLE, HeadMesh
from .identity import Clothes, Glasses, Identity

LENS, LIP, UPPER_SKIN, HAT, INSIDE = range(11, 16)
SLEEVE = 17
LABEL_OF = {LENS: BACKGROUND, LIP: SKIN, UPPER_SKIN: SKIN, HAT: HAIR, INSIDE: CAVITY, SLEEVE: TORSO}
"""Shader ids beside the part numbers of vocabulary.py, and the part that each is labelled as. Lenses keep the label
behind them; INSIDE is the back of the skin, which closes mouth and eye sockets at the sides."""


@dataclass
class Part:
    """A grid (rows, columns, 3) with canonical (rows, columns, 4).

    mount: head, jaw, tongue, cavity, eye0, eye1, hair, neck, torso, lip0 or lip1;
    keep: which of the grid's triangles are drawn (None: all).
    """

    grid: np.ndarray
    canonical: np.ndarray
    shader: int
    mount: str
    occlusion: np.ndarray | float = 1.0
    keep: np.ndarray | None = None


def _canonical(*channels: np.ndarray) -> np.ndarray:
    channels = np.broadcast_arrays(*channels)
    blank = [np.zeros_like(channels[0])] * (4 - len(channels))
    return np.stack([*channels, *blank], -1).astype(np.float32)


def eyeball(head: HeadMesh, eye: int) -> Part:
    """The front of an eyeball around its own centre; canonical: angle from the pupil, direction x, y, eye."""
    polar = np.concatenate([np.linspace(0.0, 0.62, 10), np.linspace(0.62, 1.75, 9)[1:]])[::-1, None]
    around = np.linspace(np.pi, -np.pi, 25)[None]
    direction_x, direction_y = np.sin(polar) * np.sin(around), np.sin(polar) * np.cos(around)
    bulge = 1 + 0.03 * np.clip(1 - polar / 0.45, 0, 1)
    grid = (
        np.stack([direction_x, direction_y, np.cos(polar) + 0 * around], -1)
        * (head.shape.eye_radius * bulge)[..., None]
    )
    return Part(grid, _canonical(polar, direction_x, direction_y, float(eye)), EYE, f"eye{eye}")


def socket(head: HeadMesh, eye: int) -> Part:
    """Tissue behind the inner corner of an eye: without it a turned head shows a gap beside the eyeball."""
    side = -1 if eye == 0 else 1
    ball = sphere_grid(9, 13)[:, 3:10]
    grid = ball * np.array([0.20, 0.14, 0.125]) + head.eyes[eye] - np.array([side * 0.05, 0, 0])
    return Part(
        grid, _canonical(np.full(grid.shape[:2], 1.2), ball[..., 0], ball[..., 1], float(eye)), EYE, "head", 0.5
    )


def mouth_interior(identity: Identity, head: HeadMesh) -> list[Part]:
    """Both rows of teeth, tongue, oral cavity, inner lips; canonical of teeth: arc length, height, 1 for lower ones."""
    shape = identity.shape
    lip_z, mouth_y, half = head.rest[head.nearest(0, shape.mouth_y, LOWER), 2], shape.mouth_y, shape.mouth_half
    bend, height = np.linspace(-1.2, 1.2, 27)[None], np.linspace(0, 1, 6)[:, None]

    def arch(bottom: float, top: float, width: float, z: float) -> tuple[np.ndarray, np.ndarray]:
        y = bottom + (top - bottom) * height
        grid = np.stack(
            [
                width * np.sin(bend) + 0 * height,
                y + 0 * bend,
                z - 0.24 * (1 - np.cos(bend)) + 0.02 * (height if bottom < top else -height),
            ],
            -1,
        )
        return grid, y

    upper, upper_y = arch(mouth_y - shape.teeth_drop, mouth_y + 0.15, half * 0.98, lip_z - 0.065)
    lower, lower_y = arch(mouth_y - 0.17, mouth_y + shape.lower_teeth, half * 0.88, lip_z - 0.095)
    parts = [
        Part(upper, _canonical(upper[..., 0] * 1.06, upper_y - (mouth_y - shape.teeth_drop), 0.0), TEETH, "head"),
        Part(lower, _canonical(lower[..., 0] * 1.06, mouth_y + shape.lower_teeth - lower_y, 1.0), TEETH, "jaw"),
    ]
    ball = sphere_grid(10, 17)
    tongue = ball * np.array([0.15, 0.045, 0.23]) + np.array([0, mouth_y - 0.105, lip_z - 0.37])
    parts.append(Part(tongue, _canonical(ball[..., 0], ball[..., 1], ball[..., 2]), TONGUE, "tongue"))
    x, y = np.meshgrid(np.linspace(-0.31, 0.31, 9), np.linspace(-0.21, 0.25, 7))
    back = np.stack([x, y + mouth_y, lip_z - 0.38 - 0.9 * x**2 - 0.8 * y**2], -1)
    parts.append(Part(back, _canonical(x, y), CAVITY, "cavity"))
    for side, band in ((0, MIDDLE), (1, LOWER)):
        columns = np.count_nonzero(head.closed[0] == 0) + 2
        depth = np.broadcast_to(np.linspace(0, 1, 4)[:, None], (4, columns))
        parts.append(
            Part(np.zeros((4, columns, 3)), _canonical(depth, float(band)), LIP, f"lip{side}", 1 - 0.62 * depth)
        )
    return parts


def ears(identity: Identity, head: HeadMesh) -> list[Part]:
    """Two flattened shells; canonical: position on the unit sphere, side."""
    size, height, angle = identity.ears
    parts = []
    for side in (-1, 1):
        ball = sphere_grid(12, 17)
        wobble = 1 + 0.12 * np.sin(3 * np.arctan2(ball[..., 1:2], ball[..., 2:3]) + 0.4)
        shell = ball * np.array([0.05, 0.20, 0.12]) * wobble * (1 + size)
        shell = shell @ rotation(-side * angle, -0.15, 0).T
        position = np.array([side * (float(head.skull.side(-0.05)) + 0.02), -0.06 + height, -0.06])
        parts.append(
            Part(shell + position, _canonical(ball[..., 0], ball[..., 1], ball[..., 2], float(side)), EAR, "head")
        )
    return parts


def neck_and_torso(clothes: Clothes, length: float = 0.9) -> list[Part]:
    """A flaring neck column and sloped shoulders; canonical: neck angle, y; torso position x, y, facing.

    length: of the torso below its middle; a longer one is narrower at the waist."""
    y, angle = np.linspace(-2.0, -0.6, 18)[:, None], np.linspace(-np.pi, np.pi, 61)[None]
    flare = 1 + 0.75 * smooth_step(-1.15, -1.9, y)
    depth = 1 - 0.32 * smooth_step(-1.05, -0.7, y)
    neck = np.stack(
        [
            clothes.neck_half * flare * np.sin(angle),
            y + 0 * angle,
            clothes.neck_half * depth * np.cos(angle) - 0.12 - 0.20 * smooth_step(-1.1, -0.7, y),
        ],
        -1,
    )
    shadow = np.broadcast_to(0.42 + 0.58 * smooth_step(-0.98, -1.4, y), neck.shape[:2])
    ball = sphere_grid(22, 41)
    body = signed_power(ball, 0.85) * np.array([clothes.shoulder_width, 0.9, 0.62])
    if length > 0.9:
        body = _down_to_the_hips(body, ball, length)
    slope = 0.26 * np.clip(np.abs(body[..., 0]) / clothes.shoulder_width, 0, 1) ** 1.5
    body = body + np.stack([0 * slope, clothes.shoulder_height - 2.18 - slope, -0.25 + 0 * slope], -1)
    body = body @ rotation(clothes.turn, 0, 0).T
    return [
        Part(neck, _canonical(angle * 0.37, y, angle), NECK, "neck", shadow),
        Part(body, _canonical(body[..., 0], body[..., 1], ball[..., 2]), TORSO, "torso"),
    ]


def _down_to_the_hips(body: np.ndarray, ball: np.ndarray, length: float) -> np.ndarray:
    """A torso (rows, columns, 3) whose lower half is a tube of this length that is narrower at the waist."""
    polar = np.arccos(ball[..., 1])
    down = np.clip(polar / (np.pi / 2) - 1, 0, 1)
    girth = np.where(down > 0, (1 - 0.16 * smooth_step(0, 0.6, down)) / np.sin(polar) ** 0.85, 1)
    body = body * np.stack([girth, np.ones_like(girth), girth], -1)
    body[..., 1] = np.where(down > 0, -length * down, body[..., 1])
    return body


def _in_front_of_face(head: HeadMesh, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Depths (n,) of a curve, all moved forwards alike until it lies in front of the face."""
    skin = np.array([head.rest[head.nearest(*point), 2] for point in zip(x, y, strict=True)])
    return z + max(0.0, float((skin + 0.025 - z).max()))


def glasses(frame: Glasses, head: HeadMesh) -> list[Part]:
    """Rims, bridge, temples and two lenses; lens canonical: position in the lens."""
    shape, around = head.shape, np.linspace(-np.pi, np.pi, 37)
    z, y, half = head.eyes[0][2] + shape.eye_radius + 0.075, shape.eye_y - 0.02, frame.half_width
    cosine, sine = signed_power(np.cos(around), frame.squareness), signed_power(np.sin(around), frame.squareness)
    parts = []

    def wire(curve: np.ndarray) -> None:
        grid = tube(curve, frame.rim)
        parts.append(Part(grid, np.zeros((*grid.shape[:2], 4), np.float32), GLASS, "head"))

    for side in (-1, 1):
        ring_x, ring_y = side * (shape.eye_x + 0.01) + half * cosine, y + frame.half_height * sine
        ring_z = z - 0.12 * np.clip(np.cos(around) * side, 0, 1) ** 2
        ring = np.stack([ring_x, ring_y, _in_front_of_face(head, ring_x, ring_y, ring_z)], -1)
        wire(ring)
        t = np.linspace(0, 1, 12)
        hinge = shape.eye_x + 0.01 + half
        temple_x = side * (hinge + (float(head.skull.side(0.0)) + 0.03 - hinge) * t**0.4)
        wire(np.stack([temple_x, y + 0.05 + 0 * t, z - 0.12 - t * (z + 0.1)], -1))
        radius = np.linspace(0.02, 1, 6)[:, None, None]
        centre = ring.mean(0)
        lens = centre + (ring[::-1][None] - centre) * radius
        parts.append(
            Part(
                lens,
                _canonical((lens[..., 0] - centre[0]) / half, (lens[..., 1] - centre[1]) / frame.half_height),
                LENS,
                "head",
            )
        )
    t = np.linspace(-1, 1, 9)
    wire(np.stack([(shape.eye_x - half + 0.012) * t, y + 0.035 - 0.02 * t**2, z + 0.02 + 0 * t], -1))
    return parts
