"""Sound as other packs make it: none, empty, spoilt, of no rate, in batches and without them."""

import math

import pytest
import torch

from mamba_portrait.nodes import assemble, audio_features
from mamba_portrait.nodes.values.sound import sound_of


def audio(waveform=None, rate=16000):
    wave = torch.rand(1, 1, 3200, generator=torch.Generator().manual_seed(0)) - 0.5
    return {"waveform": wave if waveform is None else waveform, "sample_rate": rate}


def filmed(sound):
    return assemble.FramesToVideo.execute(torch.rand(9, 32, 32, 3), 25.0, 18, False, sound)[0]


SPOILT = torch.zeros(1, 2, 3200)
SPOILT[0, 1, 7] = math.nan
BAD = {
    "The audio is empty": [torch.zeros(1, 1, 0), torch.zeros(0, 1, 3200), torch.zeros(1, 0, 3200)],
    "NaN or infinite samples": [SPOILT, torch.full((1, 1, 3200), -math.inf), torch.full((1, 1, 3200), 1e30)],
}


@pytest.mark.parametrize("use", [audio_features.voice_of, filmed])
@pytest.mark.parametrize(("told", "waveform"), [(told, wave) for told, waves in BAD.items() for wave in waves])
def test_spoilt_sound_is_told_wherever_it_arrives_and_leaves_no_film(use, told, waveform, tmp_path, monkeypatch):
    monkeypatch.setattr(assemble, "temp_directory", lambda: tmp_path)
    with pytest.raises(ValueError, match=told):
        use(audio(waveform))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("rate", [0, -1, math.nan, math.inf, 1, 1999, 10**6])
def test_a_rate_that_no_sound_has_is_told(rate):
    with pytest.raises(ValueError, match=f"The audio says it has {rate} samples a second, but sound has 2000 to"):
        sound_of(audio(rate=rate))


def test_a_recording_may_come_without_its_batch_its_channels_or_a_whole_rate():
    wave = audio()["waveform"]
    for given in (wave, wave[0], wave[0, 0], wave.double()):
        heard, rate = sound_of(audio(given, 16000.0))
        assert torch.equal(heard, wave[0]) and rate == 16000 and isinstance(rate, int)


def test_several_recordings_are_refused_and_none_is_dropped():
    with pytest.raises(ValueError, match="One recording is needed, but 2 came in: put the node Batch to List"):
        sound_of(audio(audio()["waveform"].repeat(2, 1, 1)))
