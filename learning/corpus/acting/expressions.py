"""Random motion parameters for still frames: expressions of portraits and of talking people.

Mouths mostly open by .1 to .6, sometimes wide. Many sources are neutral, many smile with teeth or have the mouth half
open: relative motion is hardest from a portrait that already smiles or speaks.
"""

import numpy as np

from ....vocabulary import COUNT, INDEX, REGIONS

_POSE = slice(INDEX["yaw"], INDEX["shoulder_y"] + 1)
_EXPRESSION = [i for i in range(COUNT) if not _POSE.start <= i < _POSE.stop]
_TWIN_DEVIATION = np.array([0.10, 0.06, 0.04, 0.03, 0.03, 0.08], np.float32)  # yaw .. shift_z


def _set(parameters: np.ndarray, **values: float) -> None:
    for name, value in values.items():
        parameters[INDEX[name]] = value


def _mouth(rng: np.random.Generator, p: np.ndarray) -> None:
    """Draw the parameters around the mouth: a moment of speech, or an expression."""
    u = rng.uniform
    kind = rng.choice(
        ["speech", "rounded", "spread", "closed", "wide", "smile", "frown"],
        p=[0.34, 0.12, 0.09, 0.13, 0.08, 0.18, 0.06],
    )
    if kind == "speech":
        _set(
            p,
            jaw=u(0.05, 0.6),
            pucker=max(0, u(-0.6, 0.5)),
            spread=max(0, u(-0.6, 0.5)),
            upper_lip=max(0, u(-0.4, 0.7)),
            lower_lip=max(0, u(-0.4, 0.8)),
            tongue=max(0, u(-0.8, 1)),
        )
    elif kind == "rounded":
        _set(p, jaw=u(0.0, 0.45), pucker=u(0.4, 1), upper_lip=max(0, u(-0.5, 0.4)))
    elif kind == "spread":
        _set(p, jaw=u(0.0, 0.35), spread=u(0.3, 1), upper_lip=u(0, 0.6), lower_lip=u(0, 0.8), tongue=max(0, u(-1, 1)))
    elif kind == "closed":
        _set(p, press=u(0, 1), pucker=max(0, u(-1, 0.6)))
    elif kind == "wide":
        _set(p, jaw=u(0.6, 1.0), upper_lip=u(0, 0.5), lower_lip=u(0, 0.5))
    elif kind == "smile":
        _set(
            p,
            jaw=max(0, u(-0.25, 0.4)),
            upper_lip=u(0.0, 0.8),
            lower_lip=max(0, u(-0.5, 0.5)),
            spread=max(0, u(-0.5, 0.4)),
        )
        p[[INDEX["smile_left"], INDEX["smile_right"]]] = u(0.3, 1.0)
    else:
        _set(p, press=max(0, u(-0.5, 0.5)), jaw=max(0, u(-0.4, 0.2)))
        p[[INDEX["smile_left"], INDEX["smile_right"]]] = u(-0.5, -0.1)
    if kind in ("speech", "spread", "wide", "rounded") and rng.random() < 0.3:
        p[[INDEX["smile_left"], INDEX["smile_right"]]] += u(-0.2, 0.6)
    p[[INDEX["smile_left"], INDEX["smile_right"]]] += rng.normal(size=2) * 0.05


def random_expression(rng: np.random.Generator) -> np.ndarray:
    """Motion parameters (24,) of one frame, independent of any other frame."""
    p, u = np.zeros(COUNT, np.float32), rng.uniform
    _mouth(rng, p)
    brows = u(-0.5, 1) if rng.random() < 0.4 else 0.0
    p[[INDEX["brow_left"], INDEX["brow_right"]]] = brows + rng.normal(size=2) * 0.06
    _set(p, furrow=u(0, 1) if rng.random() < 0.2 else 0.0)
    lids = rng.choice(["open", "half", "shut"], p=[0.62, 0.23, 0.15])
    blink = {"open": u(-0.15, 0.15), "half": u(0.15, 0.8), "shut": u(0.85, 1)}[str(lids)]
    p[[INDEX["blink_left"], INDEX["blink_right"]]] = blink
    if rng.random() < 0.05:
        _set(p, blink_left=u(0, 1))
    _set(p, gaze_x=rng.normal() * 0.17, gaze_y=rng.normal() * 0.11)
    still = 1.0 if rng.random() < 0.75 else 0.3
    p[_POSE.start : _POSE.start + 3] = np.clip(rng.normal(size=3) * [0.20, 0.12, 0.09] * still, -0.6, 0.6)
    p[_POSE.start + 3 : _POSE.start + 6] = rng.normal(size=3) * [0.04, 0.035, 0.12]
    p[_POSE.start + 6 : _POSE.stop] = rng.normal(size=2) * 0.03
    return p


def _as_portrait(rng: np.random.Generator, p: np.ndarray) -> None:
    """Change the parameters in place to those of a source photo: half at rest, a quarter a smile with teeth, the rest
    as they are."""
    kind, mouth = rng.random(), [INDEX[name] for name in REGIONS["mouth"]]
    blinks = [INDEX["blink_left"], INDEX["blink_right"]]
    if kind < 0.72:
        p[blinks] = np.clip(p[blinks], -0.15, 1) * 0.12
        p[[INDEX["gaze_x"], INDEX["gaze_y"]]] *= 0.4
    if kind < 0.48:
        p[mouth] *= 0.08
        p[[INDEX["smile_left"], INDEX["smile_right"]]] += max(0.0, rng.uniform(-0.25, 0.4))
    elif kind < 0.72:
        p[mouth] = 0
        _set(
            p,
            jaw=rng.uniform(0, 0.2),
            upper_lip=rng.uniform(0.2, 0.7),
            lower_lip=rng.uniform(0, 0.25),
            spread=rng.uniform(0, 0.25),
        )
        p[[INDEX["smile_left"], INDEX["smile_right"]]] = rng.uniform(0.5, 1.0) + rng.normal(size=2) * 0.04


def random_group(rng: np.random.Generator, count: int = 4) -> np.ndarray:
    """Motion (count, 24) of a group, frame 0 the source: a third of groups keep one pose, a tenth one expression."""
    states = np.stack([random_expression(rng) for _ in range(count)])
    _as_portrait(rng, states[0])
    kind = rng.random()
    if kind < 0.33:
        states[1:, _POSE] = states[0, _POSE]
    elif kind < 0.43:
        states[1:, _EXPRESSION] = states[0, _EXPRESSION]
    elif kind < 0.60:  # small head motion, as between frames of one clip
        states[1:, _POSE] = states[0, _POSE] + 0.3 * (states[1:, _POSE] - states[0, _POSE])
    return states


def twin_pose(rng: np.random.Generator, states: np.ndarray) -> np.ndarray:
    """Motion (count, 24) for the second person of a group: the same expressions, in half of the cases with a constant
    offset of the pose."""
    states = states.copy()
    if rng.random() < 0.5:
        states[:, _POSE.start : _POSE.start + 6] += rng.normal(size=6).astype(np.float32) * _TWIN_DEVIATION
    return states
