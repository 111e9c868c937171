"""Instrumental music: chords, a bass and drums, to lay under voices and to be silent to.

Synthesised because it must hold no voice: songs would teach lips to ignore singing. Measured on a voice model that had
never heard music: chords at -20 and -30 dB moved the jaw nearly as far as speech did.
"""

from __future__ import annotations

import numpy as np

from ....vocabulary import SAMPLE_RATE

SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 7, 9))
"""Semitones of major, minor and pentatonic scales."""
LOWEST = 110.0  # Hz, the key's lowest note


def music(samples: int, rng: np.random.Generator) -> np.ndarray:
    """(samples,) float32 at 16 kHz, root mean square 1: chords of two to four notes that change every beat or few, with
    or without bass and drums, at 60 to 160 beats a minute."""
    beat = round(60 / rng.uniform(60, 160) * SAMPLE_RATE)
    scale, key = SCALES[rng.integers(len(SCALES))], LOWEST * 2 ** (rng.integers(12) / 12)
    timbre = rng.uniform(0.5, 2.5)  # how fast its harmonics fall off
    decay, vibrato = float(np.exp(rng.uniform(np.log(0.15), np.log(4)))), rng.uniform(0, 0.006)
    sound = np.zeros(samples + beat, np.float64)
    begin = -int(rng.integers(beat))
    bass, drums = rng.random() < 0.5, rng.random() < 0.5
    while begin < samples:
        length = beat * int(rng.choice([1, 1, 2, 4]))
        root = int(rng.integers(len(scale)))
        notes = [
            scale[(root + 2 * i) % len(scale)] + 12 * ((root + 2 * i) // len(scale)) for i in range(rng.integers(2, 5))
        ]
        octave = 2 ** int(rng.integers(0, 3))
        for note in notes:
            _add(sound, begin, _tone(key * octave * 2 ** (note / 12), length, timbre, decay, vibrato, rng))
        if bass:
            _add(sound, begin, 1.5 * _tone(key / 2 * 2 ** (notes[0] / 12), length, 2.0, decay, 0, rng))
        if drums:
            for hit in range(begin, begin + length, beat // 2):
                _add(sound, hit, _drum(rng))
        begin += length
    sound = sound[:samples]
    return (sound / (np.sqrt(np.mean(sound**2)) + 1e-9)).astype(np.float32)


def _tone(
    pitch: float, length: int, timbre: float, decay: float, vibrato: float, rng: np.random.Generator
) -> np.ndarray:
    time = np.arange(length) / SAMPLE_RATE
    phase = 2 * np.pi * pitch * (time + vibrato / 30 * np.sin(2 * np.pi * 5 * time)) + rng.uniform(0, 2 * np.pi)
    harmonics = np.arange(1, max(2, min(24, int(7500 / pitch)) + 1))
    wave = sum(np.sin(h * phase) * h**-timbre for h in harmonics)
    attack = np.minimum(time / rng.uniform(0.003, 0.08), 1)
    release = np.minimum((length - np.arange(length)) / (0.01 * SAMPLE_RATE), 1)
    return wave * attack * release * np.exp(-time / decay) * rng.uniform(0.5, 1)


def _drum(rng: np.random.Generator) -> np.ndarray:
    """A kick, a snare or a hat."""
    time = np.arange(int(0.15 * SAMPLE_RATE)) / SAMPLE_RATE
    kind = rng.integers(3)
    if kind == 0:
        return 3 * np.sin(2 * np.pi * (50 * time + 4 * (1 - np.exp(-time / 0.02)))) * np.exp(-time / 0.05)
    noise = rng.normal(size=len(time))
    return (1.0 if kind == 1 else 0.5) * noise * np.exp(-time / (0.05 if kind == 1 else 0.015))


def _add(sound: np.ndarray, begin: int, part: np.ndarray) -> None:
    part = part[max(0, -begin) :]
    begin = max(0, begin)
    part = part[: max(0, len(sound) - begin)]
    sound[begin : begin + len(part)] += part
