"""Noise textures for skin, cloth and hair; pure functions of their random generator."""

from functools import lru_cache

import cv2
import numpy as np


def periodic_noise(rng: np.random.Generator, size: int, cells: int, octaves: int, gain: float = 0.6) -> np.ndarray:
    """Fractal value noise (size, size) that tiles, standard deviation 1; its first octave has `cells` cells across."""
    total, weight = np.zeros((size, size), np.float32), 1.0
    for octave in range(octaves):
        count = cells << octave
        if count > size:
            break
        coarse = np.pad(rng.normal(size=(count, count)).astype(np.float32), 2, mode="wrap")
        scale = size // count
        total += (
            weight
            * cv2.resize(coarse, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)[
                2 * scale : -2 * scale, 2 * scale : -2 * scale
            ]
        )
        weight *= gain
    return total / total.std()


def _spots(rng: np.random.Generator, size: int, count: int) -> np.ndarray:
    """Sparse round spots (freckles, moles) that wrap around; -1 elsewhere."""
    image = np.zeros((size, size), np.float32)
    for x, y, radius in zip(
        rng.integers(0, size, count), rng.integers(0, size, count), rng.exponential(1.1, count) + 0.8, strict=True
    ):
        for dx in (-size, 0, size):
            for dy in (-size, 0, size):
                if -9 < x + dx < size + 9 and -9 < y + dy < size + 9:
                    cv2.circle(image, (int(x + dx), int(y + dy)), int(np.ceil(radius)), float(rng.uniform(0.5, 1)), -1)
    return cv2.GaussianBlur(image, (0, 0), 0.9) * 2 - 1


def noise_texture(rng: np.random.Generator, size: int = 512) -> np.ndarray:
    """(size, size, 4) uint8: coarse, middle and fine noise around 128, and sparse spots, for one texture fetch."""
    layers = [
        periodic_noise(rng, size, 4, 3) * 0.33,
        periodic_noise(rng, size, 24 - 8, 3) * 0.33,
        periodic_noise(rng, size, 128, 2, 0.8) * 0.33,
        _spots(rng, size, 260),
    ]
    return np.clip(np.stack(layers, -1) * 127.5 + 127.5, 0, 255).astype(np.uint8)


@lru_cache(maxsize=1)
def noise_bank() -> tuple[np.ndarray, ...]:
    """The six noise textures of the corpus, always the same."""
    rng = np.random.default_rng(20240607)
    return tuple(noise_texture(rng) for _ in range(6))
