"""Arms of a half body, as the ten parameters `vocabulary.ARMS`: states of stills, and gestures of clips.

Both hands rest before the belly, in every picture. While a person speaks they are held higher, beat downwards on
stressed vowels and move on to another hold before some of them; they sink back in pauses. Phases and curves are those
of `gestures`, with fewer degrees of freedom: the shape of a hand is a trait of the scene (`person/arms.py`).
"""

import numpy as np

from ....vocabulary import ARMS, HAND_MOVES
from ..speech.prosody import Prosody
from . import curves
from .gestures import gesture_units, minimum_jerk
from .performance import MotionStyle

_STREAM = 0x4A1F  # seeds a generator other than those of heads and hands
_HANDS = len(HAND_MOVES)
_OUT, _UP, _NEAR, _FLEX = range(_HANDS)
_RAISE, _SINK, _MOVE = 0.5, 0.6, 0.4  # s a movement takes
_BEATS = 0.9  # share of the stressed vowels with a beat


def arm_generator(*seeds: int) -> np.random.Generator:
    """The random generator for the arms of a clip, which heads and voices do not depend on."""
    return np.random.default_rng([*seeds, _STREAM])


def gesticulate(prosody: Prosody, style: MotionStyle, frames: int, rng: np.random.Generator) -> np.ndarray:
    """Arms (frames, 10) float32 in time with a voice; the clip begins with both hands at rest."""
    gain = float(np.clip(style.gain, 0.75, 1.3))
    hands, raised = np.zeros((2, frames, _HANDS)), np.zeros(frames)
    for start, end in gesture_units(prosody):
        begin = max(0.08, start - 0.4 + 0.08 * rng.normal())
        raised += minimum_jerk(frames, begin, _RAISE) - minimum_jerk(frames, end + 0.03, _SINK)
        now = np.zeros((2, _HANDS))
        for time in [begin, *_changes(prosody, begin + 0.8, end - 0.3, rng)]:
            then = _hold(gain, rng)
            step = minimum_jerk(frames, time, _RAISE if time == begin else _MOVE)
            hands += step[:, None] * (then - now)[:, None]
            now = then
        hands -= minimum_jerk(frames, end + 0.03, _SINK)[:, None] * now[:, None]
    _beat(hands, raised, prosody, gain, rng)
    for side in range(2):
        for move, size in enumerate((0.03, 0.04, 0.02, 0.03)):
            hands[side, :, move] += size * raised * curves.smooth_noise(frames, 1.2, rng)
    body = _body(raised, prosody, gain, rng)
    return np.concatenate([*hands, body], 1).astype(np.float32)


def random_arms_state(rng: np.random.Generator) -> np.ndarray:
    """Arms (10,) of one frame, independent of any other: often both hands alike, sometimes one or both at rest."""
    state = np.zeros(len(ARMS), np.float32)
    kind = rng.choice(["both", "apart", "one", "rest"], p=[0.45, 0.2, 0.2, 0.15])
    first, other = _anywhere(rng), _anywhere(rng)
    second = first + 0.25 * (other - first) if kind == "both" else other
    hands = np.stack([first, second])
    if kind == "one":
        hands[int(rng.integers(2))] = 0
    elif kind == "rest":
        hands[:] = 0
    state[: 2 * _HANDS] = (hands + rng.normal(size=hands.shape) * (0.05, 0.06, 0.04, 0.06)).ravel()
    state[2 * _HANDS :] = rng.normal(size=2) * (0.06, 0.03)
    return state


def random_arms_group(rng: np.random.Generator, count: int = 4) -> np.ndarray:
    """Arms (count, 10) of a group, frame 0 the source, whose hands mostly rest; an eighth of groups keep the arms."""
    states = np.stack([random_arms_state(rng) for _ in range(count)])
    if rng.random() < 0.75:
        states[0, : 2 * _HANDS] = rng.normal(size=2 * _HANDS) * 0.06
    kind = rng.random()
    if kind < 0.125:
        states[1:] = states[0]
    elif kind < 0.35:  # small movements, as between frames of one clip
        states[1:] = states[0] + 0.35 * (states[1:] - states[0])
    return states


def _anywhere(rng: np.random.Generator) -> np.ndarray:
    u = rng.uniform
    return np.array([u(-0.15, 0.7), u(0.0, 1.2), u(-0.15, 0.4), u(-0.35, 0.45)])


def _changes(prosody: Prosody, first: float, last: float, rng: np.random.Generator) -> list[float]:
    """Times (s) at which the hands move to another hold: before some accents, at least 1 s apart."""
    times: list[float] = []
    for accent in prosody.accents:
        time = accent.time - 0.3
        if first < time < last and (not times or time - times[-1] > 1.0) and rng.random() < 0.5:
            times.append(time)
    return times


def _hold(gain: float, rng: np.random.Generator) -> np.ndarray:
    """(2, 4): both hands held, mostly alike."""
    u = rng.uniform
    first, other = (np.array([u(0.05, 0.5) * gain, u(0.4, 0.85), u(0.0, 0.25), u(-0.2, 0.15)]) for _ in range(2))
    return np.stack([first, first + (0.2 if rng.random() < 0.8 else 0.8) * (other - first)])


def _beat(hands: np.ndarray, raised: np.ndarray, prosody: Prosody, gain: float, rng: np.random.Generator) -> None:
    """Strokes down and forwards on accents, lowest at the vowel, the wrist flexing a little later."""
    frames = hands.shape[1]
    for accent in prosody.accents:
        size = gain * (0.14 + 0.26 * accent.strength) * (0.75 + 0.5 * rng.random()) * (rng.random() < _BEATS)
        stroke, follow = (curves.nod(frames, accent.time + late, 0.13) for late in (0.0, 0.05))
        for side in range(2):
            own = size * raised * rng.uniform(0.85, 1.1)
            hands[side, :, _UP] -= own * stroke
            hands[side, :, _NEAR] += 0.35 * own * stroke
            hands[side, :, _FLEX] += 0.8 * own * follow


def _body(raised: np.ndarray, prosody: Prosody, gain: float, rng: np.random.Generator) -> np.ndarray:
    """(frames, 2): shoulders rise with raised arms and accents; the body leans to and fro."""
    frames = len(raised)
    lift, lean = 0.06 * raised, 0.012 * gain * curves.smooth_noise(frames, 2.0, rng)
    for accent in prosody.accents:
        lift = lift + 0.04 * gain * accent.strength * curves.raised_cosine(frames, accent.time, 0.4)
    return curves.ease_in(frames, 0.5)[:, None] * np.stack([lift, np.clip(lean, -0.07, 0.07)], 1)
