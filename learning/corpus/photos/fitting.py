"""The rig fitted to a face mesh of a photo: shape, expression, pose and camera by regularised least squares."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ....vocabulary import COUNT, INDEX
from ..drawing.scene import Camera
from ..person.geometry import rotation
from ..person.head import HeadMesh, build_head
from ..person.identity import Identity, random_identity
from ..person.rig import PIVOT, move_skin
from .mesh_places import PUPILS, MeshPlaces

# What is fitted: mean and standard deviation before the face is seen; of shapes as the corpus draws them.
SHAPE: dict[str, tuple[float, float]] = {
    "mouth_y": (-0.555, 0.03), "mouth_half": (0.245, 0.022), "eye_x": (0.28, 0.018), "eye_y": (0.04, 0.028),
    "eye_half": (0.142, 0.012), "lid_up": (0.081, 0.013), "lid_down": (0.02, 0.006), "eye_slant": (0.006, 0.022),
    "nose_height": (0.24, 0.045), "nose_width": (1.02, 0.17), "nose_tip_y": (-0.255, 0.03),
    "upper_lip": (0.062, 0.019), "lower_lip": (0.08, 0.021), "mouth_curve": (0.0, 0.018), "width": (0.94, 0.06),
    "jaw_taper": (0.0, 0.12), "chin": (0.06, 0.03),
}  # fmt: skip
MOTION: dict[str, float] = {
    "jaw": 0.12, "pucker": 0.12, "spread": 0.15, "smile_left": 0.35, "smile_right": 0.35, "press": 0.1,
    "upper_lip": 0.25, "lower_lip": 0.2, "blink_left": 0.12, "blink_right": 0.12, "gaze_x": 0.12, "gaze_y": 0.08,
    "yaw": 0.2, "pitch": 0.12, "roll": 0.1,
}  # fmt: skip
"""Standard deviation of each parameter; brows stay at rest, since faces differ in how high theirs are."""
_ONE_SIDED = ("jaw", "pucker", "spread", "press", "upper_lip", "lower_lip")
_CAMERA = (np.log(1.5), 0.3), (0.0, 0.5), (-0.14, 0.5)  # logarithm of half the view's height, its centre
_MEAN = np.array([mean for mean, _ in SHAPE.values()] + [0.0] * len(MOTION) + [mean for mean, _ in _CAMERA])
_DEVIATION = np.array([d for _, d in SHAPE.values()] + list(MOTION.values()) + [d for _, d in _CAMERA])
_LOW = np.array([m - 3 * d for m, d in SHAPE.values()] + [0.0 if n in _ONE_SIDED else -1 for n in MOTION] + [-9.0] * 3)
_HIGH = np.array([m + 3 * d for m, d in SHAPE.values()] + [1.0] * len(MOTION) + [9.0] * 3)
DISTANCE = 7.0  # of the camera: portraits are taken from about that far
ERROR = 0.012  # of a point, in halves of the picture
STEPS = 6
_SHAPES_AT = (0, 2)  # steps in which the shape's derivatives are taken anew, which costs most
LINE_WEIGHT = 2.0  # of points of lips and lids; of others .5


@dataclass(frozen=True)
class Fitted:
    """Who is in a photo, the motion (24,) that the photo shows, and its camera."""

    identity: Identity
    parameters: np.ndarray
    camera: Camera


def plain_person() -> Identity:
    """A person of mean shape without hair, beard and anything worn: all of that is in the photo."""
    person = random_identity(np.random.default_rng(3))
    shape = replace(
        person.shape, **{name: mean for name, (mean, _) in SHAPE.items()}, iris=0.4, fullness=0.05, squareness=2.2,
        brow_ridge=0.045, cheek=0.05, brow_y=0.165, teeth_drop=0.05, lower_teeth=-0.015, seed=1,
    )  # fmt: skip
    look = replace(person.look, pattern=0.0, moustache=0.0, goatee=0.0, beard=0.0, beard_length=0.0, make_up=0.0)
    return replace(person, shape=shape, look=look, hair=replace(person.hair, style="bald"), glasses=None, hat=None)


def fit_face(places: MeshPlaces, mesh: np.ndarray) -> Fitted:
    """The person, motion and camera behind a mesh (478,2) in [0,1] of a square picture: a few steps of Gauss and
    Newton, in which far points count less."""
    base, x = plain_person(), _MEAN.copy()
    aims = mesh * [2, -2] + [-1, 1]
    by_shape: np.ndarray | None = None
    for step in range(STEPS):
        head = _head(base, x)
        vertices, points = places.vertices(head)
        aim = np.concatenate([aims[points], aims[list(PUPILS)]])
        here = _project(head, x, vertices)
        off = here - aim
        weight = np.r_[np.full(len(places.points), 0.5), np.full(len(aim) - len(places.points), LINE_WEIGHT)]
        weight = weight / np.sqrt(1 + (np.linalg.norm(off, axis=1) / (3 * ERROR)) ** 2)
        if by_shape is None or step in _SHAPES_AT:
            by_shape = _by_shape(base, places, x, here)
        slopes = np.concatenate([by_shape, _by_motion(head, vertices, x, here)], 1)
        scale = np.repeat(np.sqrt(weight) / ERROR, 2)
        slopes, wanted = slopes * scale[:, None], -off.ravel() * scale
        normal = slopes.T @ slopes + np.diag(1 / _DEVIATION**2)
        x = x + np.linalg.solve(normal, slopes.T @ wanted + (_MEAN - x) / _DEVIATION**2)
        x = np.clip(x, _LOW, _HIGH)
    return Fitted(_identity(base, x), _motion(x), _camera(x))


def _identity(base: Identity, x: np.ndarray) -> Identity:
    shape = dict(zip(SHAPE, x[: len(SHAPE)].tolist(), strict=True))
    return replace(base, shape=replace(base.shape, **shape))


def _head(base: Identity, x: np.ndarray) -> HeadMesh:
    person = _identity(base, x)
    return build_head(person.shape, person.look)


def _motion(x: np.ndarray) -> np.ndarray:
    parameters = np.zeros(COUNT, np.float32)
    parameters[[INDEX[name] for name in MOTION]] = x[len(SHAPE) : -len(_CAMERA)]
    return parameters


def _camera(x: np.ndarray) -> Camera:
    return Camera(DISTANCE, float(np.exp(x[-3])), (float(x[-2]), float(x[-1])))


def _project(head: HeadMesh, x: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """(M+2,2) in clip space: these vertices of the skin, and the pupils."""
    parameters, skin = _motion(x), head.rest.copy()
    move_skin(head, skin, parameters)
    p = {name: float(parameters[i]) for name, i in INDEX.items()}
    pupils = head.eyes + rotation(p["gaze_x"], -p["gaze_y"], 0)[:, 2] * head.shape.eye_radius
    points = np.concatenate([skin[vertices], pupils])
    return _camera(x).project((points - PIVOT) @ rotation(p["yaw"], p["pitch"], p["roll"]).T + PIVOT)[:, :2]


def _by_shape(base: Identity, places: MeshPlaces, x: np.ndarray, here: np.ndarray) -> np.ndarray:
    """(2M,S): how points move by each trait of the shape, which also chooses their vertices."""
    columns = []
    for i in range(len(SHAPE)):
        step = np.zeros_like(x)
        step[i] = 0.3 * _DEVIATION[i]
        head = _head(base, x + step)
        columns.append((_project(head, x + step, places.vertices(head)[0]) - here).ravel() / step[i])
    return np.stack(columns, 1)


def _by_motion(head: HeadMesh, vertices: np.ndarray, x: np.ndarray, here: np.ndarray) -> np.ndarray:
    """(2M,P): how points move by each parameter and by the camera."""
    columns = []
    for i in range(len(SHAPE), len(x)):
        step = np.zeros_like(x)
        step[i] = 0.1 * _DEVIATION[i]
        columns.append((_project(head, x + step, vertices) - here).ravel() / step[i])
    return np.stack(columns, 1)
