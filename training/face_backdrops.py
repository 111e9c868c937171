"""Pictures without a face: what the face finder must stay silent about."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from ..corpus.backgrounds import background


def backdrop(rng: np.random.Generator, size: int) -> np.ndarray:
    """(size,size,3) uint8: the corpus's own backgrounds, and textures whose dots and rings look a little like
    features."""
    kinds: tuple[Callable, ...] = (background, spectrum, pebbles, strokes, rings)
    return kinds[rng.choice(len(kinds), p=(0.52, 0.14, 0.14, 0.1, 0.1))](rng, size)


def _colours(rng: np.random.Generator, count: int) -> np.ndarray:
    """Related colours (count,3): one hue and brightness, and what varies about it; one set in three is gray."""
    spread = rng.uniform(8, 70)
    colours = (
        rng.uniform(30, 220, 3)
        + spread * rng.standard_normal((count, 1))
        + 0.4 * spread * rng.standard_normal((count, 3))
    )
    return np.clip(colours if rng.random() < 0.67 else np.repeat(colours[:, :1], 3, 1), 0, 255)


def spectrum(rng: np.random.Generator, size: int) -> np.ndarray:
    """Noise with a power-law spectrum, from clouds to sand, sometimes drawn out in one direction as grass and wood
    are."""
    y, x = np.meshgrid(np.fft.fftfreq(size), np.fft.rfftfreq(size), indexing="ij")
    stretch = np.exp(rng.normal(0, 0.7, 2))
    power = np.hypot(y * stretch[0], x * stretch[1]) + 1 / size
    wave = rng.standard_normal(power.shape) + 1j * rng.standard_normal(power.shape)
    field = np.fft.irfft2(wave * power ** -rng.uniform(0.3, 2.2), s=(size, size))
    field = (field - field.mean()) / (field.std() + 1e-6)
    first, second = _colours(rng, 2)
    weight = (0.5 + rng.uniform(0.15, 0.5) * field)[..., None]
    return np.clip(first + weight * (second - first), 0, 255).astype(np.uint8)


def pebbles(rng: np.random.Generator, size: int) -> np.ndarray:
    """Discs in rows or in heaps, shaded as balls, coins, buttons and stones are."""
    image = np.ascontiguousarray(background(rng, size))
    radius = float(np.exp(rng.uniform(np.log(4), np.log(size / 5))))
    ordered, shade = rng.random() < 0.4, rng.uniform(-0.5, 0.5, 2) * radius
    step = radius * rng.uniform(2.0, 3.2)
    places = (
        np.mgrid[0:size:step, 0:size:step].reshape(2, -1).T
        if ordered
        else rng.uniform(0, size, (int(rng.integers(3, 60)), 2))
    )
    colours = _colours(rng, len(places))
    for (x, y), colour in zip(places, colours, strict=True):
        axes = radius * (1 if ordered else rng.uniform(0.6, 1.3)) * np.array([1, rng.uniform(0.7, 1)])
        turn = float(rng.uniform(0, 180))
        for share in (1.0, 0.75, 0.45):  # lighter towards one side
            center = tuple(int(v) for v in (x + shade[0] * (1 - share), y + shade[1] * (1 - share)))
            tint = tuple(int(v) for v in np.clip(colour * (1.25 - 0.35 * share), 0, 255))
            cv2.ellipse(image, center, tuple(int(a * share) + 1 for a in axes), turn, 0, 360, tint, -1, cv2.LINE_AA)
    return image


def strokes(rng: np.random.Generator, size: int) -> np.ndarray:
    """Short lines and dots, thick or thin, along one direction or all over: fur, leaves, writing, windows at night."""
    image = np.full((size, size, 3), _colours(rng, 1)[0].astype(np.uint8))
    count, along = int(np.exp(rng.uniform(np.log(30), np.log(900)))), rng.uniform(0, np.pi)
    length, spread, width = np.exp(rng.uniform(0, np.log(30))), rng.choice([0.15, 0.6, 3.0]), int(rng.integers(1, 5))
    angles = along + spread * rng.standard_normal(count)
    starts = rng.uniform(0, size, (count, 2))
    ends = starts + length * rng.uniform(0.3, 1.2, (count, 1)) * np.stack([np.cos(angles), np.sin(angles)], 1)
    for a, b, colour in zip(
        starts.astype(int).tolist(), ends.astype(int).tolist(), _colours(rng, count).tolist(), strict=True
    ):
        cv2.line(image, tuple(a), tuple(b), colour, width, cv2.LINE_AA)
    return image


def rings(rng: np.random.Generator, size: int) -> np.ndarray:
    """Wheels, cups, lamps and eyes that belong to no face: rings and dots, alone or in pairs."""
    image = np.ascontiguousarray(background(rng, size))
    for _ in range(int(rng.integers(1, 9))):
        center, radius = rng.uniform(0, size, 2), float(np.exp(rng.uniform(np.log(3), np.log(size / 4))))
        pair = rng.uniform(1.5, 4) * radius * np.array([1, rng.normal(0, 0.2)])
        for place in [center, center + pair][: int(rng.integers(1, 3))]:
            for colour, share in zip(_colours(rng, 3), (1.0, 0.8, 0.4), strict=True):
                thickness = -1 if rng.random() < 0.7 else max(1, int(0.2 * radius))
                at = tuple(int(v) for v in place)
                cv2.circle(image, at, int(radius * share) + 1, tuple(int(v) for v in colour), thickness, cv2.LINE_AA)
    return image
