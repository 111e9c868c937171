"""A voice and a driving video at once, as parameters: each alone, and both together on one face.

The voice is a talking clip. The driver shows expressions, moves as the person of another clip does, and in half of the
cases says what that person says. Together, the face speaks the voice's words with the driver's expression, brows, eyes
and head; `acting/together.py` says what its mouth does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...vocabulary import COUNT, INDEX, REGIONS
from .acting.together import MOUTH, SMILES, expressions, together

ARTICULATION = [i for i in MOUTH if i not in SMILES]
REGION_OF = np.array([[name in names for names in REGIONS.values()] for name in INDEX], np.float32)
"""(COUNT, regions): 1 where a parameter is of a region, in the order of `REGIONS`."""
TALKING = 0.5
"""Share of the drivers that speak themselves."""


@dataclass(frozen=True)
class JointMotion:
    """Both people's motion, each (T, COUNT): the words alone (`said` by the voice, `spoken` by the driver) and the rest
    alone (`habit` of the voice, `expression` of the driver)."""

    said: np.ndarray
    habit: np.ndarray
    spoken: np.ndarray
    expression: np.ndarray

    def __len__(self) -> int:
        return len(self.said)

    @cached_property
    def voice(self) -> np.ndarray:
        """(T, COUNT): the voice's motion without a driver."""
        return together(self.said, self.habit)

    @cached_property
    def driving(self) -> np.ndarray:
        """(T, COUNT): the driver's motion without the voice."""
        return together(self.spoken, self.expression)

    def joined(self, audio: np.ndarray, motion: np.ndarray) -> np.ndarray:
        """(T, COUNT): both on one face. audio, motion (T or 1, regions) in 0..1: how strongly each has every region of
        `REGIONS`.

        In the mouth the voice's words take the place of the driver's and meet the driver's expression; what one source
        gives up of words or of expression, and of every other region, the other has."""
        heard, seen = audio @ REGION_OF.T, motion @ REGION_OF.T
        words = heard * self.said + (1 - heard) * seen * self.spoken
        others = seen * self.expression + (1 - seen) * heard * self.habit
        result = together(words, others)
        rest = [i for i in range(COUNT) if i not in MOUTH]
        mixed = seen * self.driving + (1 - seen) * heard * self.voice
        result[:, rest] = mixed[:, rest]
        return result


def draw_joint_motion(
    voice: np.ndarray, other: np.ndarray, rng: np.random.Generator, talking: float = TALKING
) -> JointMotion:
    """Two talking clips' parameters (T, COUNT) and (S, COUNT) -> both at once, as long as the shorter.

    The first is the voice's; the driver moves as the second. talking: how probably it says that clip's words too."""
    frames = min(len(voice), len(other))
    voice, other = voice[:frames], other[:frames]
    speaks = float(rng.random() < talking)
    expression = _without(other, ARTICULATION) + expressions(frames, rng)
    expression[:, SMILES] = np.clip(expression[:, SMILES], -0.5, 1)
    return JointMotion(
        said=_without(voice, SMILES),
        habit=_without(voice, ARTICULATION),
        spoken=speaks * _without(other, SMILES),
        expression=expression,
    )


def _without(parameters: np.ndarray, left_out: list[int]) -> np.ndarray:
    """The same with some parameters at rest."""
    parameters = parameters.copy()
    parameters[:, left_out] = 0
    return parameters
