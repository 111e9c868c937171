"""Lips against the truth, on landmarks whose openings are known."""

import math

import numpy as np
import pytest

from mamba_portrait.learning.datasets.films import CORNERS, EYES, LIPS
from mamba_portrait.learning.evaluation.judge.lips import closures, compare_lips
from mamba_portrait.visemes.phones import Phone


def face(opening, width):
    """Landmarks (T,478,3) with eyes 100 pixels apart."""
    points = np.zeros((len(opening), 478, 3), np.float32)
    points[:, EYES[1], 0] = 100
    points[:, LIPS[1], 1] = 100 * np.asarray(opening)
    points[:, CORNERS[1], 0] = 100 * np.asarray(width)
    return points


@pytest.fixture
def curve():
    generator = np.random.default_rng(5)
    smooth = np.convolve(generator.standard_normal(120), np.hanning(7) / 3, "same")
    return 0.1 + 0.03 * smooth


def test_half_as_far_and_two_frames_late(curve):
    late = face(0.5 * np.roll(curve, 2), 0.6 - 0.25 * curve)
    found = compare_lips(late[10:110], face(curve, 0.6 - curve)[10:110])
    assert found["lips_lag"] == 2
    assert found["lips"] == pytest.approx(1, abs=1e-4) and found["lips_width"] == pytest.approx(1, abs=1e-4)
    assert found["lips_now"] < 0.8
    assert found["width_reach"] == pytest.approx(0.25 * found["true_width_reach"], abs=1e-4)


def test_reach_is_from_the_tenth_to_the_ninetieth_percentile():
    ramp = np.linspace(0, 1, 101)
    found = compare_lips(face(ramp / 4, ramp), face(ramp, ramp / 2))
    reaches = {"lips_reach": 0.2, "true_reach": 0.8, "width_reach": 0.8, "true_width_reach": 0.4}
    assert {name: found[name] for name in reaches} == pytest.approx(reaches, abs=1e-4)


def test_closures_are_the_lowest_opening_near_the_middle_over_the_wide_one():
    opening = np.full(50, 0.2)
    opening[10], opening[30] = 0.02, 0.06
    phones = [Phone(0.36, 0.48, "p"), Phone(1.22, 1.26, "p"), Phone(1.6, 1.7, "a"), Phone(9.0, 9.1, "p")]
    # the middle of frame 10 is at 0.42 s, of frame 30 at 1.22 s, 0.02 s before its phone's; the last is not in the film
    assert closures(face(opening, opening), phones) == pytest.approx((0.02 + 0.06) / 2 / 0.2, abs=1e-4)
    near = [Phone(0.47, 0.49, "p")]  # 60 ms after frame 10
    assert closures(face(opening, opening), near) == pytest.approx(0.02 / 0.2, abs=1e-4)
    assert closures(face(opening, opening), [Phone(0.48, 0.5, "p")]) == pytest.approx(1, abs=1e-4)
    assert math.isnan(closures(face(opening, opening), [Phone(0, 1, "a")]))
