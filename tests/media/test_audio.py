"""Sound: the resampler's numbers, the exact frame arithmetic, files in and out."""

import sys
from fractions import Fraction

import pytest
import torch

from mamba_portrait.media import audio
from mamba_portrait.networks import optional

NTSC = Fraction(30000, 1001)


@pytest.fixture
def without_torchaudio(monkeypatch):
    """A host whose torchaudio was built for another torch."""

    class Broken:
        def find_spec(self, name, path=None, target=None):
            if name.split(".")[0] == "torchaudio":
                raise OSError("libtorchaudio.so: undefined symbol")

    for name in [name for name in sys.modules if name.split(".")[0] == "torchaudio"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    optional.torchaudio_functional.cache_clear()
    yield
    optional.torchaudio_functional.cache_clear()


@pytest.fixture
def torchaudio_or_skip():
    return pytest.importorskip("torchaudio", exc_type=Exception)


RATES = [(44100, 16000), (48000, 16000), (22050, 16000), (8000, 16000), (16000, 48000), (320, 160), (147, 160)]


@pytest.mark.parametrize(("rate", "new_rate"), RATES)
@pytest.mark.parametrize("at_once", [1 << 20, 1 << 11])
def test_resample_has_torchaudios_numbers(torchaudio_or_skip, monkeypatch, rate, new_rate, at_once):
    monkeypatch.setattr(audio, "AT_ONCE", at_once)
    signal = torch.randn(2, rate // 3 + 7, generator=torch.Generator().manual_seed(0))
    by_torchaudio = audio.resample(signal, rate, new_rate)
    monkeypatch.setattr(audio, "torchaudio_functional", lambda: None)
    own = audio.resample(signal, rate, new_rate)
    whole = torchaudio_or_skip.functional.resample(signal, rate, new_rate)
    assert by_torchaudio.shape == whole.shape == own.shape
    assert (by_torchaudio - whole).abs().max() < 1e-6
    assert (own - whole).abs().max() < 1e-4


def test_torchaudio_resamples_but_no_odd_ratio(torchaudio_or_skip, monkeypatch):
    asked = []

    def resample(piece, rate, new_rate):
        asked.append((rate, new_rate))
        return torch.zeros(len(piece), -(-piece.shape[1] * new_rate // rate))

    monkeypatch.setattr(torchaudio_or_skip.functional, "resample", resample)
    audio.resample(torch.zeros(1, 900), 48000, 16000)
    audio.resample(torch.zeros(1, 900), 11127, 16000)
    audio.resample(torch.zeros(1, 900), 16000, 16000)
    assert asked == [(3, 1)]


def test_a_torchaudio_that_does_not_import_is_told_once_and_not_needed(without_torchaudio, caplog):
    signal = torch.randn(2, 3000, generator=torch.Generator().manual_seed(0))
    with caplog.at_level("INFO"):
        for _ in range(2):
            resampled = audio.resample(signal, 44100, 16000)
    assert resampled.shape == (2, 1089) and resampled.abs().max() > 1
    assert [record.message for record in caplog.records if "torchaudio" in record.message] == [
        "torchaudio does not import here (libtorchaudio.so: undefined symbol); sound is resampled and analysed with "
        "torch alone."
    ]


@pytest.mark.parametrize("rate", [44100, 11127, 44099])
def test_resampled_sine_keeps_its_frequency_phase_and_amplitude(rate):
    seconds = torch.arange(rate, dtype=torch.float64) / rate
    out = audio.resample(torch.sin(2 * torch.pi * 440 * seconds).float(), rate, 16000)
    wanted = torch.sin(2 * torch.pi * 440 * torch.arange(16000, dtype=torch.float64) / 16000)
    assert out.shape == (16000,)
    assert (out - wanted)[200:-200].abs().max() < 2e-3


def test_both_ways_of_filtering_agree(monkeypatch):
    signal = torch.randn(1, 5000, generator=torch.Generator().manual_seed(1))
    monkeypatch.setattr(audio, "torchaudio_functional", lambda: None)
    dense = audio.resample(signal, 44100, 16000)
    monkeypatch.setattr(audio, "DENSE_LIMIT", 0)
    assert torch.allclose(dense, audio.resample(signal, 44100, 16000), atol=1e-5)


def test_mono_is_the_mean_of_the_channels_and_keeps_the_batch():
    waveform = torch.stack([torch.ones(2, 320), torch.full((2, 320), -1.0)])
    waveform[0, 1] = 0
    mono = audio.to_mono_16k(waveform, 16000)
    assert mono.shape == (2, 320)
    assert torch.equal(mono[:, 0], torch.tensor([0.5, -1.0]))
    with pytest.raises(ValueError, match="NaN"):
        audio.to_mono_16k(torch.tensor([0.0, float("nan")]), 16000)
    with pytest.raises(ValueError, match="empty"):
        audio.to_mono_16k(torch.zeros(1, 0), 16000)


@pytest.mark.parametrize("fps", [Fraction(25), NTSC, Fraction(24), Fraction(24000, 1001)])
@pytest.mark.parametrize("samples", [1, 319, 320, 640, 16000, 16000 * 3600 + 11])
def test_frame_count_is_the_exact_rounding(samples, fps):
    count = audio.frame_count(samples, 16000, fps)
    exact = samples * fps / 16000 + Fraction(1, 2)
    assert count == exact.numerator // exact.denominator


def test_frame_count_half_rounds_up_and_ntsc_hours_do_not_drift():
    assert audio.frame_count(320, 16000, 25) == 1
    assert audio.frame_count(319, 16000, 25) == 0
    assert audio.frame_count(44100 * 3600, 44100, NTSC) == 107892  # 29.97 cut to 29 would lose 3492 frames


def test_wav_round_trip(tmp_path):
    waveform = torch.rand(2, 4411, generator=torch.Generator().manual_seed(2)) * 2 - 1
    path = audio.write_wav(tmp_path / "deep" / "voice.wav", waveform, 44100)
    read, rate = audio.load_audio(path)
    assert rate == 44100 and read.shape == waveform.shape
    assert (read - waveform).abs().max() < 1e-4
    assert [p.name for p in path.parent.iterdir()] == ["voice.wav"]


def test_files_that_are_no_audio_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="gone.wav"):
        audio.load_audio(tmp_path / "gone.wav")
    (tmp_path / "text.wav").write_text("this is no sound")
    with pytest.raises(ValueError, match="text.wav"):
        audio.load_audio(tmp_path / "text.wav")
