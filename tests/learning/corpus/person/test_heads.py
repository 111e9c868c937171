"""Drawn heads: each motion parameter moves the part that it names, in the direction of its sign."""

import numpy as np
import pytest

from mamba_portrait.learning.corpus.person.geometry import grid_normals, rotation, sphere_grid
from mamba_portrait.learning.corpus.person.identity import random_identity
from mamba_portrait.learning.corpus.person.rig import Rig, move_skin
from mamba_portrait.vocabulary import COUNT, INDEX, LANDMARKS


@pytest.fixture(scope="module")
def rig() -> Rig:
    return Rig(random_identity(np.random.default_rng(3)))


def marks(rig: Rig, **values: float) -> dict[str, np.ndarray]:
    parameters = np.zeros(COUNT, np.float32)
    for name, value in values.items():
        parameters[INDEX[name]] = value
    return dict(zip(LANDMARKS, rig.pose(parameters).landmarks, strict=True))


def mouth_gap(points: dict[str, np.ndarray]) -> float:
    return float(points["upper_lip_inner"][1] - points["lower_lip_inner"][1])


def lid_gap(points: dict[str, np.ndarray], side: str) -> float:
    return float(points[f"{side}_lid_upper"][1] - points[f"{side}_lid_lower"][1])


def test_at_rest_the_lips_touch_and_the_eyes_are_open(rig):
    rest = marks(rig)
    assert abs(mouth_gap(rest)) < 1e-3
    assert min(lid_gap(rest, "left"), lid_gap(rest, "right")) > 0.06


def test_the_jaw_opens_the_mouth_in_proportion(rig):
    half, wide = mouth_gap(marks(rig, jaw=0.5)), mouth_gap(marks(rig, jaw=1.0))
    assert 0.25 < wide < 0.5
    assert half == pytest.approx(wide / 2, rel=0.05)


def test_lips_stay_together_beyond_the_corners(rig):
    parameters = np.full(COUNT, 0.6, np.float32)
    parameters[INDEX["yaw"] :] = 0
    rig.pose(parameters)
    skin = rig.rest[: rig.skin_count].copy()
    move_skin(rig.head, skin, parameters)
    rows = skin.reshape(-1, rig._columns, 3)
    row = rig._line_rows[1]
    outside = rig.head.closed[0] == 1
    assert np.abs(rows[row - 1] - rows[row])[outside].max() < 2e-3


def test_a_full_blink_shuts_one_eye_only(rig):
    points = marks(rig, blink_left=1.0)
    assert abs(lid_gap(points, "left")) < 2e-3
    assert lid_gap(points, "right") > 0.06


@pytest.mark.parametrize(
    ("motion", "landmark", "axis", "sign"),
    [
        ({"yaw": 0.3}, "nose_tip", 0, +1),  # nose to the image's right
        ({"pitch": 0.3}, "nose_tip", 1, -1),  # looks down
        ({"roll": 0.3}, "crown", 0, -1),  # crown to the image's left
        ({"gaze_x": 0.3}, "left_pupil", 0, +1),
        ({"gaze_y": 0.3}, "right_pupil", 1, +1),
        ({"shift_x": 0.1}, "chin", 0, +1),
        ({"shift_z": 0.1}, "chin", 2, +1),
        ({"smile_left": 1.0}, "mouth_left", 1, +1),
        ({"smile_right": -0.5}, "mouth_right", 1, -1),
        ({"spread": 1.0}, "mouth_right", 0, +1),
        ({"pucker": 1.0}, "mouth_right", 0, -1),
        ({"upper_lip": 1.0}, "upper_lip_inner", 1, +1),
        ({"lower_lip": 1.0}, "lower_lip_inner", 1, -1),
        ({"brow_left": 1.0}, "left_brow_middle", 1, +1),
        ({"furrow": 1.0}, "left_brow_inner", 0, +1),
    ],
)
def test_signs(rig, motion, landmark, axis, sign):
    moved = marks(rig, **motion)[landmark] - marks(rig)[landmark]
    assert sign * moved[axis] > 0.01


def test_image_left_parameters_leave_the_right_side_alone(rig):
    moved, rest = marks(rig, smile_left=1.0, brow_left=1.0), marks(rig)
    for name in ("mouth_right", "right_brow_outer"):
        assert np.abs(moved[name] - rest[name]).max() < 0.006


def test_rotation_is_proper():
    turn = rotation(0.3, -0.2, 0.1)
    assert np.allclose(turn @ turn.T, np.eye(3), atol=1e-6)
    assert np.linalg.det(turn) == pytest.approx(1, abs=1e-5)


def test_grid_normals_of_a_sphere_point_outwards():
    ball = sphere_grid(24, 33)
    inner = slice(2, -2)
    agreement = (grid_normals(ball)[inner, 1:-1] * ball[inner, 1:-1]).sum(-1)
    assert agreement.min() > 0.98


def test_an_identity_is_a_pure_function_of_its_generator():
    first, second = (random_identity(np.random.default_rng(11)) for _ in range(2))
    assert first == second
    assert np.array_equal(Rig(first).rest, Rig(second).rest)
