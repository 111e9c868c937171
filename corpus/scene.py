"""Light and camera around one person."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Light:
    """Directions are unit vectors towards the light; colours are linear and include strength."""

    key: np.ndarray
    key_colour: np.ndarray
    fill: np.ndarray
    fill_colour: np.ndarray
    rim: np.ndarray
    rim_colour: np.ndarray
    sky: np.ndarray
    ground: np.ndarray


@dataclass(frozen=True)
class Camera:
    """A pinhole on the z axis: `distance` from the head's centre, `half` = half the view's height there, centre (x, y)."""

    distance: float
    half: float
    centre: tuple[float, float]

    def project(self, points: np.ndarray) -> np.ndarray:
        """Camera-space (n, 3) -> (n, 3): clip-space x, y in [-1, 1] (y up), depth in front of the camera."""
        depth = self.distance - points[:, 2]
        scale = self.distance / (depth * self.half)
        return np.stack(
            [(points[:, 0] - self.centre[0]) * scale, (points[:, 1] - self.centre[1]) * scale, depth], 1
        ).astype(np.float32)


def _direction(x: float, y: float, z: float) -> np.ndarray:
    vector = np.array([x, y, z])
    return vector / np.linalg.norm(vector)


def random_light(rng: np.random.Generator) -> Light:
    """Soft frontal, side or top light with a weaker fill, a rim and a sky; tungsten to daylight."""
    u = rng.uniform
    warmth = rng.normal() * 0.10

    def coloured(strength: float, saturation: float) -> np.ndarray:
        tint = np.array([1 + warmth, 1.0, 1 - warmth]) * (1 + saturation * rng.normal(size=3))
        return strength * np.clip(tint, 0.4, 1.6)

    exposure = np.exp(0.16 + rng.normal() * 0.2)
    ratio = u(0.25, 0.85)  # how much of the light has a direction
    key = _direction(rng.normal() * 0.7, u(-0.1, 1.0), u(0.35, 1.2))
    return Light(
        key=key,
        key_colour=coloured(1.35 * exposure * ratio, 0.04),
        fill=_direction(-np.sign(key[0]) * u(0.2, 1), u(-0.3, 0.6), u(0.3, 1)),
        fill_colour=coloured(exposure * u(0.05, 0.5), 0.12),
        rim=_direction(rng.choice([-1, 1]) * u(0.5, 1), u(0, 0.8), -0.5),
        rim_colour=coloured(u(0, 1.2), 0.2) if rng.random() < 0.4 else np.zeros(3),
        sky=coloured(exposure * (1.15 - ratio) * u(0.6, 1.0), 0.06),
        ground=coloured(exposure * (1.15 - ratio) * u(0.25, 0.8), 0.10),
    )


def random_camera(rng: np.random.Generator) -> Camera:
    """Mostly a portrait crop; one in six nearer, farther or off the centre, so that the frame cuts the face."""
    if rng.random() < 0.17:
        return Camera(rng.uniform(3.2, 9), rng.uniform(0.85, 2.1), (rng.normal() * 0.28, -0.12 + rng.normal() * 0.25))
    return Camera(
        rng.uniform(4.0, 11),
        1.36 * float(np.exp(rng.normal() * 0.09)),
        (rng.normal() * 0.06, -0.14 + rng.normal() * 0.08),
    )
