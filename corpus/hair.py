"""Hair and hats: shells around the skull whose silhouettes vary; strands and edges are cut in the shader.

Canonical coordinates of both: angle around the head, height y, layer (0 body, 1 loose outer strands, 2 hat), unused.
"""

import cv2
import numpy as np

from .geometry import smooth_step
from .head import Skull
from .identity import Hair, Hat, Identity
from .parts import HAIR, Part

_ANGLES = np.linspace(-np.pi, np.pi, 53)[None]
BODY, STRANDS, HAT = 0.0, 1.0, 2.0


def _lumps(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """Smooth noise (rows, columns), periodic across columns, deviation about 1."""
    total = np.zeros((rows, columns), np.float32)
    for cells, weight in ((5, 0.8), (11, 0.5), (23, 0.35)):
        coarse = rng.normal(size=(max(3, cells * rows // columns), cells)).astype(np.float32)
        coarse = np.concatenate([coarse, coarse[:, :1]], 1)
        total += weight * cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_CUBIC)
    total[:, -1] = total[:, 0]
    return total


def _shell(skull: Skull, heights: np.ndarray, volume: np.ndarray | float, swell: np.ndarray) -> np.ndarray:
    """A surface around the skull at a distance, closed over the crown, hanging straight below the jaw."""
    y = heights[:, None]
    rounded = np.clip(y, -0.35, 1)
    crown = np.minimum(1, (1 - rounded) * 6)
    side = np.maximum(skull.side(rounded), 0) + volume * (1 + 0.2 * (y < 0)) * crown
    back = np.maximum(skull.back(np.clip(y, -0.1, 1)), 0) + volume * crown
    front = np.maximum(skull.front(np.clip(y, -0.1, 1)), 0) + 0.8 * volume * crown
    sine, cosine = np.sin(_ANGLES), np.cos(_ANGLES)
    depth = np.where(cosine > 0, front, back)
    return np.stack(
        [side * sine * swell, y + volume * 0.8 * smooth_step(0.4, 1.0, y) + 0 * sine, depth * cosine * swell], -1
    )


def _hair_parts(hair: Hair, skull: Skull) -> list[Part]:
    rng = np.random.default_rng(hair.seed)
    low = hair.length_y
    heights = (
        np.concatenate([np.linspace(low, 0.0, 12)[:-1], np.linspace(max(0.0, low), 1.0, 20)])
        if low < -0.05
        else np.linspace(low, 1.0, 24)
    )
    lumps = _lumps(rng, len(heights), _ANGLES.shape[1])
    falling = smooth_step(-0.35, -1.2, heights)[:, None]
    swell = 1 + (0.012 + 0.05 * hair.frizz + 0.10 * hair.volume) * lumps * 0.8 + rng.uniform(-0.12, 0.12) * falling
    canonical_angle = np.broadcast_to(_ANGLES, swell.shape)
    canonical_y = np.broadcast_to(heights[:, None], swell.shape)
    shade = np.clip(0.82 + 0.2 * lumps, 0.5, 1.1)
    parts = []
    for layer, extra in ((STRANDS, 0.018 + 0.05 * hair.frizz), (BODY, 0.0)):
        if layer == STRANDS and hair.style == "tied":
            continue
        grid = _shell(skull, heights, hair.volume + extra, swell)
        canonical = np.stack([canonical_angle, canonical_y, np.full_like(swell, layer), np.zeros_like(swell)], -1)
        parts.append(Part(grid, canonical.astype(np.float32), HAIR, "hair", shade))
    return parts


def _hat_parts(hat: Hat, skull: Skull, hair_volume: float) -> list[Part]:
    heights = np.linspace(hat.edge_y, 1.0, 16)
    volume = hair_volume + 0.05 + (0.03 if hat.kind == "beanie" else 0.0)
    crown = _shell(skull, heights, volume, np.ones((16, _ANGLES.shape[1])))
    lift = (heights[:, None] - hat.edge_y) / (1 - hat.edge_y)
    crown[..., 1] += hat.height * lift * (0.6 if hat.kind == "cap" else 1.0)

    def canonical(grid: np.ndarray) -> np.ndarray:
        angle = np.broadcast_to(np.linspace(-np.pi, np.pi, grid.shape[1])[None], grid.shape[:2])
        return np.stack([angle, grid[..., 1], np.full(grid.shape[:2], HAT), np.zeros(grid.shape[:2])], -1).astype(
            np.float32
        )

    parts = [Part(crown, canonical(crown), HAIR, "head")]
    if hat.kind != "beanie":
        reach = np.linspace(1, 0, 5)[:, None]
        edge = crown[0][None]
        front = np.clip(np.cos(_ANGLES), 0, 1) ** 0.7 if hat.kind == "cap" else np.ones_like(_ANGLES)
        outward = (
            edge * np.array([1, 0, 1]) / np.maximum(np.linalg.norm(edge[..., [0, 2]], axis=-1, keepdims=True), 1e-6)
        )
        brim = (
            edge
            + outward * (hat.brim * reach * front)[..., None]
            - np.stack([0 * reach * front, 0.12 * reach**2 * front, 0 * reach * front], -1)
        )
        parts.append(Part(brim, canonical(brim), HAIR, "head"))
    return parts


def hair_and_hat(identity: Identity, skull: Skull) -> list[Part]:
    """The parts of a person's hair and hat (none for a bald head without a hat)."""
    parts = [] if identity.hair.style == "bald" else _hair_parts(identity.hair, skull)
    return parts + (_hat_parts(identity.hat, skull, identity.hair.volume) if identity.hat else [])
