"""Curves over the frames of a clip (25 a second) from which movements are composed; times in seconds."""

import numpy as np
from scipy.signal import butter, sosfiltfilt

from ....vocabulary import FPS
from ..speech.prosody import Prosody


def smooth_noise(frames: int, tau: float, rng: np.random.Generator) -> np.ndarray:
    """Ornstein-Uhlenbeck process of unit variance and time constant tau (s), low-passed at 2 Hz."""
    margin = 2 * FPS
    keep = np.exp(-1 / (FPS * tau))
    noise = rng.normal(size=frames + 2 * margin) * np.sqrt(1 - keep**2)
    path = np.empty_like(noise)
    value = rng.normal()
    for i, kick in enumerate(noise):
        value = keep * value + kick
        path[i] = value
    return sosfiltfilt(butter(2, 2.0, fs=FPS, output="sos"), path)[margin : margin + frames]


def smooth(curve: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian smoothing, sigma in seconds, edge values repeated."""
    half = max(int(3 * sigma * FPS), 1)
    kernel = np.exp(-0.5 * (np.arange(-half, half + 1) / (sigma * FPS)) ** 2)
    return np.convolve(np.pad(curve, half, "edge"), kernel / kernel.sum(), "valid")


def ease_in(frames: int, seconds: float) -> np.ndarray:
    """0 at the first frame, 1 after about three times `seconds`: a critically damped step, which starts at speed 0."""
    time = np.arange(frames) / FPS
    return 1 - (1 + time / (seconds / 2)) * np.exp(-time / (seconds / 2))


def raised_cosine(frames: int, centre: float, width: float) -> np.ndarray:
    """A rise and fall of height 1 around `centre` (s), `width` seconds in all."""
    away = np.clip((np.arange(frames) / FPS - centre) / (width / 2), -1, 1)
    return 0.5 + 0.5 * np.cos(np.pi * away)


def nod(frames: int, centre: float, width: float) -> np.ndarray:
    """A peak of 1 at `centre` (s), down as pitch is counted, with a lift before and a rebound after it; `width` in
    seconds."""
    away = (np.arange(frames) / FPS - centre) / width
    return (1 - 0.5 * away**2) * np.exp(-0.5 * away**2)


def speaking(frames: int, prosody: Prosody) -> np.ndarray:
    """1 in the frames of phrases, 0 in silence."""
    time = np.arange(frames) / FPS
    spoken = np.zeros(frames)
    for start, end in prosody.phrases:
        spoken[(time >= start) & (time <= end)] = 1
    return spoken
