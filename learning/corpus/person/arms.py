"""Arms for gestures: inverse kinematics of shoulder, elbow, wrist and fingers, and the meshes of skin and sleeves.

Both arms are posed as an anatomical left one, x away from the body; the other is its mirror image. A gesture is a
vector of GESTURE numbers, four of the body and then twelve of either hand, the image's left one first (`BODY`, `HAND`).
"""

from dataclasses import dataclass

import numpy as np

from ....vocabulary import HAND
from .geometry import grid_normals, grid_triangles, rotation, smooth_step, unit
from .hands import BONES, FOREARM, bone_transforms, hand_skin
from .identity import Clothes, Look
from .parts import SLEEVE

BODY: tuple[str, ...] = ("lift_left", "lift_right", "lean", "turn")
"""Shoulders raised (units of `geometry`), body tilted like the head's roll and turned like its yaw (radians)."""
HAND_STATE: tuple[str, ...] = (
    "wrist_x", "wrist_y", "wrist_z",  # outwards from the middle of the body, up, towards the camera
    "twist",  # radians; 0 the palm faces the other hand, positive turns it down or to the camera, negative up
    "flex", "aside",  # radians of the wrist, to the palm and to the thumb
    "thumb", "index", "middle", "ring", "little",  # 0 stretched .. 1 fist
    "spread",  # 0 fingers side by side .. 1 fanned
)  # fmt: skip
GESTURE: int = len(BODY) + 2 * len(HAND_STATE)
IN_LAP = np.array([0.9, -4.4, 1.2, 0.3, 0.1, 0, 0.3, 0.3, 0.35, 0.4, 0.45, 0.3])
"""The state of a hand at rest, below the edge of every picture."""
AT_REST = np.concatenate([np.zeros(len(BODY)), IN_LAP, IN_LAP])
"""The gesture of a person who is silent."""

_UPPER_ARM, _FOREARM = 2.45, 2.2  # lengths
_POLE = np.array([0.6, -1.0, -0.2])  # pole vector of the two-bone inverse kinematics: where elbows point
_HIPS = np.array([0.0, -3.6, -0.25], np.float32)  # the point about which the body tilts
_ROWS, _SIDES = 34, 20  # of a sleeve
_SLEEVE = 4.65  # its length in the units of its cloth, the elbow halfway


@dataclass(frozen=True)
class ArmShape:
    """length: of the hand; sleeve: share of the forearm under cloth; nail: linear-light RGB; torso: its length below
    its middle, which a wider view needs; hand: the state of a hand that keeps its shape, after `wrist_z`."""

    length: float
    sleeve: float
    nail: tuple[float, float, float]
    torso: float = 0.9
    hand: tuple[float, ...] = ()


def random_arms(rng: np.random.Generator, look: Look) -> ArmShape:
    """Arms for a person: mostly long sleeves, some pushed up; varnished nails with some made-up faces."""
    sleeve = rng.uniform(0.80, 0.90) if rng.random() < 0.75 else rng.uniform(0.38, 0.6)
    nail = np.array(look.skin) * (0.95, 0.80, 0.80) + (0.08, 0.06, 0.06)
    if look.make_up > 0.3 and rng.random() < 0.6:
        nail = np.array([rng.uniform(0.1, 0.6), rng.uniform(0.01, 0.15), rng.uniform(0.02, 0.2)])
    return ArmShape(float(rng.uniform(1.10, 1.28)), float(sleeve), tuple(np.clip(nail, 0, 0.8)))


def move_body(points: np.ndarray, body: np.ndarray) -> np.ndarray:
    """Rest points (n, 3) of neck and torso with shoulders lifted and the body tilted and turned: `body` (4,)."""
    left, right, lean, turn = body
    x = points[:, 0]
    points = points.copy()
    points[:, 1] += left * smooth_step(-0.15, -1.0, x) + right * smooth_step(0.15, 1.0, x)
    return (points - _HIPS) @ rotation(turn, 0, lean).T + _HIPS


class Arms:
    """All vertices of both arms: triangles by shader, canonical (n, 4), occlusion (n,)."""

    def __init__(self, shape: ArmShape, clothes: Clothes):
        self.shape, self.skin = shape, hand_skin()
        joint = np.array([[side * (clothes.shoulder_width - 0.32), clothes.shoulder_height - 1.98, -0.25]
                          for side in (-1, 1)])  # fmt: skip
        self.shoulders = (joint @ rotation(clothes.turn, 0, 0).T).astype(np.float32)
        skin, sleeve = len(self.skin.rest), _ROWS * _SIDES
        self.count, self._one = 2 * (skin + sleeve), skin + sleeve
        grid = grid_triangles(_ROWS, _SIDES, skin)
        self.triangles = {
            HAND: np.concatenate([self.skin.triangles[:, ::-1], self.skin.triangles + self._one]),
            SLEEVE: np.concatenate([grid[:, ::-1], grid + self._one]),
        }
        around, along = np.meshgrid(np.linspace(-1, 1, _SIDES), np.linspace(0, _SLEEVE, _ROWS))
        cloth = np.stack([around, along, 0 * along, 0 * along], -1).reshape(-1, 4)
        self.canonical = np.tile(np.concatenate([self.skin.canonical, cloth]), (2, 1)).astype(np.float32)
        cuts = self.skin.rest[:, 1] < 0, cloth[:, 1] < _SLEEVE / 2
        bone = np.concatenate([np.where(cuts[0], 2, 3), np.where(cuts[1], 1, 2)])
        self.bone = np.concatenate([bone, -bone]).astype(np.float32)  # 1 upper arm, 2 forearm, 3 hand; right negative
        self.occlusion = np.tile(np.concatenate([self.skin.occlusion, np.ones(sleeve)]), 2).astype(np.float32)

    def pose(self, shift: np.ndarray, gesture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Positions and normals (n, 3) for a gesture (GESTURE,), shoulders moved by `shift` (3,)."""
        body, hands = gesture[: len(BODY)], gesture[len(BODY) :].reshape(2, -1)
        shoulders = move_body(self.shoulders, body) + shift
        position, normal = np.empty((2, self._one, 3), np.float32), np.empty((2, self._one, 3), np.float32)
        for side in range(2):
            mirror = np.array([-1.0 if side == 0 else 1.0, 1, 1], np.float32)
            position[side], normal[side] = self._pose_one(shoulders[side] * mirror, hands[side])
            position[side] *= mirror
            normal[side] *= mirror
        return position.reshape(-1, 3), normal.reshape(-1, 3)

    def points(self, shift: np.ndarray, gesture: np.ndarray) -> np.ndarray:
        """`vocabulary.ARM_LANDMARKS` (8, 3) for a gesture, as `pose`."""
        body, hands = gesture[: len(BODY)], gesture[len(BODY) :].reshape(2, -1)
        shoulders, found = move_body(self.shoulders, body) + shift, []
        for side in range(2):
            mirror = np.array([-1.0 if side == 0 else 1.0, 1, 1], np.float32)
            shoulder, hand = shoulders[side] * mirror, hands[side]
            elbow, wrist = solve_elbow(shoulder, hand[:3])
            palm = _forearm_frame(unit(wrist - elbow), hand[3]) @ rotation(0, -hand[4], -hand[5])
            tip = wrist + palm @ (0, 0.85 * self.shape.length, 0)
            found += [point * mirror for point in (shoulder, (elbow + wrist) / 2, wrist, tip)]
        return np.array(found, np.float32)

    def _pose_one(self, shoulder: np.ndarray, hand: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        elbow, wrist = solve_elbow(shoulder, hand[:3])
        forearm = _forearm_frame(unit(wrist - elbow), hand[3])
        palm = forearm @ rotation(0, -hand[4], -hand[5])
        bones = bone_transforms(hand[6:11], hand[11])
        bones = np.concatenate([palm @ bones[:, :, :3], (palm @ bones[:, :, 3:])], 2)
        bones[FOREARM] = np.concatenate([forearm, np.zeros((3, 1))], 1)
        blend = (self.skin.weights @ bones.reshape(BONES, 12).astype(np.float32)).reshape(-1, 3, 4)
        skin = np.einsum("nij,nj->ni", blend[:, :, :3], self.skin.rest) + blend[:, :, 3]
        normal = unit(np.einsum("nij,nj->ni", blend[:, :, :3], self.skin.normal))
        cloth = self._sleeve(shoulder, elbow, wrist)
        folds = grid_normals(cloth).reshape(-1, 3)
        return (
            np.concatenate([skin * self.shape.length + wrist, cloth.reshape(-1, 3)]),
            np.concatenate([normal, folds]),
        )

    def _sleeve(self, shoulder: np.ndarray, elbow: np.ndarray, wrist: np.ndarray) -> np.ndarray:
        """A tube (rows, sides, 3) from the shoulder over a rounded elbow to the cuff, with folds."""
        cuff = elbow + (wrist - elbow) * self.shape.sleeve
        into, out = elbow + 0.28 * unit(shoulder - elbow), elbow + 0.28 * unit(cuff - elbow)
        t = np.linspace(0, 1, _ROWS)[:, None]
        upper, turn, lower = np.clip(t / 0.42, 0, 1), np.clip((t - 0.42) / 0.16, 0, 1), np.clip((t - 0.58) / 0.42, 0, 1)
        top = shoulder + 0.3 * unit(shoulder - elbow)  # the rounded cap of the shoulder
        curve = top + (into - top) * upper
        curve += (1 - turn) ** 2 * into + 2 * turn * (1 - turn) * elbow + turn**2 * out - into
        curve += (cuff - out) * lower
        tangent = unit(np.gradient(curve, axis=0))
        first = unit(np.cross(tangent, np.cross(shoulder - elbow, wrist - elbow)))
        second = np.cross(tangent, first)
        hem = 0.30 - 0.115 * self.shape.sleeve
        girth = [0.03, 0.28, 0.40, 0.35, 0.33, 0.31, hem, hem + 0.01]
        radius = np.interp(t[:, 0], [0, 0.03, 0.1, 0.42, 0.5, 0.6, 0.93, 1], girth)
        around = np.linspace(-np.pi, np.pi, _SIDES)[None, :]
        crease = np.sin(38 * t + 2.0 * np.sin(around)) * (0.006 + 0.016 * np.exp(-(((t - 0.5) / 0.13) ** 2)))
        radius = (radius[:, None] + crease)[..., None]
        cosine, sine = np.cos(around)[..., None], np.sin(around)[..., None]
        return curve[:, None] + radius * (cosine * first[:, None] + sine * second[:, None])


def solve_elbow(shoulder: np.ndarray, wrist: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two-bone inverse kinematics: the elbow (3,), and the wrist or the nearest point to it within reach (3,)."""
    offset = wrist - shoulder
    far = np.clip(np.linalg.norm(offset), 0.6, 0.985 * (_UPPER_ARM + _FOREARM))
    towards = unit(offset)
    along = (_UPPER_ARM**2 - _FOREARM**2 + far**2) / (2 * far)
    outwards = unit(_POLE - (_POLE @ towards) * towards)
    return shoulder + along * towards + np.sqrt(max(_UPPER_ARM**2 - along**2, 0.0)) * outwards, shoulder + far * towards


def _forearm_frame(along: np.ndarray, twist: float) -> np.ndarray:
    """Columns (3, 3): to the thumb, along the forearm, out of the back of the hand."""
    outwards = np.array([1.0, 0, 0])
    back = unit(outwards - (outwards @ along) * along)
    side = np.cross(along, back)
    back = np.cos(twist) * back + np.sin(twist) * side
    return np.stack([np.cross(along, back), along, back], 1)
