"""From timed phones to mouth parameters: a viseme table, dominance functions, closures, pauses.

Coarticulation is Cohen and Massaro's (1993): each mouth channel is the weighted mean of the phones' targets, with
dominances that decay exponentially around a phone. Three rules are added, which the mean alone misses: lips are closed
in p b m and f v, they stay parted in short pauses, and they part just before speech to breathe in. Targets, dominance,
reach and lags are fitted by least squares to the measured lips of three speakers (learning/training/viseme_fit.py;
docs/visemes.md lists them by phone, before and after). Loudness is not used: in running speech mouth opening hardly
correlates with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..vocabulary import COUNT, FPS, INDEX
from .phones import SILENCE, VOWELS, Phone

STEP = 0.005  # s, the fine grid on which curves are drawn before frames are sampled
BLOCK, FAR = 6000, 3.0  # points of the grid drawn at once; s, beyond which a phone has no say

WIDE_OPENING = 0.68  # jaw parameter of the widest natural "a"
LIP_PER_JAW = 0.25  # how far a fully raised upper (or lowered lower) lip opens the mouth, in jaw parameters
TEETH = 0.2  # share of an average opening that the lips make rather than the jaw
PUCKER_PARTS = 0.10  # how far lips pushed fully forward part by themselves, in jaw parameters

PAUSE_OPENING, PAUSE_HOLD, PAUSE_DECAY = 0.28, 0.35, 0.3  # of a wide "a"; s; s
SHUT_DECAY = 0.06  # s, of lips that have no more to say: of five people measured, all were at rest .2 s after it
SHORT_PAUSE, LONG_PAUSE = 0.4, 0.8  # s: up to the one lips stay parted, from the other on they shut
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
    "E": Viseme(0.96, 0.36, 0, 0, 0.18, (1.44, 0.87, 1, 0.5), 0.039),
    "I": Viseme(0.93, 0.46, 0, 0, 0.25, (0.87, 0.74, 1, 0.5), 0.038),
    "O": Viseme(0.22, -0.49, 0, 0, 0.05, (1, 0.74, 1, 0.5), 0.044),
    "U": Viseme(0.07, -0.38, 0, 0, 0, (0.66, 0.62, 1, 0.5), 0.042),
    "a": Viseme(0.99, 0.33, 0, 0, 0.08, (1.82, 0.67, 1, 0.5), 0.041),
    "ae": Viseme(0.67, 0.31, 0, 0, 0.15, (0.73, 0.65, 1, 0.5), 0.068),
    "e": Viseme(0.98, 0.37, 0, 0, 0.22, (2.3, 0.93, 1, 0.5), 0.041),
    "er": Viseme(0.29, -0.21, 0, 0, 0.15, (1, 1, 1, 0.5), 0.055),
    "i": Viseme(0.77, 0.52, 0, 0, 0.35, (1.22, 0.87, 1, 0.5), 0.05),
    "ii": Viseme(0.29, 0.26, 0, 0, 0.25, (1, 1, 1, 0.5), 0.055),
    "o": Viseme(0.42, -0.46, 0, 0, 0, (1.14, 0.93, 1, 0.5), 0.055),
    "oe": Viseme(0.24, -0.51, 0, 0, 0.05, (1, 1, 1, 0.5), 0.055),
    "schwa": Viseme(0.41, 0.00, 0, 0, 0.15, (1, 1, 1, 0.5), 0.055),
    "u": Viseme(0.05, -0.56, 0, 0, 0, (1.05, 0.89, 1, 0.5), 0.048),
    "uh": Viseme(0.68, -0.14, 0, 0, 0.1, (1.09, 0.73, 1, 0.5), 0.061),
    "y": Viseme(0.06, -0.68, 0, 0, 0, (1, 1, 1, 0.5), 0.055),
    "S": Viseme(0.58, -0.47, 0, 0.3, 0.45, (1.34, 1.09, 0.6, 1), 0.044),
    "f": Viseme(0.10, -0.18, 0.45, 0, 0, (3.54, 1.09, 4, 0.3), 0.046),
    "h": Viseme(0.33, 0.00, 0, 0, 0.1, (0.12, 0.1, 0.2, 0.3), 0.03),
    "j": Viseme(0.52, 0.28, 0, 0.2, 0.3, (0.9, 0.64, 0.5, 0.7), 0.047),
    "k": Viseme(0.51, 0.18, 0, 0, 0.15, (0.3, 0.15, 0.4, 0.5), 0.034),
    "l": Viseme(0.72, 0.09, 0, 1, 0.25, (1.23, 0.24, 0.5, 2), 0.043),
    "p": Viseme(0.00, -0.34, 1, 0, 0, (2.15, 0.91, 6, 0.3), 0.058),
    "r": Viseme(0.00, -0.52, 0, 0.3, 0.15, (1.69, 1.13, 0.5, 0.7), 0.048),
    "s": Viseme(0.58, 0.43, 0, 0.4, 0.55, (0.75, 0.71, 0.6, 1), 0.068),
    "t": Viseme(0.20, 0.18, 0, 0.8, 0.35, (0.22, 0.23, 0.5, 1.5), 0.031),
    "th": Viseme(0.01, 0.05, 0, 1, 0.3, (1.2, 0.43, 0.5, 2), 0.045),
    "w": Viseme(0.00, -1.05, 0.1, 0, 0, (2.71, 1.31, 1, 0.3), 0.041),
    SILENCE: Viseme(0.00, 0.00, 0, 0, 0.1, (1.21, 0.92, 0.5, 0.5), 0.097),
}
"""One viseme for each class of phones.CLASSES; opening is of the inner lips, so rounded vowels are nearly closed."""

WIDTH_REACH = 2.485  # lips round and spread over a longer stretch than they open
OPENING_LAG, WIDTH_LAG = 0.016, 0.024  # s, by which lips come after the sound
ANTICIPATION, CARRY_OVER = 0.952, 0.981  # of reach, before a phone and after it


def pause_opening(time: np.ndarray, length: float, *, first: bool = False, last: bool = False) -> np.ndarray:
    """Inner-lip opening (of a wide "a") `time` seconds into a pause of `length` seconds.

    A short pause is parted at PAUSE_OPENING for PAUSE_HOLD, then closes with the time constant PAUSE_DECAY; in a long
    one, and after the last word, lips shut at once, with SHUT_DECAY. They part again BREATH_LEAD before speech.
    `first`: nothing was said before, `last`: nothing follows. Long pauses come to exactly 0.
    """
    time = np.asarray(time, np.float64)
    parted = 0.0 if last else float(np.clip((LONG_PAUSE - length) / (LONG_PAUSE - SHORT_PAUSE), 0, 1))
    hold, decay = parted * PAUSE_HOLD, SHUT_DECAY + parted * (PAUSE_DECAY - SHUT_DECAY)
    after = np.exp(-np.maximum(time - hold, 0) / decay) * (not first)
    before = np.exp(-np.maximum(length - time - BREATH_LEAD, 0) / BREATH_DECAY) * (not last)
    opening = PAUSE_OPENING * np.maximum(after, before)
    return np.maximum(opening - REST_OPENING, 0) * PAUSE_OPENING / (PAUSE_OPENING - REST_OPENING)


def mouth_parameters(phones: Sequence[Phone], frames: int, *, openness: float = 1.0, width: float = 1.0) -> np.ndarray:
    """(frames, COUNT) float32 at FPS with the mouth's parameters filled in; frame i is the mouth at (i + 0.5) / FPS
    seconds.

    openness and width scale a speaker's habit. Closures stay closed whatever the openness: in them, jaw and lips are
    exactly 0, and at least one frame shows each.
    """
    if not phones or frames == 0:
        return np.zeros((frames, COUNT), np.float32)
    time = np.arange(0, frames / FPS + STEP, STEP)
    opening, round_spread, press, tongue, teeth = np.concatenate(
        [_coarticulate(_near(phones, part), part) for part in np.split(time, range(BLOCK, len(time), BLOCK))], 1
    )
    opening = opening + pauses(phones, time)
    blur = np.exp(-0.5 * (np.arange(-8, 9) * STEP / 0.012) ** 2)
    curves = np.stack([opening, round_spread, press, tongue, teeth])
    curves = np.stack([np.convolve(np.pad(c, 8, "edge"), blur / blur.sum(), "valid") for c in curves])

    moment = (np.arange(frames) + 0.5) / FPS
    opening, round_spread, press, tongue, teeth = (np.interp(moment, time, c) for c in curves)
    shut = closed(phones, moment)
    written = lip_parameters(openness * opening * (1 - shut), width * round_spread, teeth)
    written[:, INDEX["press"]] = 0.6 * np.clip(press, 0, 1) * shut  # only lips that meet can press
    written[:, INDEX["tongue"]] = np.clip(tongue, 0, 1)
    return written


def lip_parameters(opening: np.ndarray, width: np.ndarray, teeth: np.ndarray | float = TEETH) -> np.ndarray:
    """Opening (T,) of the inner lips, 1 a wide "a", and width (T,), -1 rounded .. 1 spread -> (T, COUNT) float32 of
    which jaw, lips, pucker and spread are filled in. teeth: share of the opening that the lips make, not the jaw."""
    result = np.zeros((len(opening), COUNT), np.float32)
    gap = WIDE_OPENING * np.maximum(opening, 0)
    pucker, parted = np.clip(-width, 0, 1), gap * teeth
    result[:, INDEX["jaw"]] = np.maximum(gap - parted - PUCKER_PARTS * pucker, 0)
    result[:, INDEX["upper_lip"]] = parted * 0.4 / LIP_PER_JAW
    result[:, INDEX["lower_lip"]] = parted * 0.6 / LIP_PER_JAW
    result[:, INDEX["pucker"]] = 0.9 * pucker
    result[:, INDEX["spread"]] = 0.7 * np.clip(width, 0, 1)
    return result


def lips_of(parameters: np.ndarray) -> np.ndarray:
    """The inverse of `lip_parameters`: (T, COUNT) -> (T, 2) opening and width."""
    jaw, pucker, spread, upper, lower = (
        parameters[:, INDEX[name]] for name in ("jaw", "pucker", "spread", "upper_lip", "lower_lip")
    )
    opening = (jaw + LIP_PER_JAW * (upper + lower) + PUCKER_PARTS / 0.9 * pucker) / WIDE_OPENING
    return np.stack([opening, spread / 0.7 - pucker / 0.9], 1)


def _near(phones: Sequence[Phone], time: np.ndarray) -> Sequence[Phone]:
    """The phones that have a say in a stretch of time, so that memory does not grow with the square of its length."""
    near = [phone for phone in phones if phone.end > time[0] - FAR and phone.start < time[-1] + FAR]
    return near or [min(phones, key=lambda phone: abs((phone.start + phone.end) / 2 - time[0]))]


def _coarticulate(phones: Sequence[Phone], time: np.ndarray) -> np.ndarray:
    """(5, time): opening, width, press, tongue, teeth as dominance-weighted means of the phones' targets."""
    looks = [VISEMES[phone.kind] for phone in phones]
    targets = np.array([(v.opening, v.width, v.press, v.tongue, v.teeth) for v in looks])
    dominance = np.array([(*v.dominance, v.dominance[0]) for v in looks])
    middle, core, strength = placed(phones)
    dominance = dominance * strength[:, None]
    reach = np.array([v.reach for v in looks])

    def near(lag: float) -> np.ndarray:
        away = time[None] - middle[:, None] - lag
        side = np.where(away < 0, ANTICIPATION, CARRY_OVER)
        return np.maximum(np.abs(away) - core[:, None], 0) / (reach[:, None] * side)

    opened, widened = np.exp(-near(OPENING_LAG)), np.exp(-near(WIDTH_LAG) / WIDTH_REACH)
    curves = []
    for channel in range(5):
        weight = (widened if channel == 1 else opened) * dominance[:, channel, None]
        curves.append((weight * targets[:, channel, None]).sum(0) / (weight.sum(0) + 1e-4))
    return np.stack(curves)


def placed(phones: Sequence[Phone]) -> np.ndarray:
    """(3, phones): the middle of each, the seconds around it in which its pull does not fall off, and the factor of its
    dominance (short vowels miss their target)."""
    start, end = np.array([phone.start for phone in phones]), np.array([phone.end for phone in phones])
    length = end - start
    vowel = np.array([phone.kind in VOWELS for phone in phones])
    silent = np.array([phone.kind == SILENCE for phone in phones])
    core = np.where(silent, np.maximum(length / 2 - 0.05, length * 0.2), length * 0.25)
    return np.stack([(start + end) / 2, core, np.where(vowel, np.clip(length / 0.08, 0.4, 1), 1)])


def pauses(phones: Sequence[Phone], time: np.ndarray) -> np.ndarray:
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


def closed(phones: Sequence[Phone], moment: np.ndarray) -> np.ndarray:
    """(frames,) 1 where the lips meet, falling to 0 on either side; every closure has a frame of exactly 1."""
    shut = np.zeros_like(moment)
    for phone in phones:
        if phone.kind not in CLOSURES or phone.start > moment[-1] + CLOSE_TIME:
            continue
        before = (phone.start - moment) / CLOSE_TIME
        after = (moment - phone.end) / RELEASE_TIME
        x = np.clip(1 - np.maximum(before, after), 0, 1)
        shut = np.maximum(shut, x * x * (3 - 2 * x))
        middle = (phone.start + phone.end) / 2
        shut[np.abs(moment - middle).argmin()] = 1.0
    return shut
