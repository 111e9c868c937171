from pathlib import Path

import numpy as np
import pytest

from mamba_portrait.learning.corpus.speech import codecs
from mamba_portrait.learning.corpus.speech.augment import (
    Probabilities,
    augment,
    change_speed,
    join,
    scale_vocal_tract,
    set_level,
)
from mamba_portrait.learning.corpus.speech.codecs import CODECS
from mamba_portrait.learning.corpus.speech.engines import Utterance
from mamba_portrait.learning.corpus.speech.music import music
from mamba_portrait.learning.corpus.speech.prosody import track_pitch
from mamba_portrait.media.audio import load_audio, to_mono_16k
from mamba_portrait.visemes.phones import Phone
from mamba_portrait.vocabulary import SAMPLE_RATE

ASSETS = Path(__file__).parents[4] / "assets"


@pytest.fixture
def buzz() -> np.ndarray:
    """A second of a 120 Hz pulse train through one resonance at 1 kHz, from 0.25 s to 0.75 s."""
    pulses = np.zeros(SAMPLE_RATE)
    pulses[SAMPLE_RATE // 4 : 3 * SAMPLE_RATE // 4 : SAMPLE_RATE // 120] = 1
    time = np.arange(400) / SAMPLE_RATE
    tone = np.exp(-time * 400) * np.sin(2 * np.pi * 1000 * time)
    return np.convolve(pulses, tone)[:SAMPLE_RATE].astype(np.float32) * 0.5


def peak_frequency(audio: np.ndarray) -> float:
    power = np.abs(np.fft.rfft(audio)) ** 2
    smooth = np.convolve(power, np.hanning(241), "same")
    return float(np.fft.rfftfreq(len(audio), 1 / SAMPLE_RATE)[smooth.argmax()])


ALWAYS = Probabilities(*[1.0] * len(vars(Probabilities())))


def test_every_change_keeps_length_and_is_reproducible(buzz):
    first = augment(buzz, np.random.default_rng(5), buzz[::-1], ALWAYS)
    again = augment(buzz, np.random.default_rng(5), buzz[::-1], ALWAYS)
    assert first.shape == buzz.shape and first.dtype == np.float32
    assert np.array_equal(first, again)
    assert np.isfinite(first).all() and np.abs(first).max() < 1


@pytest.mark.parametrize("name", ["vocal_tract", "equaliser", "gain", "reverb", "band", "codec"])
def test_changes_do_not_delay_the_sound(buzz, name):
    only = Probabilities(**{key: float(key == name) for key in vars(Probabilities())})
    for seed in range(4):
        changed = augment(buzz, np.random.default_rng(seed), None, only)
        envelope = np.convolve(np.abs(changed), np.ones(80) / 80, "same")
        onset = np.flatnonzero(envelope > 0.2 * envelope.max())[0] / SAMPLE_RATE
        assert onset == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize("factor", [0.85, 1.2])
def test_vocal_tract_moves_formants_and_keeps_pitch(buzz, factor):
    changed = scale_vocal_tract(buzz, factor)
    assert peak_frequency(changed) / peak_frequency(buzz) == pytest.approx(factor, rel=0.07)
    voiced = track_pitch(changed)[35:65]
    assert np.median(voiced[voiced > 0]) == pytest.approx(120, rel=0.04)


def test_vocal_tract_of_one_changes_nothing(buzz):
    assert np.abs(scale_vocal_tract(buzz, 1.0) - buzz).max() < 1e-4


def test_speed_retimes_the_phones_with_the_sound(buzz):
    faster = change_speed(Utterance(buzz, (Phone(0.25, 0.75, "a"),)), 1.25)
    assert len(faster.audio) == round(SAMPLE_RATE / 1.25)
    assert (faster.phones[0].start, faster.phones[0].end) == pytest.approx((0.2, 0.6))
    with pytest.raises(ValueError, match="speed"):
        change_speed(Utterance(buzz, ()), 3.0)


def test_join_puts_silence_between(buzz):
    part = Utterance(buzz, (Phone(0.25, 0.75, "a"),))
    whole = join([part, part], [0.5, 0.2, 0.0])
    assert whole.duration == pytest.approx(2.7)
    assert [phone.kind for phone in whole.phones] == ["sil", "a", "sil", "a"]
    assert whole.phones[3].start == pytest.approx(0.5 + 1 + 0.2 + 0.25)
    with pytest.raises(ValueError, match="pauses"):
        join([part], [0.5])


def test_level(buzz):
    assert 20 * np.log10(np.sqrt(np.mean(set_level(buzz, -30.0) ** 2))) == pytest.approx(-30, abs=0.1)
    assert np.abs(set_level(buzz, 0.0)).max() <= 0.98


@pytest.mark.parametrize("name", list(CODECS))
def test_a_codec_changes_a_voice_and_does_not_move_it(name, monkeypatch):
    voice = to_mono_16k(*load_audio(ASSETS / "greeting.flac")).reshape(-1).numpy()[: 2 * SAMPLE_RATE]
    monkeypatch.setattr(codecs, "CODECS", {name: CODECS[name]})
    heard = codecs.compressed(voice, np.random.default_rng(0))
    assert len(heard) == len(voice) and not np.array_equal(heard, voice)
    together = [np.corrcoef(np.roll(heard, shift), voice)[0, 1] for shift in (-20, 0, 20)]
    assert together[1] > 0.95 and together[1] == max(together)


def test_a_codec_that_ffmpeg_lacks_leaves_the_voice_as_it_is(buzz, monkeypatch):
    monkeypatch.setattr(codecs, "CODECS", {"none": ("mp3", "libnone", SAMPLE_RATE, (16,))})
    assert codecs.compressed(buzz, np.random.default_rng(0)) is buzz


def test_music_has_pitches_and_no_two_pieces_are_the_same():
    first, again, other = (music(2 * SAMPLE_RATE, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert np.sqrt(np.mean(first**2)) == pytest.approx(1, abs=1e-3)
    power = np.sort(np.abs(np.fft.rfft(first)) ** 2)
    assert power[-len(power) // 50 :].sum() > 0.5 * power.sum()  # noise would have 2 % there


def test_music_lies_under_the_voice():
    only = Probabilities(**{key: float(key == "music") for key in vars(Probabilities())})
    voice = to_mono_16k(*load_audio(ASSETS / "greeting.flac")).reshape(-1).numpy()[: 2 * SAMPLE_RATE]
    together = [np.corrcoef(augment(voice, np.random.default_rng(seed), None, only), voice)[0, 1] for seed in range(8)]
    assert 0.4 < min(together) < 0.99 and max(together) > 0.9
