"""From timed phones to mouth parameters: a viseme table, dominance functions, closures, pauses.

Coarticulation is Cohen and Massaro's (1993): each mouth channel is the weighted mean of the phones' targets, with
dominances that decay exponentially around a phone. Three rules are added, which the mean alone misses: lips are closed
in p b m and f v, they stay parted in short pauses, and they part just before speech to breathe in. The numbers are
fitted to the measured lips of real speakers. Loudness is not used: in running speech mouth opening hardly correlates
with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..vocabulary import COUNT, FPS, INDEX
from .phones import SILENCE, VOWELS, Phone

STEP = 0.005  # s, the fine grid on which curves are drawn before frames are sampled

WIDE_OPENING = 0.68  # jaw parameter of the widest natural "a"
LIP_PER_JAW = 0.25  # how far a fully raised upper (or lowered lower) lip opens the mouth, in jaw parameters
PUCKER_PARTS = 0.10  # how far lips pushed fully forward part by themselves, in jaw parameters

PAUSE_OPENING, PAUSE_HOLD, PAUSE_DECAY = 0.28, 0.35, 0.3  # of a wide "a"; s; s
BREATH_LEAD, BREATH_DECAY = 0.12, 0.1  # s before speech
REST_OPENING = 0.03  # below this a pause counts as closed lips

CLOSE_TIME, RELEASE_TIME = 0.065, 0.05  # s, lips on their way to and from a closure
CLOSURES = frozenset(("p", "f"))


@dataclass(frozen=True)
class Viseme:
    """Targets, and dominance (their weight in coarticulation) for opening, width, press and tongue.

    reach: time constant of the dominance in seconds; opening: between the inner lips, 1 is a wide "a"; width: -1
    rounded .. 1 spread; teeth: share of the opening made by the lips rather than the jaw, which shows the teeth.
    """

    opening: float
    width: float
    press: float = 0.0
    tongue: float = 0.0
    teeth: float = 0.15
    dominance: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 0.5)
    reach: float = 0.055


VISEMES: dict[str, Viseme] = {
    "a": Viseme(0.95, 0.05, teeth=0.08),
    "ae": Viseme(0.90, 0.35, teeth=0.15),
    "E": Viseme(0.70, 0.35, teeth=0.18),
    "e": Viseme(0.55, 0.50, teeth=0.22),
    "i": Viseme(0.40, 0.70, teeth=0.35),
    "I": Viseme(0.50, 0.40, teeth=0.25),
    "y": Viseme(0.05, -0.80, teeth=0.0),
    "oe": Viseme(0.20, -0.60, teeth=0.05),
    "schwa": Viseme(0.34, 0.0, teeth=0.15),
    "er": Viseme(0.24, -0.25, teeth=0.15),
    "uh": Viseme(0.62, 0.0, teeth=0.10),
    "O": Viseme(0.40, -0.45, teeth=0.05),
    "o": Viseme(0.18, -0.70, teeth=0.0),
    "U": Viseme(0.12, -0.60, teeth=0.0),
    "u": Viseme(0.02, -0.90, teeth=0.0),
    "ii": Viseme(0.24, 0.30, teeth=0.25),
    "p": Viseme(0.00, 0.00, 1.0, 0.0, 0.0, (9.0, 0.3, 6.0, 0.3), 0.030),
    "f": Viseme(0.00, 0.05, 0.45, 0.0, 0.0, (5.0, 0.4, 4.0, 0.3), 0.035),
    "w": Viseme(0.00, -0.95, 0.1, 0.0, 0.0, (2.5, 2.5, 1.0, 0.3), 0.050),
    "S": Viseme(0.22, -0.50, 0.0, 0.3, 0.45, (1.4, 1.2, 0.6, 1.0), 0.045),
    "s": Viseme(0.28, 0.25, 0.0, 0.4, 0.55, (1.4, 0.5, 0.6, 1.0), 0.040),
    "t": Viseme(0.31, 0.10, 0.0, 0.8, 0.35, (0.8, 0.25, 0.5, 1.5), 0.035),
    "l": Viseme(0.30, 0.10, 0.0, 1.0, 0.25, (0.6, 0.25, 0.5, 2.0), 0.040),
    "th": Viseme(0.28, 0.10, 0.0, 1.0, 0.30, (0.9, 0.3, 0.5, 2.0), 0.040),
    "k": Viseme(0.40, 0.10, 0.0, 0.0, 0.15, (0.4, 0.2, 0.4, 0.5), 0.035),
    "r": Viseme(0.13, -0.35, 0.0, 0.3, 0.15, (0.9, 0.8, 0.5, 0.7), 0.045),
    "j": Viseme(0.24, 0.50, 0.0, 0.2, 0.30, (0.9, 0.8, 0.5, 0.7), 0.045),
    "h": Viseme(0.35, 0.00, 0.0, 0.0, 0.10, (0.12, 0.1, 0.2, 0.3), 0.030),
    SILENCE: Viseme(0.00, 0.00, 0.0, 0.0, 0.10, (0.5, 0.35, 0.5, 0.5), 0.070),
}
"""One viseme for each class of phones.CLASSES; opening is of the inner lips, so rounded vowels are nearly closed."""

WIDTH_REACH = 1.5  # lips round and spread over a longer stretch than they open
ANTICIPATION, CARRY_OVER = 1.2, 0.8  # reach before and after a phone: 120 ms and 80 ms for an average sound


def pause_opening(time: np.ndarray, length: float, *, first: bool = False, last: bool = False) -> np.ndarray:
    """Inner-lip opening (of a wide "a") `time` seconds into a pause of `length` seconds.

    Parted at PAUSE_OPENING for PAUSE_HOLD, then closing with the time constant PAUSE_DECAY; parting again BREATH_LEAD
    before speech. `first`: nothing was said before, `last`: nothing follows. Long pauses come to exactly 0.
    """
    time = np.asarray(time, np.float64)
    after = np.exp(-np.maximum(time - PAUSE_HOLD, 0) / PAUSE_DECAY) * (not first)
    before = np.exp(-np.maximum(length - time - BREATH_LEAD, 0) / BREATH_DECAY) * (not last)
    opening = PAUSE_OPENING * np.maximum(after, before)
    return np.maximum(opening - REST_OPENING, 0) * PAUSE_OPENING / (PAUSE_OPENING - REST_OPENING)


def mouth_parameters(phones: Sequence[Phone], frames: int, *, openness: float = 1.0, width: float = 1.0) -> np.ndarray:
    """(frames, COUNT) float32 at FPS with the mouth's parameters filled in; frame i is the mouth at (i + 0.5) / FPS
    seconds.

    openness and width scale a speaker's habit. Closures stay closed whatever the openness: in them, jaw and lips are
    exactly 0, and at least one frame shows each.
    """
    result = np.zeros((frames, COUNT), np.float32)
    if not phones or frames == 0:
        return result
    time = np.arange(0, frames / FPS + STEP, STEP)
    opening, round_spread, press, tongue, teeth = _coarticulate(phones, time)
    opening = opening + _pauses(phones, time)
    blur = np.exp(-0.5 * (np.arange(-8, 9) * STEP / 0.012) ** 2)
    curves = np.stack([opening, round_spread, press, tongue, teeth])
    curves = np.stack([np.convolve(np.pad(c, 8, "edge"), blur / blur.sum(), "valid") for c in curves])

    moment = (np.arange(frames) + 0.5) / FPS
    opening, round_spread, press, tongue, teeth = (np.interp(moment, time, c) for c in curves)
    closed = _closed(phones, moment)
    gate = 1 - closed
    gap = WIDE_OPENING * openness * np.maximum(opening, 0) * gate
    pucker = np.clip(-round_spread * width, 0, 1)
    parted = gap * teeth
    result[:, INDEX["jaw"]] = np.maximum(gap - parted - PUCKER_PARTS * pucker, 0)
    result[:, INDEX["upper_lip"]] = parted * 0.4 / LIP_PER_JAW
    result[:, INDEX["lower_lip"]] = parted * 0.6 / LIP_PER_JAW
    result[:, INDEX["pucker"]] = 0.9 * pucker
    result[:, INDEX["spread"]] = 0.7 * np.clip(round_spread * width, 0, 1)
    result[:, INDEX["press"]] = 0.6 * np.clip(press, 0, 1) * closed  # only lips that meet can press
    result[:, INDEX["tongue"]] = np.clip(tongue, 0, 1)
    return result


def _coarticulate(phones: Sequence[Phone], time: np.ndarray) -> np.ndarray:
    """(5, time): opening, width, press, tongue, teeth as dominance-weighted means of the phones' targets."""
    visemes = [VISEMES[phone.kind] for phone in phones]
    targets = np.array([(v.opening, v.width, v.press, v.tongue, v.teeth) for v in visemes])
    dominance = np.array([(*v.dominance, v.dominance[0]) for v in visemes])
    start, end = np.array([phone.start for phone in phones]), np.array([phone.end for phone in phones])
    length, middle = end - start, (start + end) / 2
    vowel = np.array([phone.kind in VOWELS for phone in phones])
    silent = np.array([phone.kind == SILENCE for phone in phones])
    dominance = (
        dominance * np.where(vowel, np.clip(length / 0.08, 0.4, 1), 1)[:, None]
    )  # short vowels miss their target
    core = np.where(silent, np.maximum(length / 2 - 0.05, length * 0.2), length * 0.25)
    reach = np.array([v.reach for v in visemes])

    away = time[None] - middle[:, None]
    side = np.where(away < 0, ANTICIPATION, CARRY_OVER)
    distance = np.maximum(np.abs(away) - core[:, None], 0) / (reach[:, None] * side)
    near, wide = np.exp(-distance), np.exp(-distance / WIDTH_REACH)
    curves = []
    for channel in range(5):
        weight = (wide if channel == 1 else near) * dominance[:, channel, None]
        curves.append((weight * targets[:, channel, None]).sum(0) / (weight.sum(0) + 1e-4))
    return np.stack(curves)


def _pauses(phones: Sequence[Phone], time: np.ndarray) -> np.ndarray:
    """(time,) opening that the pause rule adds, faded in and out over the edges of each silence."""
    silences: list[list[float]] = []
    for phone in phones:
        if phone.kind == SILENCE:
            if silences and phone.start - silences[-1][1] < 0.02:
                silences[-1][1] = phone.end
            else:
                silences.append([phone.start, phone.end])
    added = np.zeros_like(time)
    for start, end in silences:
        if end - start < 0.03:
            continue
        inside = (time >= start - 0.06) & (time <= end + 0.06)
        moment = time[inside]
        first, last = start <= phones[0].start + 0.02, end >= phones[-1].end - 0.02
        opening = pause_opening(np.clip(moment - start, 0, end - start), end - start, first=first, last=last)
        since, until = (np.inf if first else moment - start), (np.inf if last else end - moment)
        added[inside] += opening / (1 + np.exp(-np.minimum(since, until) / 0.02))
    return added


def _closed(phones: Sequence[Phone], moment: np.ndarray) -> np.ndarray:
    """(frames,) 1 where the lips meet, falling to 0 on either side; every closure has a frame of exactly 1."""
    closed = np.zeros_like(moment)
    for phone in phones:
        if phone.kind not in CLOSURES or phone.start > moment[-1] + CLOSE_TIME:
            continue
        before = (phone.start - moment) / CLOSE_TIME
        after = (moment - phone.end) / RELEASE_TIME
        x = np.clip(1 - np.maximum(before, after), 0, 1)
        closed = np.maximum(closed, x * x * (3 - 2 * x))
        middle = (phone.start + phone.end) / 2
        closed[np.abs(moment - middle).argmin()] = 1.0
    return closed
