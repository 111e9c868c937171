"""Sounds at once, as a stream."""

import pytest
import torch

from mamba_portrait.media.audio import write_wav
from mamba_portrait.media.mixed_sound import MixedSound
from mamba_portrait.media.sound_file import SoundFile


def test_sounds_add_up_to_the_end_of_the_longest_at_the_rate_of_the_first(tmp_path):
    path = write_wav(tmp_path / "film.wav", torch.full((2, 24_000), 0.5), 24_000)
    mixed = MixedSound([((torch.full((8_000,), 0.25), 16_000), 1.0), (SoundFile(path), 0.5)])
    sound = torch.cat(list(mixed.stereo()), 1)
    assert mixed.rate == 16_000 and sound.shape == (2, 16_000)
    assert sound[:, 1000:7000].mean() == pytest.approx(0.5, abs=0.01)
    assert sound[:, 9000:15000].mean() == pytest.approx(0.25, abs=0.01)


def test_nothing_to_mix_is_refused():
    with pytest.raises(ValueError, match="no sound"):
        MixedSound([])
