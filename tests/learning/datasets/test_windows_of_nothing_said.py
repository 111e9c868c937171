"""Windows over which a mouth rests: silence, and music."""

import numpy as np
import pytest

from mamba_portrait.learning.datasets.batch_slice import BatchSlice
from mamba_portrait.learning.datasets.tracks import MOUTH, TrackBatches, load_tracks


def hum(samples, rng):
    return np.sqrt(2) * np.sin(np.arange(samples) * 0.3 + rng.uniform(0, 6))


@pytest.fixture
def tracks(drawn_clips):
    return load_tracks(drawn_clips, None)


def test_half_of_the_windows_in_which_nothing_is_said_are_music(tracks):
    batch = TrackBatches(tracks, silent=1.0, music=hum)[BatchSlice(0, 0, range(40), 40)]
    assert float(batch.parameters[..., MOUTH].abs().max()) == 0
    level = batch.audio.square().mean(1).sqrt()
    music = level > 10 ** (-46 / 20)
    assert 10 <= int(music.sum()) <= 30
    assert float(level[music].max()) < 10 ** (-11 / 20) and float(level[~music].max()) < 10 ** (-59 / 20)


def test_without_music_they_are_quiet(tracks):
    batch = TrackBatches(tracks, silent=1.0)[BatchSlice(0, 0, range(10), 10)]
    assert float(batch.audio.abs().max()) < 0.01


def test_speech_is_not_replaced(tracks):
    batch = TrackBatches(tracks, silent=0.0, music=hum)[BatchSlice(0, 0, range(10), 10)]
    assert float(batch.parameters[..., MOUTH].abs().max()) > 0.5
