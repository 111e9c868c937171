"""A scene: person, light, camera and background, everything that does not change with the motion."""

from dataclasses import dataclass

import numpy as np

from ..person.arms import ArmShape
from ..person.half_body import random_half_arms
from ..person.identity import Identity
from ..person.rig import PosedMesh, Rig
from .backgrounds import background, pattern
from .shadows import light_frame
from .textures import noise_bank


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
    """A pinhole `distance` in front of the head's centre; half: half the height of its view there; centre (x, y)."""

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
    """Soft key light from the front, a side or above, a weaker fill, a rim light and the sky; tungsten to daylight."""
    u = rng.uniform
    warmth = rng.normal() * 0.10

    def coloured(strength: float, saturation: float) -> np.ndarray:
        tint = np.array([1 + warmth, 1.0, 1 - warmth]) * (1 + saturation * rng.normal(size=3))
        return strength * np.clip(tint, 0.4, 1.6)

    exposure = np.exp(0.16 + rng.normal() * 0.2)
    ratio = u(0.25, 0.85)  # of directional to all light
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
    """Mostly a portrait crop; one in six nearer, farther or off centre, so that the frame may cut the face."""
    if rng.random() < 0.17:
        return Camera(rng.uniform(3.2, 9), rng.uniform(0.85, 2.1), (rng.normal() * 0.28, -0.12 + rng.normal() * 0.25))
    return Camera(
        rng.uniform(4.0, 11),
        1.36 * float(np.exp(rng.normal() * 0.09)),
        (rng.normal() * 0.06, -0.14 + rng.normal() * 0.08),
    )


def half_body_camera(rng: np.random.Generator) -> Camera:
    """A view from above the hair down to the hips, in which resting hands are."""
    half = 2.6 * float(np.exp(rng.normal() * 0.035))
    return Camera(rng.uniform(9, 14), half, (rng.normal() * 0.07, 1.42 - half + 0.05 * rng.normal()))


class Scene:
    """One person with light, camera, textures and background.

    pattern_image: replaces the skin (None: none); noise: index of a texture of `textures.noise_bank`.
    """

    def __init__(
        self,
        identity: Identity,
        light: Light,
        camera: Camera,
        backdrop: np.ndarray,
        pattern_image: np.ndarray | None,
        noise: int,
        arms: ArmShape | None = None,
    ):
        self.identity, self.rig, self.light_frame = identity, Rig(identity, arms), light_frame(light.key)
        self.arms = arms
        self.light, self.camera, self.backdrop, self.pattern_image, self.noise = (
            light,
            camera,
            backdrop,
            pattern_image,
            noise,
        )

    def project(self, posed: PosedMesh) -> np.ndarray:
        """Vertices in clip space with depth (n, 3)."""
        return self.camera.project(posed.position)

    def landmarks(self, posed: PosedMesh) -> np.ndarray:
        """Landmarks (K, 2) in image coordinates: [0, 1], x right, y down."""
        clip = self.camera.project(posed.landmarks)[:, :2]
        return (clip * np.array([0.5, -0.5]) + 0.5).astype(np.float32)


def random_scene(rng: np.random.Generator, identity: Identity, size: int = 256, framing: str = "head") -> Scene:
    """`identity` with random light and camera, before a random background of `size` pixels a side; framing: of
    `vocabulary.FRAMINGS`."""
    half = framing == "half"
    pattern_image = pattern(rng) if identity.look.pattern > 0 else None
    return Scene(
        identity,
        random_light(rng),
        half_body_camera(rng) if half else random_camera(rng),
        background(rng, size),
        pattern_image,
        int(rng.integers(len(noise_bank()))),
        random_half_arms(rng, identity.look) if half else None,
    )


def uniforms(person: Identity, light: Light, arms: ArmShape | None = None) -> dict:
    """The shaders' uniforms (see `shaders.PRELUDE`) of a person in a light."""
    shape, look, hair, clothes, spectacles, hat = (
        person.shape, person.look, person.hair, person.clothes, person.glasses, person.hat,
    )  # fmt: skip
    values = {"noise": 0, "pattern": 1}
    for name in ("key", "key_colour", "fill", "fill_colour", "rim", "rim_colour", "sky", "ground"):
        values[name] = getattr(light, name)
    for name in ("skin", "lips", "brows", "iris", "sclera", "teeth", "make_up_colour"):
        values[name] = getattr(look, name)
    values |= {
        "hair": hair.colour,
        "cloth": clothes.colour,
        "cloth2": clothes.second,
        "face": (shape.mouth_y, shape.mouth_half, shape.eye_x, shape.slit_y),
        "face2": (shape.eye_half, shape.upper_lip, shape.lower_lip, shape.nose_tip_y),
        "brow": (shape.eye_y + shape.brow_y, shape.brow_half_height, look.brow_strength, shape.brow_arch),
        "growth": (look.moustache, look.goatee, look.beard, look.stubble),
        "traits": (look.freckles, look.wrinkles, look.make_up, look.shine),
        "hairline": (hair.hairline_y, hair.opening, hair.parting, hair.frizz),
        "hair_kind": (hair.style == "bald", hair.length_y, hair.style == "tied", hair.bangs),
        "weave": (clothes.weave, clothes.frequency, clothes.neckline, clothes.collar),
        "misc": (*look.offset, look.pattern, look.variation),
        "eye": (shape.iris, shape.iris * (0.36 + 0.2 * look.variation)),
    }
    if spectacles:
        values |= {"frame": spectacles.colour, "tint": spectacles.tint}
        values["lens"] = (spectacles.tint_amount, spectacles.reflection, 0, 0)
    if hat:
        values["hat"] = hat.colour
    if arms:
        values["nail"] = arms.nail
    return values
