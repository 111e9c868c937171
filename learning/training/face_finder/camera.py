"""Augmentation of scenes as by cameras and files: light, colour, blur, noise, JPEG."""

from __future__ import annotations

import cv2
import numpy as np


def photograph(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """(H,W,3) uint8 -> an augmented copy. Each change has a probability of its own; one picture in eight is gray."""
    image = _light(rng, image.astype(np.float32) / 255)
    if rng.random() < 0.13:
        image = np.repeat((image @ np.float32([0.3, 0.59, 0.11]))[..., None], 3, axis=2)
        image = image * (1 + rng.normal(0, 0.04, 3) * (rng.random() < 0.5)).astype(np.float32)  # sepia or blue toning
    if rng.random() < 0.3:
        image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.4, 1.4)))
    if rng.random() < 0.08:
        image = _motion_blurred(rng, image)
    if rng.random() < 0.15:
        image = _resampled(rng, image)
    if rng.random() < 0.3:
        noise = rng.standard_normal(image.shape[:2] + (3 if rng.random() < 0.6 else 1,), np.float32)
        image = image + noise * np.float32(rng.uniform(0.005, 0.06))
    image = (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)
    if rng.random() < 0.4:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(18, 92))]
        image = cv2.imdecode(cv2.imencode(".jpg", image, quality)[1], cv2.IMREAD_COLOR)
    return image


def _light(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Gamma, exposure, contrast, saturation, tint, and a shadow across the picture."""
    image = np.maximum(image, 1e-4) ** np.float32(np.exp(rng.normal(0, 0.3)))
    if rng.random() < 0.12:
        image = image * np.float32(rng.uniform(0.3, 0.6))  # low light
    gray = image @ np.full((3, 1), 1 / 3, np.float32)
    image = gray + (image - gray) * np.float32(np.clip(1 + rng.normal(0, 0.35), 0.1, 2))
    image = image * np.exp(rng.normal(0, 0.08, 3)).astype(np.float32)
    image = (image - 0.5) * np.float32(np.exp(rng.normal(0, 0.2))) + np.float32(0.5 + rng.normal(0, 0.06))
    if rng.random() < 0.3:
        height, width = image.shape[:2]
        y, x = np.mgrid[0:height, 0:width].astype(np.float32) / max(height, width) - 0.5
        angle, softness = rng.uniform(0, 2 * np.pi), rng.uniform(0.02, 0.6)
        edge = (x * np.cos(angle) + y * np.sin(angle) - rng.normal(0, 0.2)) / softness
        image = image * (1 - rng.uniform(0.2, 0.7) / (1 + np.exp(-np.clip(4 * edge, -30, 30))))[..., None].astype(
            np.float32
        )
    return image


def _motion_blurred(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    length = int(rng.integers(3, 8))
    kernel = np.zeros((length, length), np.float32)
    a, b = rng.integers(0, length, 2), rng.integers(0, length, 2)
    cv2.line(kernel, (int(a[0]), 0), (int(b[0]), length - 1), 1.0)
    return cv2.filter2D(image, -1, kernel / kernel.sum())


def _resampled(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Downsampled, and upsampled to the size that it had."""
    height, width = image.shape[:2]
    factor = rng.uniform(0.45, 0.8)
    small = cv2.resize(image, (round(width * factor), round(height * factor)), interpolation=cv2.INTER_AREA)
    return cv2.resize(
        small, (width, height), interpolation=cv2.INTER_LINEAR if rng.random() < 0.7 else cv2.INTER_NEAREST
    )
