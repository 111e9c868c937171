"""The ranges in vocabulary.py are those that the corpus draws."""

import numpy as np
import pytest

from mamba_portrait.learning.corpus import ranges
from mamba_portrait.learning.corpus.speech import engines
from mamba_portrait.vocabulary import COUNT, MOTION

DRAWN = np.array([parameter.drawn for parameter in MOTION])


def test_the_outermost_percentiles_count():
    inner, outer = np.zeros((1000, COUNT)), np.linspace(-1, 1, 1001)[:, None] * np.arange(1, COUNT + 1)
    found = ranges.drawn_ranges(inner, outer)
    assert np.allclose(found, 0.998 * np.arange(1, COUNT + 1)[:, None] * [-1, 1])


def test_ranges_are_those_of_the_stills():
    """A smaller sample with another seed comes as near as its few extreme faces allow; clips change no end by more."""
    found = ranges.drawn_ranges(ranges.still_parameters(4000, seed=1))
    width = DRAWN[:, 1] - DRAWN[:, 0]
    off = np.abs(found - DRAWN).max(1) / width
    assert (off < 0.09).all(), {p.name: (p.drawn, found[i]) for i, p in enumerate(MOTION) if off[i] >= 0.09}


@pytest.mark.skipif("espeak-ng" not in engines.available_engines(), reason="espeak-ng is not installed")
def test_clips_stay_within_the_ranges():
    faces = ranges.clip_parameters(3, seed=1)
    slack = 0.005  # the table is rounded
    inside = (faces > DRAWN[:, 0] - slack) & (faces < DRAWN[:, 1] + slack)
    assert faces.shape[1] == COUNT and (inside.mean(0) > 0.98).all()
