"""Random backgrounds, and the random patterns that replace the skin of some heads."""

import cv2
import numpy as np


def _colour(rng: np.random.Generator) -> np.ndarray:
    """A colour (3,), mostly of low saturation, as in rooms and streets."""
    colour = rng.random(3)
    return colour.mean() + (colour - colour.mean()) * rng.choice([0.12, 0.35, 0.9], p=[0.5, 0.38, 0.12])


def _gradient(rng: np.random.Generator, size: int) -> np.ndarray:
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size
    t = np.clip(x * rng.normal() + y * rng.normal() + rng.random(), 0, 1)[..., None]
    return (_colour(rng) * (1 - t) + _colour(rng) * t).astype(np.float32)


def _clouds(rng: np.random.Generator, size: int, image: np.ndarray) -> np.ndarray:
    for cells in (4, 16, 64)[: rng.integers(1, 4)]:
        grey = rng.random() < 0.8
        coarse = rng.normal(size=(cells, cells, 1 if grey else 3)).astype(np.float32)
        layer = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC).reshape(size, size, -1)
        image = image + layer * rng.uniform(0.02, 0.16) * (1 if grey else 0.6) * (16 / cells) ** 0.4
    return image


def _shapes(rng: np.random.Generator, size: int, image: np.ndarray, count: int) -> None:
    """Rectangles, discs, lines, ellipses, letters and plank-like bands, drawn over `image` (uint8) in place."""
    for _ in range(count):
        colour = tuple(int(255 * c) for c in _colour(rng))
        a, b = (tuple(int(v) for v in rng.integers(-size // 8, size + size // 8, 2)) for _ in range(2))
        kind = rng.integers(6)
        if kind == 0:
            cv2.rectangle(image, a, b, colour, -1 if rng.random() < 0.6 else int(rng.integers(1, 6)))
        elif kind == 1:
            cv2.circle(image, a, int(rng.integers(3, size // 4)), colour, -1 if rng.random() < 0.7 else 2)
        elif kind == 2:
            cv2.line(image, a, b, colour, int(rng.integers(1, 9)))
        elif kind == 3:
            axes = tuple(int(v) for v in rng.integers(4, size // 4, 2))
            cv2.ellipse(image, a, axes, float(rng.uniform(0, 180)), 0, 360, colour, -1)
        elif kind == 4:
            text = "".join(chr(c) for c in rng.integers(48, 122, 6))
            cv2.putText(
                image, text, a, int(rng.integers(0, 7)), float(rng.uniform(0.4, 2)), colour, int(rng.integers(1, 4))
            )
        else:
            step, vertical = int(rng.integers(6, size // 4)), rng.random() < 0.6
            for start in range(a[0] % step, size, step):
                ends = ((start, 0), (start, size)) if vertical else ((0, start), (size, start))
                cv2.line(image, *ends, colour, max(1, step // int(rng.integers(3, 12))))


def background(rng: np.random.Generator, size: int = 256) -> np.ndarray:
    """A background (size, size, 3) uint8: a gradient, smooth noise, few or many shapes, sharp or out of focus."""
    kind = rng.choice(["plain", "clouds", "things", "clutter"], p=[0.2, 0.2, 0.4, 0.2])
    image = _gradient(rng, size)
    if kind != "plain":
        image = _clouds(rng, size, image)
    image = np.ascontiguousarray((np.clip(image, 0, 1) * 255).astype(np.uint8))
    if kind == "things":
        _shapes(rng, size, image, int(rng.integers(2, 14)))
    elif kind == "clutter":
        _shapes(rng, size, image, int(rng.integers(14, 60)))
    if rng.random() < (0.6 if kind != "plain" else 0.2):
        image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.8, 9)) * size / 256)
    return image


def pattern(rng: np.random.Generator, size: int = 192) -> np.ndarray:
    """A texture (2 size, 2 size, 3) uint8: ellipses of random colours over smooth noise, mirrored so that it tiles."""
    image = np.ascontiguousarray((np.clip(_clouds(rng, size, _gradient(rng, size)), 0, 1) * 255).astype(np.uint8))
    for _ in range(int(rng.integers(40, 160))):
        centre = tuple(int(v) for v in rng.integers(0, size, 2))
        axes = tuple(int(v) for v in rng.integers(2, size // 8, 2))
        cv2.ellipse(
            image, centre, axes, float(rng.uniform(0, 180)), 0, 360, tuple(int(v) for v in rng.integers(0, 256, 3)), -1
        )
    image = np.concatenate([image, image[::-1]])
    return np.concatenate([image, image[:, ::-1]], 1)
