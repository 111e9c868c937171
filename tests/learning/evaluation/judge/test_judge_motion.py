"""Poses, landmarks, optical flow and our motion, in closed form."""

import cv2
import numpy as np
import pytest
import torch

from mamba_portrait.learning.evaluation.judge.motion import (
    MIDLINE,
    MOUTH,
    SIDES,
    diversity,
    flow_measures,
    head_pose,
    landmark_distance,
    optical_flow,
    pose_distance,
    temporal_distance,
)


def head():
    """Landmarks (1,478,3) of an upright head: sides along x, the middle line along y, eyes 60 pixels apart."""
    points = np.random.default_rng(1).normal(0, 5, (1, 478, 3))
    for i, (left, right) in enumerate(SIDES):
        points[0, left], points[0, right] = (-30, 7 * i, 3), (30, 7 * i, 3)
    for i, each in enumerate((10, 168, 6, 2)):
        points[0, each] = (0, 20 * i, 0)
    assert {high for high, _ in MIDLINE} | {low for _, low in MIDLINE} == {10, 168, 6, 2}
    return points


def turned(points, yaw=0.0, pitch=0.0, roll=0.0):
    y, p, r = np.radians([yaw, pitch, roll])
    about_y = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return points @ (about_z @ about_y @ about_x).T


@pytest.mark.parametrize("angles", [(0, 0, 0), (20, 0, 0), (0, -15, 0), (0, 0, 30), (12, 7, -9)])
def test_a_turn_is_read_in_degrees(angles):
    assert head_pose(turned(head(), *angles))[0].tolist() == pytest.approx(angles, abs=1e-4)


def test_pose_distance_is_the_mean_of_three_angles():
    assert pose_distance(turned(head(), 12, 6, -3), head()) == pytest.approx(7, abs=1e-4)
    half_turn = pose_distance(turned(head(), roll=179), turned(head(), roll=-179))
    assert half_turn == pytest.approx(2 / 3, abs=1e-4)  # not 358 degrees


def test_landmark_distance_is_in_hundredths_of_the_eyes_distance():
    truth = head()
    moved = truth + [6, 8, 100]  # depth does not count
    found = landmark_distance(moved, truth)
    assert found == pytest.approx({"lmd": 100 * 10 / 60, "lmd_mouth": 0}, abs=1e-4)
    wider = truth.copy()
    wider[:, MOUTH[::2], 1] += 3
    wider[:, MOUTH[1::2], 1] -= 3
    assert landmark_distance(wider, truth)["lmd_mouth"] == pytest.approx(100 * 3 / 60, abs=1e-4)


def test_flow_of_a_shifted_picture_is_the_shift():
    noise = np.random.default_rng(2).integers(0, 256, (40, 40, 3), np.uint8)
    texture = cv2.resize(noise, (320, 320), interpolation=cv2.INTER_CUBIC)
    frames = np.stack([texture[20:276, 20 + 2 * i : 276 + 2 * i] for i in range(4)])
    flow = optical_flow(frames)
    assert flow.shape == (3, 128, 128, 2)
    inner = flow[:, 16:-16, 16:-16].mean((0, 1, 2))
    assert inner.tolist() == pytest.approx([-2, 0], abs=0.1)
    assert flow_measures(flow)["flow_change"] < 0.1
    assert optical_flow(frames[:1]).shape == (0, 128, 128, 2)


def test_flow_measures_are_closed_forms():
    flow = np.zeros((4, 5, 5, 2), np.float32)
    flow[1::2] = (3, 4)  # a shake: every other frame moves by 5
    assert flow_measures(flow) == pytest.approx({"flow_change": 5, "flow_variance": 25 / 4}, abs=1e-4)
    assert flow_measures(np.ones((4, 5, 5, 2))) == pytest.approx({"flow_change": 0, "flow_variance": 0}, abs=1e-4)
    assert flow_measures(flow[:1]) == {}


def test_diversity_is_the_mean_distance_of_pairs():
    still, two = torch.ones(40, 768), torch.zeros(40, 768)
    two[::2, 0] = 2  # half of all pairs are 2 apart
    assert diversity(still) == 0
    assert diversity(two) == pytest.approx(1, abs=0.15) and diversity(two) == diversity(two)
    assert diversity(3 * two) == pytest.approx(3 * diversity(two))


def test_temporal_distance_sees_changes_only():
    truth = torch.randn(30, 768, generator=torch.Generator().manual_seed(0))
    assert temporal_distance(truth + 5, truth) == pytest.approx(0, abs=1e-4)
    ramp = torch.zeros(30, 768)
    ramp[:, 0], ramp[:, 1] = 3 * torch.arange(30), 4 * torch.arange(30)
    assert temporal_distance(truth + ramp, truth) == pytest.approx(5, abs=1e-4)
