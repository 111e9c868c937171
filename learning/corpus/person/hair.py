"""Hair and hats: shells around the skull of varied silhouette; the shader discards the gaps between strands.

Canonical coordinates of both: angle around the head, height y, layer (0 body, 1 loose outer strands), unused.
"""

import cv2
import numpy as np

from ....vocabulary import HAIR
from .geometry import grid_triangles, smooth_step
from .head import Skull
from .identity import Hair, Hat, Identity
from .parts import HAT, Part

_ANGLES = np.linspace(-np.pi, np.pi, 53)[None]
BODY, STRANDS = 0.0, 1.0


def _periodic_noise(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """Smooth noise (rows, columns), periodic across columns, standard deviation about 1."""
    total = np.zeros((rows, columns), np.float32)
    for cells, weight in ((5, 0.8), (11, 0.5), (23, 0.35)):
        coarse = rng.normal(size=(max(3, cells * rows // columns), cells)).astype(np.float32)
        coarse = np.concatenate([coarse, coarse[:, :1]], 1)
        total += weight * cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_CUBIC)
    total[:, -1] = total[:, 0]
    return total


def _shell(skull: Skull, heights: np.ndarray, volume: np.ndarray | float, swell: np.ndarray) -> np.ndarray:
    """A surface around the skull at a distance (rows, columns or scalar), closed above, straight below the jaw."""
    y = heights[:, None]
    rounded = np.clip(y, -0.35, 1)
    crown = np.minimum(1, (1 - rounded) * 6)
    side = np.maximum(skull.side(rounded), 0) + volume * (1 + 0.2 * (y < 0)) * crown
    back = np.maximum(skull.back(np.clip(y, -0.1, 1)), 0) + volume * crown
    front = np.maximum(skull.front(np.clip(y, -0.1, 1)), 0) + 0.8 * volume * crown
    sine, cosine = np.sin(_ANGLES), np.cos(_ANGLES)
    depth = np.where(cosine > 0, front, back)
    top = y + volume * 0.8 * smooth_step(0.4, 1.0, y) + 0 * sine
    return np.stack([side * sine * swell, top, depth * cosine * swell], -1)


def _visible_triangles(hair: Hair, angle: np.ndarray, y: np.ndarray, outer: bool) -> np.ndarray:
    """(m,) bool: triangles that can be visible: not in the opening for the face, below short hair or behind."""
    side = np.abs(angle)
    hidden = (y < hair.hairline_y - 0.38) & (side < hair.opening - 0.1)
    if hair.length_y > -0.25:
        hidden |= (y < -0.06) & (side < 1.65)
    if outer:
        hidden |= side > 2.4
    return ~hidden.ravel()[grid_triangles(*angle.shape)].all(1)


def _hair_parts(hair: Hair, skull: Skull) -> list[Part]:
    rng = np.random.default_rng(hair.seed)
    heights = np.linspace(hair.length_y, 1.0, 24)
    if hair.length_y < -0.25:
        heights = np.concatenate([np.linspace(hair.length_y, 0.0, 12)[:-1], np.linspace(0.0, 1.0, 20)])
    angle, y = np.broadcast_arrays(_ANGLES, heights[:, None])
    lumps = _periodic_noise(rng, *y.shape)
    falling = smooth_step(-0.35, -1.2, y)
    swell = 1 + (0.010 + 0.05 * hair.frizz + 0.10 * hair.volume) * lumps * 0.8 + rng.uniform(-0.12, 0.12) * falling
    volume = hair.volume * np.ones_like(y)
    if not hair.bangs:  # combed back or aside: the shell rises from the skin at the hairline
        rise = smooth_step(hair.hairline_y - 0.05, hair.hairline_y + 0.3, y)
        flat = smooth_step(0.1, 0.7, np.cos(angle)) * (1 - rise) * (y > hair.hairline_y - 0.25)
        volume = volume + (np.minimum(0.03, hair.volume) - volume) * flat
    if hair.parting:  # a furrow along the parting
        volume = volume * (1 - 0.45 * np.exp(-(((angle - hair.parting) / 0.16) ** 2)) * (y < 0.97))
    shade = np.clip(0.84 + 0.18 * lumps, 0.55, 1.1)
    parts = []
    for layer, extra in ((STRANDS, 0.014 + 0.05 * hair.frizz), (BODY, 0.0)):
        if layer == STRANDS and hair.style == "tied":
            continue
        grid = _shell(skull, heights, volume + extra, swell)
        canonical = np.stack([angle, y, np.full_like(y, layer), np.zeros_like(y)], -1).astype(np.float32)
        parts.append(Part(grid, canonical, HAIR, "hair", shade, _visible_triangles(hair, angle, y, layer == STRANDS)))
    return parts


def _hat_parts(hat: Hat, skull: Skull, hair_volume: float) -> list[Part]:
    heights = np.linspace(hat.edge_y, 1.0, 16)
    volume = hair_volume + 0.05 + (0.03 if hat.kind == "beanie" else 0.0)
    crown = _shell(skull, heights, volume, np.ones((16, _ANGLES.shape[1])))
    lift = (heights[:, None] - hat.edge_y) / (1 - hat.edge_y)
    crown[..., 1] += hat.height * lift * (0.6 if hat.kind == "cap" else 1.0)

    def canonical(grid: np.ndarray) -> np.ndarray:
        angle = np.broadcast_to(np.linspace(-np.pi, np.pi, grid.shape[1])[None], grid.shape[:2])
        return np.stack([angle, grid[..., 1], 0 * angle, 0 * angle], -1).astype(np.float32)

    parts = [Part(crown, canonical(crown), HAT, "head")]
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
        parts.append(Part(brim, canonical(brim), HAT, "head"))
    return parts


def hair_and_hat(identity: Identity, skull: Skull) -> list[Part]:
    """The parts of a person's hair and hat (none for a bald head without a hat)."""
    parts = [] if identity.hair.style == "bald" else _hair_parts(identity.hair, skull)
    return parts + (_hat_parts(identity.hat, skull, identity.hair.volume) if identity.hat else [])
