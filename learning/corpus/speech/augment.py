"""Augmentation of speech with other vocal tracts, rooms, microphones, music and codecs; its timing stays that of the
lips.

About half of the samples are augmented: in a short training on augmented ones alone, a model fits the distortions.
"""

from dataclasses import dataclass

import numpy as np
from scipy.signal import fftconvolve, firwin2, istft, resample, stft

from ....visemes.phones import Phone
from ....vocabulary import SAMPLE_RATE
from .codecs import compressed
from .engines import Utterance
from .music import music
from .prosody import track_pitch

SHARE = 0.5
"""Part of the samples that `augment` changes."""

LEVELS = -40.0, -12.0
"""Root mean square of what comes out, in dB of full scale; louder recordings are louder only in their peaks."""

_WINDOW, _HOP = 512, 128
_PEAK = np.nextafter(np.float32(0.98), np.float32(0))  # the float32 nearest to 0.98 lies above it


@dataclass(frozen=True)
class Probabilities:
    """Probability of each change to a sample that is augmented."""

    vocal_tract: float = 0.7
    equaliser: float = 0.8
    mask: float = 0.3
    gain: float = 0.5
    reverb: float = 0.4
    babble: float = 0.2
    noise: float = 0.7
    band: float = 0.3
    music: float = 0.2
    codec: float = 0.15


def change_speed(speech: Utterance, factor: float) -> Utterance:
    """Speed perturbation: `factor` times faster (0.8..1.25 is natural), with pitch and formants; phones are retimed."""
    if not 0.5 <= factor <= 2:
        raise ValueError(f"The speed factor must lie in 0.5..2, not {factor}.")
    audio = resample(speech.audio, max(round(len(speech.audio) / factor), 1)).astype(np.float32)
    scale = len(audio) / max(len(speech.audio), 1)
    return Utterance(audio, tuple(phone.moved(0.0, scale) for phone in speech.phones))


def join(parts: list[Utterance], pauses: list[float]) -> Utterance:
    """Utterances with silences around them: pauses[i] seconds before parts[i], and one more after the last.

    Raises ValueError unless there is exactly one more pause than parts.
    """
    if len(pauses) != len(parts) + 1:
        raise ValueError(f"{len(parts)} utterances need {len(parts) + 1} pauses, not {len(pauses)}.")
    audio: list[np.ndarray] = []
    phones: list[Phone] = []
    now = 0
    for part, pause in zip([*parts, None], pauses, strict=True):
        gap = round(pause * SAMPLE_RATE)
        if gap:
            audio.append(np.zeros(gap, np.float32))
            phones.append(Phone(now / SAMPLE_RATE, (now + gap) / SAMPLE_RATE, "sil"))
            now += gap
        if part is not None:
            audio.append(part.audio)
            phones.extend(phone.moved(now / SAMPLE_RATE) for phone in part.phones)
            now += len(part.audio)
    return Utterance(np.concatenate(audio), tuple(phones))


def augment(
    audio: np.ndarray,
    rng: np.random.Generator,
    babble: np.ndarray | None = None,
    probabilities: Probabilities | None = None,
) -> np.ndarray:
    """A changed copy of audio (N,) float32 at 16 kHz, of the same length and timing, peaks below 1.

    babble: other speech (M,) to lay under it, repeated or cut to length.
    """
    probabilities = probabilities or Probabilities()
    do = {name: rng.random() < chance for name, chance in vars(probabilities).items()}
    if do["vocal_tract"]:
        audio = scale_vocal_tract(audio, float(np.exp(rng.uniform(-0.2, 0.2))))
    if do["equaliser"]:
        audio = _equalise(audio, rng)
    if do["mask"]:
        audio = _mask(audio, rng)
    if do["gain"]:
        audio = _slow_gain(audio, rng)
    if do["reverb"]:
        audio = _reverberate(audio, rng)
    if do["babble"] and babble is not None and len(babble):
        audio = audio + _at_snr(audio, np.resize(babble, len(audio)), rng.uniform(8, 30))
    if do["noise"]:
        audio = audio + _at_snr(audio, _coloured_noise(len(audio), rng), rng.uniform(0, 37))
    if do["music"]:
        audio = audio + _at_snr(audio, music(len(audio), rng), rng.uniform(-3, 25))
    if do["band"]:
        audio = _limit_band(audio, rng)
    audio = set_level(audio, float(rng.uniform(*LEVELS)))
    return set_level(compressed(audio, rng), float(rng.uniform(*LEVELS))) if do["codec"] else audio


def set_level(audio: np.ndarray, decibels: float) -> np.ndarray:
    """Scale audio to a root mean square of `decibels` below full scale, peaks held under 0.98."""
    level = np.sqrt(np.mean(audio**2) + 1e-12)
    scaled = audio * (10 ** (decibels / 20) / level)
    limited = (scaled * min(1.0, 0.98 / (np.abs(scaled).max(initial=0.0) + 1e-9))).astype(np.float32)
    return limited.clip(-_PEAK, _PEAK)


def scale_vocal_tract(audio: np.ndarray, factor: float) -> np.ndarray:
    """Vocal tract length perturbation: formants times `factor` (above 1: a shorter tract), pitch and timing unchanged.

    The spectral envelope is stretched along frequency; the fine structure and the phase stay.
    """
    spectrum = _spectrum(audio)
    pitch = track_pitch(audio)
    voiced = pitch[pitch > 0]
    period = SAMPLE_RATE / (np.median(voiced) if len(voiced) else 120)
    envelope = _envelope(np.log(np.abs(spectrum) + 1e-6), int(np.clip(0.6 * period, 24, 80)))
    bins = np.arange(len(envelope)) / factor
    low = np.minimum(bins.astype(int), len(envelope) - 2)
    part = np.clip(bins - low, 0, 1)[:, None]
    moved = envelope[low] * (1 - part) + envelope[low + 1] * part
    return _waveform(spectrum * np.exp(np.clip(moved - envelope, -4, 4)), len(audio))


def _envelope(log: np.ndarray, keep: int) -> np.ndarray:
    """(bins, frames) spectral envelope of a log spectrum: its first `keep` cepstral coefficients, iterated until the
    curve passes through the harmonics' peaks rather than their mean (the true envelope of Imai and Abe, 1979)."""
    smooth = log
    for _ in range(6):
        cepstrum = np.fft.irfft(np.maximum(log, smooth), axis=0)
        cepstrum[keep : len(cepstrum) - keep + 1] = 0
        smooth = np.fft.rfft(cepstrum, axis=0).real
    return smooth


def _spectrum(audio: np.ndarray) -> np.ndarray:
    return stft(audio, nperseg=_WINDOW, noverlap=_WINDOW - _HOP)[2]


def _waveform(spectrum: np.ndarray, length: int) -> np.ndarray:
    audio = istft(spectrum, nperseg=_WINDOW, noverlap=_WINDOW - _HOP)[1][:length]
    return np.pad(audio, (0, length - len(audio))).astype(np.float32)


def _equalise(audio: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A smooth random response of a few dB and a tilt of up to 12 dB over the band."""
    points = np.linspace(0, 1, 9)
    decibels = 4 * rng.normal(size=9) + rng.uniform(-6, 6) * np.linspace(-1, 1, 9)
    return _filter(audio, points, 10 ** (decibels / 20))


def _filter(audio: np.ndarray, points: np.ndarray, gains: np.ndarray) -> np.ndarray:
    return fftconvolve(audio, firwin2(129, points, gains), "same").astype(np.float32)  # linear phase: no delay


def _mask(audio: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """SpecAugment: attenuate one or two frequency bands, and up to two stretches of 20 to 80 ms, by 26 dB."""
    spectrum = _spectrum(audio)
    rows, columns = spectrum.shape
    for _ in range(rng.integers(1, 3)):
        first = rng.integers(4, rows - 24)
        spectrum[first : first + rng.integers(4, 20)] *= 0.05
    for _ in range(rng.integers(0, 3)):
        first = rng.integers(0, max(columns - 10, 1))
        spectrum[:, first : first + rng.integers(3, 10)] *= 0.05
    return _waveform(spectrum, len(audio))


def _slow_gain(audio: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    knots = max(int(len(audio) / SAMPLE_RATE), 1) + 2
    curve = np.interp(np.linspace(0, 1, len(audio)), np.linspace(0, 1, knots), 5 * rng.normal(size=knots))
    return (audio * 10 ** (np.clip(curve, -12, 12) / 20)).astype(np.float32)


def _reverberate(audio: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Convolve with an impulse and a decaying noise tail, 3 to 20 dB below it; reverberation time 0.15 to 0.8 s."""
    decay = rng.uniform(0.15, 0.8)
    time = np.arange(int(decay * SAMPLE_RATE)) / SAMPLE_RATE
    tail = rng.normal(size=len(time)) * 10 ** (-3 * time / decay)
    tail[: int(0.003 * SAMPLE_RATE)] = 0
    tail *= 10 ** (-rng.uniform(3, 20) / 20) / np.sqrt((tail**2).sum() + 1e-9)
    tail[0] = 1
    return fftconvolve(audio, tail)[: len(audio)].astype(np.float32)


def _coloured_noise(length: int, rng: np.random.Generator) -> np.ndarray:
    """Noise with a slope between white and brown, and a slowly changing level."""
    frequency = np.fft.rfftfreq(length, 1 / SAMPLE_RATE)
    shape = np.maximum(frequency, 40) ** -rng.uniform(0, 1.2)
    noise = np.fft.irfft(np.fft.rfft(rng.normal(size=length)) * shape, length)
    knots = max(length // SAMPLE_RATE, 1) + 2
    level = np.interp(np.linspace(0, 1, length), np.linspace(0, 1, knots), rng.uniform(0.6, 1.4, size=knots))
    return noise * level


def _at_snr(audio: np.ndarray, other: np.ndarray, ratio: float) -> np.ndarray:
    """`other` scaled to a signal-to-noise ratio of `ratio` dB; the signal's power is its 90th percentile over time."""
    power = (audio[: len(audio) // _HOP * _HOP].reshape(-1, _HOP) ** 2).mean(1)
    loud = np.percentile(power, 90) if len(power) else 1e-6
    return (other * np.sqrt((loud + 1e-9) / (np.mean(other**2) + 1e-12) * 10 ** (-ratio / 10))).astype(np.float32)


def _limit_band(audio: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Band-pass as of a telephone or a poor codec: nothing above 2.8..6 kHz, little below 60..350 Hz."""
    low, high = rng.uniform(60, 350) / (SAMPLE_RATE / 2), rng.uniform(2800, 6000) / (SAMPLE_RATE / 2)
    return _filter(audio, np.array([0, low * 0.5, low * 1.2, high, high * 1.1, 1]), np.array([0, 0.1, 1, 1, 0, 0]))
