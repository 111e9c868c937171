"""Procedural textures as negatives: relief in raking light, fur, folds of cloth, and mirror-symmetric versions of them.

False positives in photographs were gravel, fruit, mushrooms, curtains, foliage and ornaments: bumps in raking light and
surfaces with mirror symmetry. All textures are random; nothing is copied from a photograph.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np


def related_colours(rng: np.random.Generator, count: int) -> np.ndarray:
    """Related colours (count,3): random deviations from one colour; one set in three is gray, one in three brown or the
    colour of skin."""
    spread, kind = rng.uniform(8, 70), rng.random()
    drawn = (
        rng.uniform(30, 220, 3)
        + spread * rng.standard_normal((count, 1))
        + 0.4 * spread * rng.standard_normal((count, 3))
    )
    if kind < 0.33:
        drawn = np.repeat(drawn[:, :1], 3, 1)
    elif kind < 0.66:
        drawn = drawn[:, :1] * np.array([1.0, rng.uniform(0.62, 0.95), rng.uniform(0.4, 0.9)])
    return np.clip(drawn, 0, 255)


def surface(rng: np.random.Generator, size: int) -> np.ndarray:
    """(size,size,3) uint8: one of the textures below, in three of ten cases mirror-symmetric."""
    kinds: tuple[Callable, ...] = (relief, fur, folds)
    image = kinds[rng.choice(len(kinds), p=(0.5, 0.25, 0.25))](rng, size)
    return mirrored(rng, image) if rng.random() < 0.3 else image


def noise(rng: np.random.Generator, size: int, grain: float, roughness: float) -> np.ndarray:
    """Fractal noise (size,size), standard deviation 1: bumps of `grain` pixels; each finer octave is `roughness` (0..1)
    as high."""
    field, height = np.zeros((size, size), np.float32), 1.0
    while grain >= 2 and height > 0.05:
        cells = max(2, int(np.ceil(size / grain)) + 1)
        coarse = rng.standard_normal((cells, cells), np.float32)
        field += height * cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
        grain, height = grain / 2, height * roughness
    return (field - field.mean()) / (field.std() + 1e-6)


def relief(rng: np.random.Generator, size: int) -> np.ndarray:
    """A height field of bumps, cells or ridges, lit from a side: like gravel, fruit, bark, crumpled cloth, carvings."""
    grain = float(np.exp(rng.uniform(np.log(5), np.log(size / 2))))
    kind = rng.choice(["bumps", "cells", "ridges"])
    if kind == "cells":
        height = _cells(rng, size, grain)
    else:
        height = noise(rng, size, grain, rng.uniform(0.1, 0.7))
        height = -np.abs(height) if kind == "ridges" else height
    if rng.random() < 0.4:
        height = _bent(rng, height, rng.uniform(0.1, 0.8) * grain)
    steep = rng.uniform(0.1, 0.5) * grain
    slope_y, slope_x = np.gradient(cv2.GaussianBlur(height, (0, 0), rng.uniform(0.5, 1.5)) * steep)
    around, above = rng.normal(-np.pi / 2, 1.2), rng.uniform(0.2, 1.2)
    light = np.array([np.cos(around) * np.cos(above), np.sin(around) * np.cos(above), np.sin(above)])
    lit = (light[2] - slope_x * light[0] - slope_y * light[1]) / np.sqrt(1 + slope_x**2 + slope_y**2)
    low = np.clip(0.5 + rng.uniform(0, 0.5) * height, 0.2, 1)  # ambient occlusion: low points see less of the sky
    shade = (rng.uniform(0.1, 0.5) * low + rng.uniform(0.5, 1.1) * np.clip(lit, 0, 1))[..., None]
    first, second = related_colours(rng, 2)
    paint = height if rng.random() < 0.5 else noise(rng, size, 2 * grain, 0.5)
    albedo = first + np.clip(0.5 + rng.uniform(0, 0.5) * paint, 0, 1)[..., None] * (second - first)
    return np.clip(albedo * shade * rng.uniform(1.0, 1.6), 0, 255).astype(np.uint8)


def _cells(rng: np.random.Generator, size: int, grain: float) -> np.ndarray:
    """Heights (size,size) of stones or scales: Voronoi cells around jittered points, high in their middles."""
    steps = np.arange(0, size + grain, grain)
    places = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)
    places = places + rng.normal(0, rng.choice([0.08, 0.35]) * grain, places.shape)
    places[:, 0] += (
        (np.arange(len(places)) // len(steps) % 2) * grain / 2
    )  # every other row is offset by half a cell, like scales
    points = np.full((size, size), 255, np.uint8)
    inside = np.clip(places.astype(int), 0, size - 1)
    points[inside[:, 1], inside[:, 0]] = 0
    far = cv2.distanceTransform(points, cv2.DIST_L2, 3) / grain
    return 1 - 2 * far ** rng.uniform(1, 2.5) + 0.15 * noise(rng, size, grain / 2, 0.6)


def _bent(rng: np.random.Generator, image: np.ndarray, pixels: float) -> np.ndarray:
    """The picture under a smooth random displacement of about so many pixels."""
    size = image.shape[0]
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    grain = max(8.0, rng.uniform(1.5, 4) * pixels)
    dx, dy = (np.float32(pixels) * noise(rng, size, grain, 0.3) for _ in range(2))
    return cv2.remap(image, x + dx, y + dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def fur(rng: np.random.Generator, size: int) -> np.ndarray:
    """Noise smeared along a smooth flow field (line integral convolution): like fur, hair, grass, feathers."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    turns = rng.uniform(0, 2 * np.pi) + rng.uniform(0.2, 2.0) * noise(rng, size, rng.uniform(0.15, 0.8) * size, 0.3)
    step = np.float32(np.exp(rng.uniform(np.log(0.6), np.log(3))))
    dx, dy = step * np.cos(turns), step * np.sin(turns)
    strands = noise(rng, size, rng.uniform(2, 6), 0.5)
    for _ in range(3):  # each doubles the length of a strand
        strands = (strands + cv2.remap(strands, x + dx, y + dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)) / 2
        dx, dy = 2 * dx, 2 * dy
    strands = strands / (strands.std() + 1e-6)
    patches = noise(rng, size, rng.uniform(0.1, 0.7) * size, 0.5)
    patches = np.tanh(rng.uniform(0.5, 6) * (patches + rng.normal(0, 0.5)))
    first, second, third = related_colours(rng, 3)
    weight = np.clip(0.5 + rng.uniform(0.1, 0.3) * strands, 0, 1)[..., None]
    light = (1 + rng.uniform(0, 0.25) * noise(rng, size, rng.uniform(0.1, 0.5) * size, 0.4))[..., None]
    base = first + (0.5 + 0.5 * patches[..., None]) * (third - first)
    return np.clip((base + rng.uniform(0.3, 0.9) * weight * (second - base)) * light, 0, 255).astype(np.uint8)


def folds(rng: np.random.Generator, size: int) -> np.ndarray:
    """Bent bands: like curtains, drapery, planks, stripes, grain of wood, waves."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size
    turn, swag = rng.uniform(0, np.pi), rng.uniform(-1.5, 1.5) * (rng.random() < 0.4)
    across = x * np.cos(turn) + y * np.sin(turn) + swag * (x - rng.uniform(0.2, 0.8)) ** 2
    across = across + rng.uniform(0, 0.12) * noise(rng, size, rng.uniform(0.15, 0.8) * size, 0.4)
    phase = (np.exp(rng.uniform(np.log(2), np.log(24))) * across) % 1.0
    knots = np.sort(rng.random(int(rng.integers(2, 6))))
    shade = np.interp(phase, knots, rng.uniform(0.15, 1.2, len(knots)), period=1.0).astype(np.float32)
    shade = cv2.GaussianBlur(shade, (0, 0), rng.uniform(0.5, 3)) + 0.06 * noise(rng, size, 4, 0.6) * rng.random()
    first, second = related_colours(rng, 2)
    tint = first + np.clip(0.5 + 0.4 * noise(rng, size, 0.4 * size, 0.5), 0, 1)[..., None] * (second - first)
    return np.clip(tint * shade[..., None], 0, 255).astype(np.uint8)


def mirrored(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """The picture with one half replaced by the mirror image of the other, then slightly distorted: like ornaments,
    beetles, fronts of houses and shoes."""
    size = image.shape[1]
    axis = int(rng.uniform(0.3, 0.7) * size)
    columns = np.abs(axis - np.abs(np.arange(size) - axis))
    half = image[:, columns].astype(np.float32)
    half = half * (1 + rng.uniform(0, 0.15) * noise(rng, size, rng.uniform(0.1, 0.5) * size, 0.4))[..., None]
    half = np.clip(half, 0, 255).astype(np.uint8)
    return _bent(rng, half, rng.uniform(0.005, 0.03) * size) if rng.random() < 0.6 else half
