"""Distractors laid over a scene: textured blobs, single eyes, wheels and dials."""

from __future__ import annotations

import cv2
import numpy as np

from .textures import mirrored, related_colours, surface


def blob(rng: np.random.Generator, image: np.ndarray, center: np.ndarray, extent: float) -> np.ndarray:
    """A random smooth outline filled with a texture, darker towards its edge: like fruit, stones, shoes, animals; two
    in five have the mirror symmetry of a face."""
    side = int(np.clip(extent, 12, 2 * image.shape[0]))
    patch = surface(rng, max(64, side))
    angle = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    radius = 1 + sum(rng.normal(0, 0.25 / k) * np.cos(k * angle + rng.uniform(0, 2 * np.pi)) for k in (1, 2, 3, 5))
    outline = 0.5 + 0.34 * radius[:, None] * np.stack([np.cos(angle), np.sin(angle) * rng.uniform(0.7, 1.3)], 1)
    shape = np.zeros(patch.shape[:2], np.uint8)
    cv2.fillPoly(shape, [(outline * patch.shape[0]).astype(np.int32)], 255, cv2.LINE_AA)
    round_off = cv2.GaussianBlur(shape, (0, 0), patch.shape[0] * rng.uniform(0.04, 0.15)).astype(np.float32) / 255
    patch = patch * (1 - rng.uniform(0.1, 0.9) * (1 - round_off[..., None])) * rng.uniform(0.8, 1.3)
    layer = np.dstack([np.clip(patch, 0, 255).astype(np.uint8), shape])
    layer = mirrored(rng, layer) if rng.random() < 0.4 else layer
    layer = cv2.resize(layer, (side, side), interpolation=cv2.INTER_AREA)
    return _composite(image, layer, center)


def eye(rng: np.random.Generator, image: np.ndarray, center: np.ndarray, extent: float) -> np.ndarray:
    """A single eye, or two far apart, with rim, highlight, lids and lashes: like those of animals, dolls and fish."""
    dark, rim, lid, white = related_colours(rng, 4)
    dark, radius = dark * rng.uniform(0, 0.4), 0.5 * extent * rng.uniform(0.3, 1)
    turn = float(rng.normal(0, 30))
    apart = rng.uniform(2.5, 5) * radius * np.array([1, rng.normal(0, 0.15)])
    for place in [center, center + apart][: int(rng.integers(1, 3))]:
        at, flat = tuple(int(v) for v in place), rng.uniform(0.55, 1.0)
        for share, colour in ((1.3, lid), (1.05, rim if rng.random() < 0.6 else white), (0.8, dark)):
            axes = (int(radius * share) + 1, int(radius * share * (flat if share > 1 else 0.5 + flat / 2)) + 1)
            cv2.ellipse(image, at, axes, turn, 0, 360, tuple(colour), -1, cv2.LINE_AA)
        glint = tuple(int(v) for v in place + rng.uniform(-0.4, 0.4, 2) * radius)
        cv2.circle(image, glint, int(0.12 * radius) + 1, tuple(np.clip(white + 80, 0, 255)), -1, cv2.LINE_AA)
        for lash in rng.uniform(np.pi, 2 * np.pi, int(rng.integers(0, 12))):
            ends = [place + k * radius * np.array([np.cos(lash), np.sin(lash)]) for k in (1.1, rng.uniform(1.3, 1.9))]
            points = [tuple(int(v) for v in end) for end in ends]
            cv2.line(image, *points, tuple(dark), max(1, int(0.06 * radius)), cv2.LINE_AA)
    return image


def wheel(rng: np.random.Generator, image: np.ndarray, center: np.ndarray, extent: float) -> np.ndarray:
    """Concentric rings with spokes or bolts between them: like wheels, dials, saws, seals."""
    at, radius, flat = tuple(int(v) for v in center), 0.5 * extent, rng.uniform(0.6, 1.0)
    turn = float(rng.uniform(0, 180))
    inner = np.sort(rng.uniform(0.15, 0.95, int(rng.integers(1, 4))))[::-1]
    for share, colour in zip((1.0, *inner), related_colours(rng, 4), strict=False):
        axes = (int(radius * share) + 1, int(radius * share * flat) + 1)
        cv2.ellipse(image, at, axes, turn, 0, 360, tuple(colour), -1, cv2.LINE_AA)
    ink, count, reach = (
        related_colours(rng, 1)[0] * rng.choice([0.3, 1.0]),
        int(rng.integers(3, 14)),
        rng.uniform(0.25, 0.8),
    )
    across = cv2.getRotationMatrix2D((0, 0), -turn, 1)[:, :2] @ np.diag([1, flat])
    for angle in 2 * np.pi * (np.arange(count) + rng.random()) / count:
        out = across @ np.array([np.cos(angle), np.sin(angle)]) * radius
        if rng.random() < 0.5:
            a, b = (tuple(int(v) for v in center + k * out) for k in (reach, min(1.0, reach + rng.uniform(0.1, 0.5))))
            cv2.line(image, a, b, tuple(ink), max(1, int(rng.uniform(0.02, 0.1) * radius)), cv2.LINE_AA)
        else:
            bolt = tuple(int(v) for v in center + reach * out)
            cv2.circle(image, bolt, max(1, int(rng.uniform(0.03, 0.12) * radius)), tuple(ink), -1, cv2.LINE_AA)
    return image


def _composite(image: np.ndarray, layer: np.ndarray, center: np.ndarray) -> np.ndarray:
    """Alpha-blend a layer (s,s,4), colours and opacity, into the picture around a point."""
    side, size = layer.shape[0], image.shape[0]
    x, y = (int(v - side / 2) for v in center)
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + side, size), min(y + side, size)
    if x1 > x0 and y1 > y0:
        part = layer[y0 - y : y1 - y, x0 - x : x1 - x].astype(np.float32)
        under = image[y0:y1, x0:x1].astype(np.float32)
        image[y0:y1, x0:x1] = under + part[..., 3:] / 255 * (part[..., :3] - under)
    return image
