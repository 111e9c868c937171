"""Measures by landmarks of a face mesh, with the exact landmarks of drawn heads in place of MediaPipe's."""

import numpy as np
import pytest
import torch

from mamba_portrait.learning.corpus.clips import clip_scene
from mamba_portrait.learning.evaluation import face_mesh
from mamba_portrait.learning.evaluation.face_mesh import (
    MESH,
    MOVES,
    STEPS,
    commanded_parameters,
    drawn_range,
    measure_portrait,
    movement,
)
from mamba_portrait.vocabulary import LANDMARKS


class Actor:
    """Replaces renderer and mesh: a drawn head makes `share` of the commanded movement, and gives its landmarks."""

    def __init__(self, share, monkeypatch):
        self.scene, self.queue = clip_scene(3, 64), []

        def act(renderer, photo, parameters, size):
            begin = parameters[:1]
            self.queue += list((begin + share * (parameters - begin)).numpy())
            return torch.zeros(len(parameters), 3, 8, 8)

        monkeypatch.setattr(face_mesh, "render_parameters", act)

    def mesh(self, picture):
        marks = self.scene.landmarks(self.scene.rig.pose(self.queue.pop(0)))
        points = np.zeros((478, 2), np.float32)
        for name, i in MESH.items():
            points[i] = marks[LANDMARKS.index(name)]
        return points


def test_a_drawn_head_moves_as_it_is_told(monkeypatch):
    actor = Actor(1.0, monkeypatch)
    values = measure_portrait(None, torch.zeros(3, 8, 8), actor.mesh)
    assert all(values[f"{move}_correlation"] > 0.97 for move in MOVES)
    assert values["jaw_slope"] == pytest.approx(1, abs=0.35) and values["yaw_slope"] == pytest.approx(1, abs=0.3)
    assert 0.6 < values["blink_slope"] < 1.3


def test_half_a_movement_has_half_the_slope(monkeypatch):
    whole = measure_portrait(None, torch.zeros(3, 8, 8), Actor(1.0, monkeypatch).mesh)
    half = measure_portrait(None, torch.zeros(3, 8, 8), Actor(0.5, monkeypatch).mesh)
    for move in ("jaw", "yaw"):
        assert half[f"{move}_slope"] == pytest.approx(0.5 * whole[f"{move}_slope"], abs=0.12)


def test_moves_and_their_ranges():
    assert commanded_parameters("yaw").shape == (STEPS, 24) and drawn_range("jaw") > 0.1 and drawn_range("yaw") > 0.05
    points = {name: np.zeros(2) for name in MESH}
    points["right_eye_outer"] = np.array([2.0, 0.0])
    points["nose_tip"] = np.array([1.5, 1.0])
    points["lower_lip_inner"] = np.array([0.0, 0.5])
    assert movement(points, "yaw") == pytest.approx(0.25) and movement(points, "jaw") == pytest.approx(0.25)


def test_no_face_is_no_figure(monkeypatch):
    Actor(1.0, monkeypatch)
    assert measure_portrait(None, torch.zeros(3, 8, 8), lambda picture: None) == {}
    assert face_mesh.lips_of(lambda picture: None, np.zeros((8, 8, 3), np.uint8)) is None


def test_opening_and_width_are_measured_in_pixels_of_any_picture():
    points = np.full((478, 2), 0.5, np.float32)
    points[168], points[2] = (0.5, 0.2), (0.5, 0.6)
    for upper, lower in face_mesh.LIPS:
        points[upper, 1], points[lower, 1] = 0.7, 0.8
    points[61, 0], points[291, 0] = 0.4, 0.6
    for shape in ((100, 100, 3), (100, 300, 3), (240, 80, 3)):
        opening, width = face_mesh.lips_of(lambda picture: points, np.zeros(shape, np.uint8))
        assert opening == pytest.approx(0.25) and width == pytest.approx(0.5 * shape[1] / shape[0])
