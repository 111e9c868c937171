"""Video of drawn people: one scene, motion frame by frame."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ...vocabulary import COUNT
from .acting.gestures import arm_generator
from .drawing.backgrounds import background
from .drawing.rasterizer import HeadRasterizer
from .drawing.scene import Camera, Scene, half_body_camera, random_camera, random_light
from .drawing.textures import noise_bank
from .person.arms import GESTURE, random_arms
from .person.half_body import PARAMETERS, gesture_of, random_half_arms
from .person.identity import Identity, random_identity


def clip_scene(
    identity_seed: int, size: int, identity: Identity | None = None, hands: bool = False, framing: str = "head"
) -> Scene:
    """The scene of a clip, a pure function of the seed: a portrait crop of a person whose skin has no pattern.

    identity: of another person, in the scene of this seed; hands: with arms, in a wider view; framing: of
    `vocabulary.FRAMINGS`, a half body has arms in any case.
    """
    rng = np.random.default_rng([identity_seed, 77])
    person = random_identity(rng)
    while person.look.pattern > 0:
        person = random_identity(rng)
    camera = random_camera(rng)
    while abs(camera.centre[0]) > 0.15 or not 1.15 < camera.half < 1.7:
        camera = random_camera(rng)
    light, noise = random_light(rng), int(rng.integers(len(noise_bank())))
    person, backdrop, arms = identity or person, background(rng, size), None
    if framing == "half":
        own = arm_generator(identity_seed)
        camera, arms = half_body_camera(own), random_half_arms(own, person.look)
    elif hands:
        own = arm_generator(identity_seed)
        camera, arms = _wider(camera, own), random_arms(own, person.look)
    return Scene(person, light, camera, backdrop, None, noise, arms)


def _wider(camera: Camera, rng: np.random.Generator) -> Camera:
    """A half-length view: hands below the face are in the picture, and not enlarged much by perspective."""
    half, distance = rng.uniform(1.7, 2.05), rng.uniform(7, 11)
    centre = camera.centre[0], camera.centre[1] + 1.36 - half + 0.05 * rng.normal()
    return replace(camera, half=half, distance=distance, centre=centre)


class ClipRasterizer:
    """Draws one person frame after frame at `size` x `size` pixels.

    size: even, 64 .. 1024. Use one for several clips: opening the context and compiling takes most of a second.
    """

    def __init__(self, size: int = 256):
        if not 64 <= size <= 1024 or size % 2:
            raise ValueError(f"clips are drawn at an even size from 64 to 1024 pixels; got size={size}")
        self.rasterizer = HeadRasterizer(size)
        self.size = size

    def open(
        self, identity_seed: int, identity: Identity | None = None, hands: bool = False, framing: str = "head"
    ) -> Scene:
        """Set the scene of the following frames, see `clip_scene`."""
        scene = clip_scene(identity_seed, self.size, identity, hands, framing)
        self.rasterizer.set_scene(scene)
        return scene

    def frame(self, parameters: np.ndarray, gesture: np.ndarray | None = None) -> np.ndarray:
        """One frame (size, size, 3) uint8 for motion (24,), and a gesture (`arms.GESTURE`,) of a person with arms; for
        motion (34,) of a half body."""
        if len(parameters) == PARAMETERS:
            parameters, arms = np.split(np.asarray(parameters), [COUNT])
            gesture = gesture_of(arms, self.rasterizer.scene.arms)
        return self.rasterizer.draw(np.asarray(parameters, np.float32), gesture=gesture)[0]

    def landmarks(self, parameters: np.ndarray) -> np.ndarray:
        """Exact landmarks (K, 2) in [0, 1] of the frame for motion (24,)."""
        scene = self.rasterizer.scene
        return scene.landmarks(scene.rig.pose(np.asarray(parameters, np.float32)))

    def clip(
        self,
        identity_seed: int,
        parameters: np.ndarray,
        identity: Identity | None = None,
        gestures: np.ndarray | None = None,
    ) -> Iterator[np.ndarray]:
        """Frames (size, size, 3) uint8 of a clip with motion (T, 24), or (T, 34) of a half body; ValueError for another
        shape.

        gestures: (T, `arms.GESTURE`) of a person with arms (see `acting/gestures.py`); None: without arms.
        """
        parameters = np.asarray(parameters, np.float32)
        if parameters.ndim != 2 or parameters.shape[1] not in (COUNT, PARAMETERS):
            raise ValueError(
                f"motion of a clip must be (frames, {COUNT}), of a half body (frames, {PARAMETERS}); got "
                f"{parameters.shape}"
            )
        framing = "half" if parameters.shape[1] == PARAMETERS else "head"
        if gestures is not None and gestures.shape != (len(parameters), GESTURE):
            raise ValueError(f"gestures of this clip must be ({len(parameters)}, {GESTURE}); got {gestures.shape}")
        self.open(identity_seed, identity, gestures is not None, framing)
        for i, state in enumerate(parameters):
            yield self.frame(state, None if gestures is None else gestures[i])
