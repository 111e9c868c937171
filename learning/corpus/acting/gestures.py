"""Co-speech gestures of hands and shoulders, shown in a quarter of the painted clips.

A gesture unit has the phases of Kendon (1980): hands rise before a phrase, hold and beat on its accents, and sink out
of the frame in the pause after it. Beats fall on stressed vowels, as real ones mostly do (Leonard and Cummins 2011).
Movements between two holds are minimum-jerk steps (Flash and Hogan 1985) that may overlap; fingers and wrist follow the
arm a little later. Gestures have a random generator of their own, so that heads and voices do not depend on them.
"""

from dataclasses import dataclass

import numpy as np

from ....vocabulary import FPS
from ..person.arms import BODY, HAND_STATE, IN_LAP
from ..speech.engines import Utterance
from ..speech.prosody import Prosody, analyse
from . import curves
from .performance import MotionStyle, motion_style

SHARE = 0.25
"""Part of the painted clips that have hands."""

_STREAM = 0x4A4D5  # seeds a generator other than the one of the person and the setting
_HOLD = 1.0  # s of silence after which raised hands sink
_RAISE, _SINK, _MOVE = 0.55, 0.7, 0.42  # s a movement takes
_LAG = 0.06  # s by which fingers and wrist follow
_WRIST, _HAND = slice(0, 3), slice(3, None)  # of a hand's state


@dataclass(frozen=True)
class HandShape:
    """Ranges of twist and flex (radians), curls from thumb to little finger, spread; weight: how often it is drawn."""

    twist: tuple[float, float]
    flex: tuple[float, float]
    curls: tuple[float, float, float, float, float]
    spread: float
    weight: float


HAND_SHAPES: dict[str, HandShape] = {
    "offering": HandShape((-1.1, -0.5), (-0.3, 0.1), (0.1, 0.15, 0.15, 0.2, 0.2), 0.6, 0.22),
    "facing": HandShape((-0.3, 0.4), (-0.1, 0.3), (0.15, 0.18, 0.2, 0.25, 0.28), 0.4, 0.24),
    "calming": HandShape((0.9, 1.4), (-0.4, -0.1), (0.2, 0.12, 0.12, 0.15, 0.15), 0.5, 0.12),
    "relaxed": HandShape((0.1, 0.9), (0.0, 0.4), (0.25, 0.3, 0.36, 0.4, 0.42), 0.3, 0.18),
    "pinching": HandShape((0.1, 0.8), (-0.1, 0.3), (0.75, 0.55, 0.4, 0.33, 0.28), 0.5, 0.12),
    "pointing": HandShape((0.4, 1.2), (-0.1, 0.2), (0.7, 0.03, 0.85, 0.9, 0.9), 0.2, 0.06),
    "fist": HandShape((0.0, 0.7), (-0.1, 0.2), (0.8, 0.9, 0.92, 0.92, 0.92), 0.1, 0.06),
}


def arm_generator(seed: int) -> np.random.Generator:
    """The random generator for the arms in the clip of an identity seed."""
    return np.random.default_rng([seed, _STREAM])


def has_hands(seed: int) -> bool:
    """Whether the painted clip of an identity seed shows hands."""
    return bool(arm_generator(seed).random() < SHARE)


def gestures_for(speech: Utterance, speaker: str, frames: int, seed: int) -> np.ndarray:
    """Gestures (frames, GESTURE) float32 of a speaker for a clip's sound and phones; a pure function of all four."""
    prosody = analyse(speech)
    return gesticulate(prosody, motion_style(speaker, prosody), frames, np.random.default_rng([seed, _STREAM, 1]))


def gesticulate(prosody: Prosody, style: MotionStyle, frames: int, rng: np.random.Generator) -> np.ndarray:
    """Gestures (frames, GESTURE) float32 in time with a voice; the clip begins with hands at rest."""
    gain = float(np.clip(style.gain, 0.7, 1.4))
    hands, raised = _hold_to_hold(prosody, frames, gain, rng)
    _beat(hands, raised, prosody, gain, rng)
    _vary(hands, raised, prosody, rng)
    return np.concatenate([_body(raised, prosody, gain, rng), *hands], 1).astype(np.float32)


def gesture_units(prosody: Prosody) -> list[tuple[float, float]]:
    """(start, end) in s of speech without a pause long enough for the hands to sink."""
    joined: list[list[float]] = []
    for start, end in prosody.phrases:
        if joined and start - joined[-1][1] < _HOLD:
            joined[-1][1] = end
        else:
            joined.append([start, end])
    return [(start, end) for start, end in joined]


def _hold_to_hold(
    prosody: Prosody, frames: int, gain: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Both hands moving from hold to hold (2, frames, 12), and how far each is raised (2, frames), 0..1."""
    hands = np.tile(IN_LAP, (2, frames, 1))
    raised = np.zeros((2, frames))
    favoured = int(rng.integers(2))
    for start, end in gesture_units(prosody):
        used = (0, 1) if rng.random() < 0.5 else (favoured,) if rng.random() < 0.75 else (1 - favoured,)
        begin = max(0.08, start - 0.45 + 0.1 * rng.normal())
        times = [begin] + _changes(prosody, begin + 0.9, end - 0.3, rng)
        now = {side: IN_LAP for side in used}
        for time in times:
            holds = _holds(used, gain, rng)
            for side in used:
                seconds = _RAISE if time == begin else _MOVE
                _move(hands[side], time + 0.04 * rng.random(), seconds, holds[side] - now[side])
            now = holds
        for side in used:
            _move(hands[side], end + 0.03, _SINK, IN_LAP - now[side])
            raised[side] += minimum_jerk(frames, begin, _RAISE) - minimum_jerk(frames, end + 0.03, _SINK)
    return hands, raised


def _changes(prosody: Prosody, first: float, last: float, rng: np.random.Generator) -> list[float]:
    """Times (s) at which the hands move to another hold: before some accents, at least 0.8 s apart."""
    times: list[float] = []
    for accent in prosody.accents:
        time = accent.time - 0.3
        if first < time < last and (not times or time - times[-1] > 0.8) and rng.random() < 0.6:
            times.append(time)
    return times


def _holds(used: tuple[int, ...], gain: float, rng: np.random.Generator) -> dict[int, np.ndarray]:
    """A hold for each hand: both mostly similar; a single hand is sometimes held before the chin."""
    if len(used) == 1 and rng.random() < 0.2:
        return {used[0]: _at_chin(rng)}
    nearest, lateral = 0.8 if len(used) == 2 else 0.5, 0.5 * gain
    first = _hold(nearest, lateral, rng)
    holds = {used[0]: first}
    for side in used[1:]:
        other = _hold(nearest, lateral, rng)
        holds[side] = first + 0.25 * (other - first) if rng.random() < 0.75 else other
    return holds


def _hold(nearest: float, lateral: float, rng: np.random.Generator) -> np.ndarray:
    shape = _hand_shape(tuple(HAND_SHAPES), rng)
    wrist = (nearest + lateral * rng.random(), rng.uniform(-2.4, -1.85), rng.uniform(0.9, 1.35))
    return np.concatenate([wrist, shape])


def _at_chin(rng: np.random.Generator) -> np.ndarray:
    wrist = (rng.uniform(0.3, 0.55), rng.uniform(-1.85, -1.5), rng.uniform(1.15, 1.35))
    return np.concatenate([wrist, _hand_shape(("relaxed", "pinching", "fist", "pointing"), rng)])


def _hand_shape(names: tuple[str, ...], rng: np.random.Generator) -> np.ndarray:
    """Twist, flex, aside, curls and spread (9,) of one of the hand shapes, with some noise."""
    weights = np.array([HAND_SHAPES[name].weight for name in names])
    shape = HAND_SHAPES[names[rng.choice(len(names), p=weights / weights.sum())]]
    curls = np.clip(np.array(shape.curls) + 0.06 * rng.normal() + 0.05 * rng.normal(size=5), 0, 0.95)
    angles = rng.uniform(*shape.twist), rng.uniform(*shape.flex), 0.12 * rng.normal()
    return np.array([*angles, *curls, np.clip(shape.spread + 0.2 * rng.normal(), 0, 1)])


def minimum_jerk(frames: int, start: float, seconds: float) -> np.ndarray:
    """0 before `start`, 1 from `start` + `seconds`, with minimum jerk between (Flash and Hogan 1985)."""
    t = np.clip((np.arange(frames) / FPS - start) / seconds, 0, 1)
    return t**3 * (10 - 15 * t + 6 * t * t)


def _move(hand: np.ndarray, start: float, seconds: float, change: np.ndarray) -> None:
    """Add a movement to one hand's states (frames, 12) in place; wrist angles and fingers come a little later."""
    hand[:, _WRIST] += minimum_jerk(len(hand), start, seconds)[:, None] * change[_WRIST]
    hand[:, _HAND] += minimum_jerk(len(hand), start + _LAG, seconds)[:, None] * change[_HAND]


def _beat(hands: np.ndarray, raised: np.ndarray, prosody: Prosody, gain: float, rng: np.random.Generator) -> None:
    """Strokes down and forwards on accents, the wrist flexing after them, fingers opening a little."""
    frames, index = hands.shape[1], {name: i for i, name in enumerate(HAND_STATE)}
    for accent in prosody.accents:
        size = gain * (0.08 + 0.22 * accent.strength) * (0.6 + 0.6 * rng.random()) * (rng.random() < 0.85)
        width = rng.uniform(0.12, 0.17)
        stroke, follow = (curves.nod(frames, accent.time + late, width) for late in (0.0, 0.05))
        for side in range(2):
            own = size * raised[side] * rng.uniform(0.7, 1.1)
            hands[side, :, index["wrist_y"]] -= own * stroke
            hands[side, :, index["wrist_z"]] += 0.45 * own * stroke
            hands[side, :, index["flex"]] += 0.9 * own * follow
            for finger in HAND_STATE[6:11]:
                hands[side, :, index[finger]] -= 0.2 * own * follow


def _vary(hands: np.ndarray, raised: np.ndarray, prosody: Prosody, rng: np.random.Generator) -> None:
    """Lift raised hands with the loudness, add slow noise to them, and clip the curls to 0..1."""
    frames = hands.shape[1]
    energy = np.interp(np.arange(frames) / FPS, np.arange(len(prosody.energy)) / 100, prosody.energy)
    low, high = np.percentile(energy, [20, 95])
    loud = curves.smooth(np.clip((energy - low) / (high - low + 1e-3), 0, 1), 0.25) - 0.5
    sizes = (0.04, 0.04, 0.05, 0.07, 0.06, 0.04, 0.03, 0.03, 0.03, 0.03, 0.03, 0.05)
    for side in range(2):
        hands[side, :, 1] += 0.2 * loud * raised[side]
        for i, size in enumerate(sizes):
            hands[side, :, i] += size * raised[side] * curves.smooth_noise(frames, 1.2, rng)
    np.clip(hands[..., 6:], 0, 1, out=hands[..., 6:])


def _body(raised: np.ndarray, prosody: Prosody, gain: float, rng: np.random.Generator) -> np.ndarray:
    """(frames, 4) as `arms.BODY`: shoulders rise with breath, accents and raised arms; the body leans and turns.

    The first frame is at rest, as it is for the head.
    """
    frames = raised.shape[1]
    lift, lean = np.zeros(frames), 0.012 * curves.smooth_noise(frames, 2.5, rng)
    for start, _ in prosody.phrases:
        lift += 0.055 * curves.raised_cosine(frames, start - 0.15, 1.0)
        lean += 0.02 * gain * rng.normal() * curves.smooth((np.arange(frames) / FPS > start).astype(float), 0.35)
    for accent in prosody.accents:
        lift += 0.05 * gain * accent.strength * rng.random() * curves.raised_cosine(frames, accent.time, 0.45)
    turn = 0.035 * gain * curves.smooth_noise(frames, 2.0, rng) + 0.05 * (raised[0] - raised[1])
    onset = curves.ease_in(frames, 0.5)
    sides = [lift + 0.07 * curves.smooth(side, 0.1) for side in raised]
    values = dict(zip(BODY, (*sides, np.clip(lean, -0.07, 0.07), turn), strict=True))
    return np.stack([onset * values[name] for name in BODY], 1)
