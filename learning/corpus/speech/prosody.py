"""Prosody of speech, to which head motion and gestures are timed: energy, pitch (F0), pitch accents, phrases."""

from dataclasses import dataclass

import numpy as np

from ....visemes.phones import SILENCE, VOWELS
from ....vocabulary import SAMPLE_RATE
from .engines import Utterance

HOP, WINDOW = SAMPLE_RATE // 100, SAMPLE_RATE // 25  # samples: 100 values a second, each of 40 ms for the pitch
PHRASE_GAP = 0.15  # s of silence that ends a phrase


@dataclass(frozen=True)
class Accent:
    """An accented vowel: time of its middle in seconds, strength 0..1."""

    time: float
    strength: float


@dataclass(frozen=True)
class Prosody:
    """energy (n,) log power and pitch (n,) F0 in Hz (0 where unvoiced), 100 a second; accents; phrases: (start, end) in
    seconds."""

    energy: np.ndarray
    pitch: np.ndarray
    accents: tuple[Accent, ...]
    phrases: tuple[tuple[float, float], ...]

    @property
    def median_pitch(self) -> float:
        voiced = self.pitch[self.pitch > 0]
        return float(np.median(voiced)) if len(voiced) else 120.0

    @property
    def pitch_range(self) -> float:
        """Standard deviation of the pitch in octaves."""
        voiced = self.pitch[self.pitch > 0]
        return float(np.std(np.log2(voiced))) if len(voiced) > 1 else 0.0

    def pitch_contour(self) -> np.ndarray:
        """(n,) pitch in octaves relative to its median, interpolated through unvoiced stretches."""
        voiced = np.flatnonzero(self.pitch > 0)
        if len(voiced) == 0:
            return np.zeros_like(self.pitch)
        octaves = np.log2(self.pitch[voiced] / self.median_pitch)
        return np.interp(np.arange(len(self.pitch)), voiced, octaves)


def analyse(speech: Utterance) -> Prosody:
    """Prosody of clean speech with aligned phones."""
    energy, pitch = _energy(speech.audio), track_pitch(speech.audio)
    return Prosody(energy, pitch, _accents(speech, energy, pitch), _phrases(speech))


def track_pitch(audio: np.ndarray, low: float = 60.0, high: float = 420.0) -> np.ndarray:
    """(n,) F0 in Hz, 100 a second, 0 where unvoiced: the peak of the normalised autocorrelation of 40 ms windows, which
    is divided by that of the window (Boersma 1993)."""
    frames = _windows(audio, WINDOW)
    frames = frames - frames.mean(1, keepdims=True)
    window = np.hanning(WINDOW)
    power = np.abs(np.fft.rfft(frames * window, 2048)) ** 2
    correlation = np.fft.irfft(power)[:, :320]
    shape = np.fft.irfft(np.abs(np.fft.rfft(window, 2048)) ** 2)[:320]
    correlation = correlation / (correlation[:, :1] + 1e-6) / (shape / shape[0])
    first, last = int(SAMPLE_RATE / high), int(SAMPLE_RATE / low)
    lags = correlation[:, first:last]
    best = lags.argmax(1)
    # The shortest lag whose correlation is nearly as high: longer ones are its multiples (octave errors).
    good = lags >= 0.9 * lags.max(1, keepdims=True)
    peaks = good[:, 1:-1] & (lags[:, 1:-1] >= lags[:, :-2]) & (lags[:, 1:-1] >= lags[:, 2:])
    best = np.where(peaks.any(1), peaks.argmax(1) + 1, best)
    voiced = (lags.max(1) > 0.5) & (frames.std(1) > 0.003)
    return np.where(voiced, SAMPLE_RATE / (best + first), 0.0)


def _windows(audio: np.ndarray, length: int) -> np.ndarray:
    count = max(len(audio) // HOP, 1)
    padded = np.pad(audio, (length // 2, length // 2 + HOP))
    return np.lib.stride_tricks.sliding_window_view(padded, length)[: count * HOP : HOP]


def _energy(audio: np.ndarray) -> np.ndarray:
    return np.log((_windows(audio, 400) ** 2).mean(1) + 1e-7)


def _accents(speech: Utterance, energy: np.ndarray, pitch: np.ndarray) -> tuple[Accent, ...]:
    """Vowels that stand out from their neighbours by a weighted sum of loudness, pitch and duration."""
    vowels = [phone for phone in speech.phones if phone.kind in VOWELS]
    if len(vowels) < 3:
        return ()
    slices = [slice(int(v.start * 100), max(int(v.end * 100), int(v.start * 100) + 1)) for v in vowels]
    loud = np.array([energy[s].mean() if len(energy[s]) else -16.0 for s in slices])
    high = np.array([np.log2(np.max(pitch[s], initial=1.0).clip(50)) for s in slices])
    long = np.log(np.array([max(v.duration, 0.02) for v in vowels]))
    score = sum(weight * (x - x.mean()) / (x.std() + 1e-3) for weight, x in ((1.0, loud), (0.8, high), (0.6, long)))
    score = score / (score.std() + 1e-3)
    padded = np.pad(score, 1, constant_values=-np.inf)
    chosen = np.flatnonzero((score > 0.3) & (score >= padded[:-2]) & (score >= padded[2:]))
    return tuple(Accent((vowels[i].start + vowels[i].end) / 2, float(np.clip(score[i] / 2, 0, 1))) for i in chosen)


def _phrases(speech: Utterance) -> tuple[tuple[float, float], ...]:
    phrases: list[list[float]] = []
    for phone in speech.phones:
        if phone.kind == SILENCE:
            continue
        if phrases and phone.start - phrases[-1][1] < PHRASE_GAP:
            phrases[-1][1] = phone.end
        else:
            phrases.append([phone.start, phone.end])
    return tuple((start, end) for start, end in phrases)
