"""Gestures: in time with the voice, at rest in silence."""

import numpy as np
import pytest

from mamba_portrait.learning.corpus.acting.gestures import SHARE, gesticulate, gesture_units, has_hands
from mamba_portrait.learning.corpus.acting.performance import motion_style
from mamba_portrait.learning.corpus.person.arms import AT_REST, BODY, GESTURE, HAND_STATE, IN_LAP
from mamba_portrait.learning.corpus.speech.prosody import Accent, Prosody

FRAMES = 250
PROSODY = Prosody(
    np.where((np.arange(1000) % 300) < 200, -4.0, -12.0),
    np.full(1000, 140.0),
    tuple(Accent(time, 0.7) for time in (1.2, 2.0, 2.6, 6.9, 7.6)),
    ((0.8, 1.6), (1.9, 3.0), (6.5, 8.0)),
)


def drawn(seed: int) -> np.ndarray:
    return gesticulate(PROSODY, motion_style("anyone", PROSODY), FRAMES, np.random.default_rng(seed))


def hands(gestures: np.ndarray) -> np.ndarray:
    """(T, 2, 12)"""
    return gestures[:, len(BODY) :].reshape(len(gestures), 2, -1)


def test_short_pauses_do_not_lower_the_hands():
    assert gesture_units(PROSODY) == [(0.8, 3.0), (6.5, 8.0)]


@pytest.mark.parametrize("seed", range(6))
def test_hands_are_up_in_speech_and_at_rest_in_silence(seed):
    gestures = drawn(seed)
    assert gestures.shape == (FRAMES, GESTURE) and gestures.dtype == np.float32
    assert np.allclose(gestures[0], AT_REST, atol=1e-6)
    state = hands(gestures)
    silent = np.r_[int(3.9 * 25) : int(5.6 * 25), int(8.9 * 25) : FRAMES]
    assert np.allclose(state[silent], IN_LAP, atol=1e-5)
    up = state[int(1.6 * 25) : int(2.9 * 25), :, HAND_STATE.index("wrist_y")].max(1)
    assert (up > -2.9).all()


def test_beats_fall_on_accents():
    """At an accent the raised hand is lower than a fifth of a second before and after it."""
    depth = []
    for seed in range(20):
        height = hands(drawn(seed))[:, :, HAND_STATE.index("wrist_y")].max(1)
        depth += [height[t] - (height[t - 6] + height[t + 6]) / 2 for t in (65, 190)]
    assert np.mean(depth) < -0.05


def test_movement_is_smooth():
    """Between two frames a wrist goes less than five centimetres along an axis, and its speed changes by less than
    1.5 centimetres a frame."""
    for seed in range(6):
        wrist = hands(drawn(seed))[:, :, :3]
        assert np.abs(np.diff(wrist, axis=0)).max() < 0.5
        assert np.abs(np.diff(wrist, 2, axis=0)).max() < 0.15


def test_fingers_stay_within_their_reach():
    for seed in range(6):
        curls = hands(drawn(seed))[..., 6:]
        assert 0 <= curls.min() and curls.max() <= 1


def test_shoulders_breathe_before_a_phrase():
    lift = np.mean([drawn(seed)[:, :2] for seed in range(10)], axis=(0, 2))
    assert lift[int(6.35 * 25)] > lift[int(5.2 * 25)] + 0.02 and np.abs(lift).max() < 0.3


def test_gestures_repeat_by_seed_and_differ_between_seeds():
    assert np.array_equal(drawn(3), drawn(3)) and not np.array_equal(drawn(3), drawn(4))


def test_a_silent_clip_has_idle_hands():
    silent = Prosody(np.full(100, -16.0), np.zeros(100), (), ())
    gestures = gesticulate(silent, motion_style("anyone", silent), 25, np.random.default_rng(0))
    assert np.allclose(hands(gestures), IN_LAP)


def test_about_a_quarter_of_the_seeds_have_hands():
    share = np.mean([has_hands(seed) for seed in range(1500)])
    assert abs(share - SHARE) < 0.04


def test_who_has_hands_stays_as_it_was():
    """A seed's clip is the same in every run: a stream drawn otherwise would give other people hands."""
    assert [seed for seed in range(40) if has_hands(seed)] == [0, 5, 9, 14, 24, 29]
