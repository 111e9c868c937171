"""Negatives for the face finder: pictures without a face, and objects laid over scenes."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from ...corpus.drawing.backgrounds import background
from .distractors import blob, eye, wheel
from .textures import mirrored, related_colours, surface


def backdrop(rng: np.random.Generator, size: int) -> np.ndarray:
    """(size,size,3) uint8: the corpus's own backgrounds, and surfaces with dots, rings and bumps similar to facial
    features; one in ten has the mirror symmetry of a face."""
    kinds: tuple[Callable, ...] = (background, surface, spectrum, pebbles, strokes, rings)
    image = kinds[rng.choice(len(kinds), p=(0.4, 0.24, 0.1, 0.1, 0.08, 0.08))](rng, size)
    return mirrored(rng, image) if rng.random() < 0.1 else image


def spectrum(rng: np.random.Generator, size: int) -> np.ndarray:
    """Noise with a power-law spectrum, like clouds or sand, sometimes stretched in one direction like grass or wood."""
    y, x = np.meshgrid(np.fft.fftfreq(size), np.fft.rfftfreq(size), indexing="ij")
    stretch = np.exp(rng.normal(0, 0.7, 2))
    power = np.hypot(y * stretch[0], x * stretch[1]) + 1 / size
    wave = rng.standard_normal(power.shape) + 1j * rng.standard_normal(power.shape)
    field = np.fft.irfft2(wave * power ** -rng.uniform(0.3, 2.2), s=(size, size))
    field = (field - field.mean()) / (field.std() + 1e-6)
    first, second = related_colours(rng, 2)
    weight = (0.5 + rng.uniform(0.15, 0.5) * field)[..., None]
    return np.clip(first + weight * (second - first), 0, 255).astype(np.uint8)


def pebbles(rng: np.random.Generator, size: int) -> np.ndarray:
    """Discs in rows or in heaps, shaded like balls, coins, buttons and stones."""
    image = np.ascontiguousarray(background(rng, size))
    radius = float(np.exp(rng.uniform(np.log(4), np.log(size / 5))))
    ordered, shade = rng.random() < 0.4, rng.uniform(-0.5, 0.5, 2) * radius
    step = radius * rng.uniform(2.0, 3.2)
    places = (
        np.mgrid[0:size:step, 0:size:step].reshape(2, -1).T
        if ordered
        else rng.uniform(0, size, (int(rng.integers(3, 60)), 2))
    )
    colours = related_colours(rng, len(places))
    for (x, y), colour in zip(places, colours, strict=True):
        axes = radius * (1 if ordered else rng.uniform(0.6, 1.3)) * np.array([1, rng.uniform(0.7, 1)])
        turn = float(rng.uniform(0, 180))
        for share in (1.0, 0.75, 0.45):  # lighter towards one side
            center = tuple(int(v) for v in (x + shade[0] * (1 - share), y + shade[1] * (1 - share)))
            tint = tuple(int(v) for v in np.clip(colour * (1.25 - 0.35 * share), 0, 255))
            cv2.ellipse(image, center, tuple(int(a * share) + 1 for a in axes), turn, 0, 360, tint, -1, cv2.LINE_AA)
    return image


def strokes(rng: np.random.Generator, size: int) -> np.ndarray:
    """Short lines and dots, thick or thin, in one direction or all: like fur, leaves, writing, windows at night."""
    image = np.full((size, size, 3), related_colours(rng, 1)[0].astype(np.uint8))
    count, along = int(np.exp(rng.uniform(np.log(30), np.log(900)))), rng.uniform(0, np.pi)
    length, spread, width = np.exp(rng.uniform(0, np.log(30))), rng.choice([0.15, 0.6, 3.0]), int(rng.integers(1, 5))
    angles = along + spread * rng.standard_normal(count)
    starts = rng.uniform(0, size, (count, 2))
    ends = starts + length * rng.uniform(0.3, 1.2, (count, 1)) * np.stack([np.cos(angles), np.sin(angles)], 1)
    for a, b, colour in zip(
        starts.astype(int).tolist(), ends.astype(int).tolist(), related_colours(rng, count).tolist(), strict=True
    ):
        cv2.line(image, tuple(a), tuple(b), colour, width, cv2.LINE_AA)
    return image


def rings(rng: np.random.Generator, size: int) -> np.ndarray:
    """Rings and dots, alone or in pairs: like wheels, cups, lamps and eyes without a face."""
    image = np.ascontiguousarray(background(rng, size))
    for _ in range(int(rng.integers(1, 9))):
        center, radius = rng.uniform(0, size, 2), float(np.exp(rng.uniform(np.log(3), np.log(size / 4))))
        pair = rng.uniform(1.5, 4) * radius * np.array([1, rng.normal(0, 0.2)])
        for place in [center, center + pair][: int(rng.integers(1, 3))]:
            for colour, share in zip(related_colours(rng, 3), (1.0, 0.8, 0.4), strict=True):
                thickness = -1 if rng.random() < 0.7 else max(1, int(0.2 * radius))
                at = tuple(int(v) for v in place)
                cv2.circle(image, at, int(radius * share) + 1, tuple(int(v) for v in colour), thickness, cv2.LINE_AA)
    return image


def add_distractor(rng: np.random.Generator, image: np.ndarray, center: np.ndarray, extent: float) -> np.ndarray:
    """Lay a hand, a flower, a tie, a badge, a blob, an eye or a wheel of about `extent` pixels over a copy of the
    picture."""
    kinds: tuple[Callable, ...] = (_hand, _flower, _knot, _badge, blob, eye, wheel)
    chosen = kinds[rng.choice(len(kinds), p=(0.34, 0.1, 0.1, 0.1, 0.2, 0.06, 0.1))]
    return chosen(rng, np.ascontiguousarray(image.copy()), center, extent)


def _hand(rng: np.random.Generator, image: np.ndarray, center: np.ndarray, extent: float) -> np.ndarray:
    """Skin-coloured fingers side by side with dark gaps, over a palm; sometimes two hands crossed."""
    skin = np.array([1.0, rng.uniform(0.62, 0.82), rng.uniform(0.45, 0.72)]) * rng.uniform(70, 245)
    for _ in range(int(rng.integers(1, 3))):
        angle, bend = rng.uniform(0, 2 * np.pi), rng.normal(0, 0.1)
        palm = tuple(int(v) for v in center + rng.normal(0, 0.1, 2) * extent)
        axes = (int(0.34 * extent) + 1, int(0.28 * extent) + 1)
        cv2.ellipse(image, palm, axes, float(np.degrees(angle)), 0, 360, tuple(0.95 * skin), -1, cv2.LINE_AA)
        for finger in range(int(rng.integers(3, 6))):
            across = (finger - 1.8) * 0.17 * extent
            turn = angle + bend * (finger - 1.5)
            start = palm + across * np.array([-np.sin(angle), np.cos(angle)])
            end = start + extent * rng.uniform(0.35, 0.65) * np.array([np.cos(turn), np.sin(turn)])
            a, b = tuple(start.astype(int).tolist()), tuple(end.astype(int).tolist())
            width = max(1, int(0.15 * extent))
            cv2.line(image, a, b, tuple(skin * rng.uniform(0.25, 0.7)), width + max(1, width // 4), cv2.LINE_AA)
            cv2.line(image, a, b, tuple(np.clip(skin * rng.uniform(0.85, 1.1), 0, 255)), width, cv2.LINE_AA)
    return image


def _flower(rng: np.random.Generator, image: np.ndarray, center: np.ndarray, extent: float) -> np.ndarray:
    """Petals around one or several centres: flowers, patterned cloth, jewels."""
    for _ in range(int(rng.integers(1, 5))):
        heart, radius = center + rng.normal(0, 0.3, 2) * extent, extent * rng.uniform(0.12, 0.4)
        petals, colours = int(rng.integers(4, 10)), related_colours(rng, 3)
        for k in range(petals):
            angle = 2 * np.pi * k / petals + rng.normal(0, 0.1)
            at = tuple((heart + 0.6 * radius * np.array([np.cos(angle), np.sin(angle)])).astype(int).tolist())
            axes = (int(0.5 * radius) + 1, int(rng.uniform(0.15, 0.3) * radius) + 1)
            colour = tuple(np.clip(colours[0] * rng.uniform(0.7, 1.2), 0, 255))
            cv2.ellipse(image, at, axes, float(np.degrees(angle)), 0, 360, colour, -1, cv2.LINE_AA)
        cv2.circle(image, tuple(heart.astype(int).tolist()), int(0.25 * radius) + 1, tuple(colours[1]), -1, cv2.LINE_AA)
    return image


def _knot(rng: np.random.Generator, image: np.ndarray, center: np.ndarray, extent: float) -> np.ndarray:
    """A collar and a tie, plain or dotted."""
    shirt, tie, dots = related_colours(rng, 3)
    x, y, e = center[0], center[1], 0.5 * extent
    for points, colour in (
        ([(-0.9, -0.9), (0.9, -0.9), (0.4, 1.2), (-0.4, 1.2)], shirt),
        ([(-0.25, -0.7), (0.25, -0.7), (0.15, -0.2), (0.3, 1.3), (-0.3, 1.3), (-0.15, -0.2)], tie),
    ):
        shape = np.array([(x + e * u, y + e * v) for u, v in points], np.int32)
        cv2.fillPoly(image, [shape], tuple(colour), cv2.LINE_AA)
    for u, v in rng.uniform((-0.2, -0.6), (0.2, 1.2), (int(rng.integers(0, 12)), 2)):
        cv2.circle(image, (int(x + e * u), int(y + e * v)), max(1, int(0.06 * e)), tuple(dots), -1, cv2.LINE_AA)
    return image


def _badge(rng: np.random.Generator, image: np.ndarray, center: np.ndarray, extent: float) -> np.ndarray:
    """A round or square sign full of small strokes: patches, medals, clocks, number plates, letters."""
    ground, ink = related_colours(rng, 2)
    x, y = (int(v) for v in center)
    radius = int(0.45 * extent) + 1
    if rng.random() < 0.5:
        cv2.circle(image, (x, y), radius, tuple(ground), -1, cv2.LINE_AA)
    else:
        cv2.rectangle(image, (x - radius, y - radius // 2), (x + radius, y + radius // 2), tuple(ground), -1)
    for a, b in rng.uniform(-0.8, 0.8, (int(rng.integers(3, 14)), 2, 2)) * radius:
        ends = (int(x + a[0]), int(y + a[1] / 2)), (int(x + b[0] * 0.7), int(y + b[1] / 2))
        cv2.line(image, *ends, tuple(ink), max(1, radius // 10), cv2.LINE_AA)
    return image
