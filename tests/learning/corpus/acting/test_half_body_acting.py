"""Arms of half bodies: at rest in silence, held in speech, lowest at stressed vowels."""

import numpy as np
import pytest

from mamba_portrait.learning.corpus.acting.half_body import gesticulate, random_arms_group
from mamba_portrait.learning.corpus.acting.performance import motion_style
from mamba_portrait.learning.corpus.speech.prosody import Accent, Prosody
from mamba_portrait.vocabulary import ARMS

FRAMES = 250
PROSODY = Prosody(
    np.where((np.arange(1000) % 300) < 200, -4.0, -12.0),
    np.full(1000, 140.0),
    tuple(Accent(time, 0.7) for time in (1.2, 2.0, 2.6, 6.9, 7.6)),
    ((0.8, 1.6), (1.9, 3.0), (6.5, 8.0)),
)
UP = [i for i, parameter in enumerate(ARMS) if parameter.name.endswith("_up")]
HANDS = slice(0, len(ARMS) - 2)


def drawn(seed: int) -> np.ndarray:
    return gesticulate(PROSODY, motion_style("anyone", PROSODY), FRAMES, np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(6))
def test_hands_are_up_in_speech_and_rest_in_silence(seed):
    arms = drawn(seed)
    assert arms.shape == (FRAMES, len(ARMS)) and arms.dtype == np.float32
    silent = np.r_[0, int(3.9 * 25) : int(5.6 * 25), int(8.9 * 25) : FRAMES]
    assert np.allclose(arms[silent, HANDS], 0, atol=1e-5)
    assert (arms[int(1.6 * 25) : int(2.9 * 25), UP].max(0) > 0.25).all()


def test_beats_fall_on_stressed_vowels():
    depth = []
    for seed in range(20):
        height = drawn(seed)[:, UP].mean(1)
        depth += [height[t] - (height[t - 6] + height[t + 6]) / 2 for t in (65, 190)]
    assert np.mean(depth) < -0.1


def test_hands_move_smoothly():
    """Between two frames a hand goes less than five centimetres, and its speed changes by less than two."""
    for seed in range(6):
        assert np.abs(np.diff(drawn(seed)[:, UP], axis=0)).max() < 0.5
        assert np.abs(np.diff(drawn(seed)[:, UP], 2, axis=0)).max() < 0.2


def test_arms_repeat_by_seed_and_differ_between_seeds():
    assert np.array_equal(drawn(3), drawn(3)) and not np.array_equal(drawn(3), drawn(4))


def test_drawn_ranges_of_the_vocabulary_hold_the_stills():
    states = np.concatenate([random_arms_group(np.random.default_rng(seed)) for seed in range(400)])
    low, high = np.percentile(states, [1, 99], axis=0)
    for i, parameter in enumerate(ARMS):
        assert parameter.drawn[0] <= low[i] and high[i] <= parameter.drawn[1], parameter.name


def test_hands_of_sources_mostly_rest():
    first = np.stack([random_arms_group(np.random.default_rng(seed))[0] for seed in range(200)])
    assert 0.7 < (np.abs(first[:, UP]).max(1) < 0.3).mean() < 0.95
