"""Hands and arms: a closed mesh, posed by bones of constant length."""

import numpy as np
import pytest

from mamba_portrait.learning.corpus.person.arms import solve_elbow
from mamba_portrait.learning.corpus.person.hands import BONES, bone_transforms, hand_skin
from mamba_portrait.learning.corpus.person.implicit import surface_nets


def test_a_sphere_from_its_distance():
    grid = np.stack(np.meshgrid(*3 * [np.arange(15.0)], indexing="ij"), -1) - 7
    vertices, triangles = surface_nets(np.linalg.norm(grid, axis=-1) - 5)
    assert np.abs(np.linalg.norm(vertices - 7, axis=1) - 5).max() < 0.2
    a, b, c = (vertices[triangles[:, i]] - 7 for i in range(3))
    assert (np.cross(b - a, c - a) * a).sum(1).min() > 0  # all face outwards
    volume = (np.cross(a, b) * c).sum() / 6
    assert volume == pytest.approx(4 / 3 * np.pi * 125, rel=0.05)


def test_a_surface_that_leaves_its_grid_is_refused():
    with pytest.raises(ValueError, match="border"):
        surface_nets(np.full((4, 4, 4), -1.0))


def test_the_skin_is_closed_and_its_normals_point_outwards():
    skin = hand_skin()
    edges = np.concatenate([skin.triangles[:, [i, (i + 1) % 3]] for i in range(3)])
    _, shared = np.unique(np.sort(edges, 1), axis=0, return_counts=True)
    assert (shared == 2).mean() > 0.999
    a, b, c = (skin.rest[skin.triangles[:, i]] for i in range(3))
    assert ((np.cross(b - a, c - a) * skin.normal[skin.triangles[:, 0]]).sum(1) > 0).mean() > 0.99
    assert np.allclose(skin.weights.sum(1), 1, atol=1e-5)


def posed(curls: list[float], spread: float) -> np.ndarray:
    skin, motion = hand_skin(), bone_transforms(np.array(curls), spread)
    blend = (skin.weights @ motion.reshape(BONES, 12)).reshape(-1, 3, 4)
    return np.einsum("nij,nj->ni", blend[:, :, :3], skin.rest) + blend[:, :, 3]


def test_a_stretched_fanned_hand_is_the_skin_at_rest():
    assert np.allclose(posed([0] * 5, 1.0), hand_skin().rest, atol=1e-5)


def test_a_fist_brings_the_fingertips_to_the_palm():
    tips = np.argmax(hand_skin().rest[:, 1])
    fist = posed([0.8, 1, 1, 1, 1], 0.2)
    assert hand_skin().rest[tips, 1] > 0.95 and fist[tips, 1] < 0.5
    assert -0.3 < fist[tips, 2] < -0.03  # on the palm's side


def test_one_curled_finger_leaves_the_others_alone():
    skin, curled = hand_skin(), posed([0, 1, 0, 0, 0], 1.0)
    little = skin.weights[:, -1] > 0.9
    assert little.sum() > 5 and np.abs(curled[little] - skin.rest[little]).max() < 0.02


@pytest.mark.parametrize("wrist", [(0.8, -1.9, 1.2), (0.9, -4.4, 1.2), (0.4, -1.5, 1.3)])
def test_arms_keep_their_lengths(wrist):
    shoulder = np.array([1.1, -2.0, -0.25])
    elbow, reached = solve_elbow(shoulder, np.array(wrist))
    assert np.allclose(reached, wrist)
    assert np.linalg.norm(elbow - shoulder) == pytest.approx(2.45) and np.linalg.norm(reached - elbow) == pytest.approx(
        2.2
    )
    assert elbow[1] < -2.5 and elbow[0] > 0.6  # it hangs, away from the body


def test_a_wrist_out_of_reach_is_drawn_near():
    shoulder, far = np.zeros(3), np.array([0.0, -9.0, 0.0])
    _, reached = solve_elbow(shoulder, far)
    assert 4.4 < np.linalg.norm(reached) < 4.65
