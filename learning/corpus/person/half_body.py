"""The body of a half-length picture: its arms, and how the ten parameters `vocabulary.ARMS` pose them."""

import numpy as np

from ....vocabulary import ARMS, COUNT, HAND_MOVES
from .arms import BODY, ArmShape, random_arms
from .identity import Look

PARAMETERS: int = COUNT + len(ARMS)
"""34 parameters of a half body: those of a head, then those of its arms."""
TORSO = 2.6
"""Length of the torso below its middle: beyond the lower edge of every picture."""
WRIST_AT_REST = np.array([1.05, -2.85, 1.0])
"""Far enough out that hands at rest lie beside each other: of a hand under another one the picture shows too little."""
_WRIST = slice(0, 3)


def random_half_arms(rng: np.random.Generator, look: Look) -> ArmShape:
    """Arms with hands that keep their shape: relaxed, somewhere between flat and half closed."""
    arms, curl = random_arms(rng, look), rng.uniform(0.05, 0.4)
    curls = np.clip(curl + np.array([0.0, 0.0, 0.04, 0.08, 0.1]) + 0.03 * rng.normal(size=5), 0, 1)
    hand = (rng.uniform(-0.2, 0.7), rng.uniform(-0.1, 0.2), 0.08 * rng.normal(), *curls, rng.uniform(0.1, 0.5))
    return ArmShape(arms.length, arms.sleeve, arms.nail, TORSO, tuple(float(value) for value in hand))


def gesture_of(state: np.ndarray, arms: ArmShape) -> np.ndarray:
    """A gesture (`arms.GESTURE`,) for arm parameters (10,)."""
    count = len(HAND_MOVES)
    lift, lean = state[2 * count :]
    hands = []
    for move in state[: 2 * count].reshape(2, count):
        wrist, shape = WRIST_AT_REST + move[_WRIST], np.array(arms.hand)
        shape[1] += move[3]
        hands += [wrist, shape]
    body = dict(zip(BODY, (lift, lift, lean, 0.0), strict=True))
    return np.concatenate([[body[name] for name in BODY], *hands])
