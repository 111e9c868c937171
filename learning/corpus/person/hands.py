"""A hand with its forearm: a mesh extracted from a signed distance field at rest, posed by linear blend skinning.

Lengths are in hand lengths (wrist to tip of the middle finger), the wrist is the origin; axes of an anatomical left
hand: x to the thumb, y to the fingertips, z out of its back. Proportions are those of adult hands (palm half as long as
the hand, two fifths as wide as long).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .geometry import smooth_step, unit
from .implicit import surface_nets

FOREARM, PALM = 0, 1
FINGERS = ("thumb", "index", "middle", "ring", "little")
BONES = 2 + 3 * len(FINGERS)  # forearm, palm, then three phalanges a finger (the thumb's first is its metacarpal)
FOREARM_LENGTH = 1.15  # how far the skin reaches up the arm

_KNUCKLES = ((0.085, 0.10, -0.035), (0.153, 0.470, 0.0), (0.043, 0.492, 0.008), (-0.066, 0.468, 0.003),
             (-0.165, 0.415, -0.012))  # fmt: skip
_LENGTHS = ((0.225, 0.165, 0.125), (0.230, 0.132, 0.095), (0.250, 0.150, 0.100), (0.232, 0.142, 0.098),
            (0.180, 0.102, 0.085))  # fmt: skip
_RADII = ((0.078, 0.060, 0.058, 0.045), (0.052, 0.048, 0.042, 0.035), (0.053, 0.049, 0.043, 0.036),
          (0.050, 0.046, 0.040, 0.034), (0.044, 0.039, 0.034, 0.029))  # fmt: skip
_FAN = np.radians([0.0, -13.0, -2.0, 9.0, 22.0])  # angle of each straight, spread finger about z
_THUMB = (0.66, 0.68, -0.34)  # direction of the straight thumb
_BEND = np.radians([[26, 40, 55], [75, 95, 60], [78, 98, 62], [78, 98, 62], [80, 95, 62]])  # of a full fist
_BLEND, _FLESH, _WRIST = 0.014, 0.018, 0.03  # radii of the fillets: between bones, within one, at the wrist
_SOFT = 0.012  # width over which the skinning weights pass from one bone to the next
_STEP = 0.026  # of the grid on which the signed distance is sampled


@dataclass(frozen=True)
class HandSkin:
    """Rest vertices and normals (n, 3), triangles (m, 3), skinning weights (n, BONES), ambient occlusion (n,).

    canonical (n, 4): x, y at rest, palm side 0..1, nail 0..1 (negative: redness of knuckles and fingertips).
    """

    rest: np.ndarray
    normal: np.ndarray
    triangles: np.ndarray
    weights: np.ndarray
    occlusion: np.ndarray
    canonical: np.ndarray


def _rotation_about(axis: np.ndarray, angle: float) -> np.ndarray:
    """Rotation (3, 3) about a unit axis (Rodrigues)."""
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)


def _directions() -> tuple[np.ndarray, np.ndarray]:
    """Direction of each straight finger, and the axis about which it curls into the palm: (5, 3) each."""
    point = np.stack([-np.sin(_FAN), np.cos(_FAN), 0 * _FAN], 1)
    point[0] = unit(np.array(_THUMB))
    inwards = np.array([[-0.75, 0.25, -0.6]] + 4 * [[0.0, 0.0, -1.0]])
    return point, unit(np.cross(point, inwards))


def _joints() -> np.ndarray:
    """Joints of the straight fingers from knuckle to tip (5, 4, 3)."""
    along = np.concatenate([np.zeros((5, 1)), np.cumsum(_LENGTHS, 1)], 1)
    return np.array(_KNUCKLES)[:, None] + along[..., None] * _directions()[0][:, None]


def bone_transforms(curls: np.ndarray, spread: float) -> np.ndarray:
    """Rigid transform (BONES, 3, 4) of each bone from rest, in the palm's frame; the forearm's is the identity.

    curls (5,), thumb first: 0 straight .. 1 fist; spread: 0 fingers side by side .. 1 fanned.
    """
    joints, (_, axes) = _joints(), _directions()
    motion = np.zeros((BONES, 3, 4))
    motion[:, :, :3] = np.eye(3)
    for finger in range(5):
        turn, shift = np.eye(3), np.zeros(3)
        close = -(1 - spread) * 0.8 * _FAN[finger]
        for bone in range(3):
            own = _rotation_about(axes[finger], curls[finger] * _BEND[finger, bone])
            if bone == 0:
                own = _rotation_about(np.array([0.0, 0.0, 1.0]), close) @ own
            joint = joints[finger, bone]
            shift = shift + turn @ (joint - own @ joint)
            turn = turn @ own
            motion[2 + 3 * finger + bone, :, :3], motion[2 + 3 * finger + bone, :, 3] = turn, shift
    return motion


def _primitives() -> list[tuple[int, np.ndarray, np.ndarray, float, float]]:
    """Tapered capsules that make up the hand: bone, both ends, both radii."""
    joints, pieces = _joints(), []
    for finger in range(5):
        for bone in range(3):
            ends = joints[finger, bone], joints[finger, bone + 1]
            if bone == 2:
                ends = ends[0], ends[1] - (ends[1] - ends[0]) * (_RADII[finger][3] / _LENGTHS[finger][2])
            pieces.append((2 + 3 * finger + bone, *ends, *_RADII[finger][bone : bone + 2]))
    for finger, carpal in enumerate(((0.060, 0.02), (0.020, 0.01), (-0.025, 0.01), (-0.065, 0.02)), 1):
        pieces.append((PALM, np.array([*carpal, -0.01]), joints[finger, 0], 0.054, _RADII[finger][0] + 0.002))
    for start, stop, first, last in (
        ((0.062, 0.12, -0.04), (0.13, 0.30, -0.045), 0.060, 0.052),  # ball of the thumb
        ((0.09, 0.22, -0.02), (0.14, 0.40, -0.012), 0.045, 0.045),  # web between thumb and index
        ((-0.075, 0.13, -0.03), (-0.142, 0.33, -0.03), 0.052, 0.052),  # ball of the little finger
        ((0.0, 0.10, -0.03), (-0.01, 0.40, -0.02), 0.060, 0.055),  # the hollow between them
    ):
        pieces.append((PALM, np.array(start), np.array(stop), first, last))
    for shift in (-0.042, 0.042):  # two strands make the flat section of wrist and forearm
        pieces.append((FOREARM, np.array([shift, 0.04, -0.008]), np.array([shift, -0.30, -0.008]), 0.066, 0.084))
        ends = np.array([shift, -0.30, -0.008]), np.array([0.9 * shift, 0.14 - FOREARM_LENGTH, -0.008])
        pieces.append((FOREARM, *ends, 0.084, 0.120))
    return pieces


def _distances(points: np.ndarray) -> np.ndarray:
    """Signed distance (n, BONES) of points (n, 3) to the capsules of each bone, joined smoothly."""
    nearest = np.full((BONES, len(points)), np.inf)
    for bone, start, stop, first, last in _primitives():
        along = np.clip((points - start) @ (stop - start) / ((stop - start) ** 2).sum(), 0, 1)
        away = np.linalg.norm(points - start - along[:, None] * (stop - start), axis=1)
        distance = away - (first + (last - first) * along)
        nearest[bone] = -_FLESH * np.logaddexp(-nearest[bone] / _FLESH, -distance / _FLESH)
    return nearest.T


def _skin_distance(points: np.ndarray) -> np.ndarray:
    """Signed distance (n,) to the skin: the smooth union over all bones."""
    bones = _distances(points)
    bones[:, PALM] = -_WRIST * np.logaddexp(-bones[:, PALM] / _WRIST, -bones[:, FOREARM] / _WRIST)
    return -_BLEND * np.log(np.exp(-bones[:, PALM:] / _BLEND).sum(1) + 1e-300)


def _gradient(points: np.ndarray) -> np.ndarray:
    steps = 2e-3 * np.eye(3)
    return np.stack([_skin_distance(points + s) - _skin_distance(points - s) for s in steps], 1) / 4e-3


@lru_cache(maxsize=1)
def hand_skin() -> HandSkin:
    """The mesh of an average hand, the same for everyone but for its scale."""
    low, high = np.array([-0.36, -FOREARM_LENGTH - 0.1, -0.34]), np.array([0.50, 1.14, 0.20])
    axes = [np.arange(a, b, _STEP) for a, b in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
    vertices, triangles = surface_nets(_skin_distance(grid.reshape(-1, 3)).reshape(grid.shape[:3]))
    vertices = vertices * _STEP + low
    for _ in range(2):  # Newton steps from the cells' middles onto the surface
        vertices -= _skin_distance(vertices)[:, None] * unit(_gradient(vertices))
    normal = unit(_gradient(vertices))
    weights = np.exp(-(_distances(vertices) - _distances(vertices).min(1, keepdims=True)) / _SOFT)
    weights /= weights.sum(1, keepdims=True)
    wrist = smooth_step(-0.14, 0.10, vertices[:, 1])  # the wrist bends over a longer way than a finger's joint
    arm = weights[:, FOREARM] + weights[:, PALM]
    weights[:, FOREARM], weights[:, PALM] = arm * (1 - wrist), arm * wrist
    open_air = _skin_distance(vertices + 0.07 * normal) / 0.07
    return HandSkin(
        vertices.astype(np.float32), normal.astype(np.float32), triangles.astype(np.int32),
        weights.astype(np.float32), np.clip(0.45 + 0.55 * open_air, 0.4, 1).astype(np.float32),
        _canonical_coordinates(vertices, normal),
    )  # fmt: skip


def _canonical_coordinates(vertices: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """The canonical coordinates (n, 4) of the skin."""
    joints, (point, axes) = _joints(), _directions()
    palm = smooth_step(0.35, -0.35, normal[:, 2])
    mark = np.zeros(len(vertices))
    for finger in range(5):
        back = np.cross(axes[finger], point[finger])  # out of the nail
        if finger:
            back = np.array([0.0, 0.0, 1.0])
        tip, radius = joints[finger, 3], _RADII[finger][3]
        offset = vertices - tip
        along, across, up = offset @ point[finger], offset @ np.cross(point[finger], back), normal @ back
        knuckles = np.linalg.norm(vertices[:, None] - joints[finger, :3], axis=2).min(1) / _RADII[finger][1]
        blood = np.exp(-((along / 0.1) ** 2)) * (np.linalg.norm(offset, axis=1) < 0.25)
        mark = np.minimum(mark, -np.maximum(0.7 * blood, 0.8 * smooth_step(1.6, 0.9, knuckles)))
        oval = ((along + 1.15 * radius) / (1.25 * radius)) ** 2 + (across / (0.82 * radius)) ** 2
        nail = smooth_step(1.5, 0.5, oval) * (up > 0.2)
        mark = np.where(nail > 0, nail, mark)
    return np.stack([vertices[:, 0], vertices[:, 1], palm, mark], 1).astype(np.float32)
