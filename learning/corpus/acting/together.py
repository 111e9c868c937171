"""Speech and facial expression at once: what a mouth does that both want.

The two are not added. During smiled speech the muscle that draws the lip corners (zygomaticus major) works against the
one that closes and rounds the lips (orbicularis oris), and one of them is suppressed (Liu et al., ISSP 2020):

- Rounding is narrowed by a smile and the smile by rounding; how much a vowel changes depends on the vowel, and inner
  lips change less than outer ones (Fagel, AVSP 2009).
- Lips that must meet (p, b, m): a weak smile is suppressed for the moment; in a strong one the lower lip meets the
  upper teeth instead (bilabials become labiodental, Liu et al. 2020), so that the lips are not pressed and the upper
  teeth stay in sight.
- Corners travel so far and no further: spread lips of "ee" and of a smile saturate (as do the other sums here).
- A smile draws the lips over the teeth: the upper lip rises, the lower one falls less, the jaw opens a little less.
- A smile of enjoyment raises the cheek and the lower lid (Ekman, Davidson and Friesen 1990), here as narrower eyes.

The signs are the sources'; the sizes are ours, since none of these papers gives them in such parameters.
"""

from __future__ import annotations

import numpy as np

from ....vocabulary import COUNT, FPS, INDEX, REGIONS
from . import curves

MOUTH = [INDEX[name] for name in REGIONS["mouth"]]
SMILES = [INDEX["smile_left"], INDEX["smile_right"]]
BLINKS = [INDEX["blink_left"], INDEX["blink_right"]]

PRESSED = 0.3  # `press` from which lips count as closed by speech
STRONG = (0.35, 0.7)  # smiles below the first give way to a closure, those above the second do not
NARROWED, YIELDED = 0.65, 0.5  # of rounding by a full smile, and of the smile by full rounding
SUPPRESSED = 0.6  # of a weak smile by a closure
UNPRESSED = 0.85  # of the pressing of the lips, in a strong smile
SPREADING, RAISING = 0.45, 0.4  # of the lips' width and of the upper lip, by a full smile
TIGHTENING, SHUTTING = 0.4, 0.15  # of the lower lip and of the jaw
TEETH_IN_CLOSURE = 0.35  # upper lip in the closure of a full smile
LIDS = 0.22  # how far a full smile narrows the eyes


def together(speech: np.ndarray, expression: np.ndarray) -> np.ndarray:
    """Motion (T, COUNT) of a head that speaks with an expression.

    speech (T, COUNT): of which articulation is read, the mouth without a smile. expression (T, COUNT): everything else,
    and the mouth's smile, opening, rounding and pressing that are no speech. Values as in vocabulary.py.
    """
    said = {name: speech[:, INDEX[name]].astype(np.float64) for name in REGIONS["mouth"]}
    felt = {name: expression[:, INDEX[name]].astype(np.float64) for name in REGIONS["mouth"]}
    smile = np.clip((felt["smile_left"] + felt["smile_right"]) / 2, 0, 1)
    shut, strong = _step(said["press"] / PRESSED), _step((smile - STRONG[0]) / (STRONG[1] - STRONG[0]))
    rounding = np.clip(said["pucker"], 0, 1)
    kept = (1 - YIELDED * rounding) * (1 - SUPPRESSED * shut * (1 - strong))
    shown, toothed = smile * kept, shut * strong

    result = expression.astype(np.float64)
    for index in SMILES:
        result[:, index] = np.where(result[:, index] > 0, result[:, index] * kept, result[:, index])
    mouth = {
        "jaw": np.maximum(said["jaw"] * (1 - SHUTTING * shown), felt["jaw"]) * (1 - shut),
        "pucker": _both(said["pucker"] * (1 - NARROWED * smile), felt["pucker"]),
        "spread": _both(said["spread"], SPREADING * shown * (1 - rounding), felt["spread"]),
        "press": _both(said["press"] * (1 - UNPRESSED * toothed), felt["press"] * (1 - _step(4 * said["jaw"]))),
        "upper_lip": _both(said["upper_lip"], RAISING * shown, felt["upper_lip"]) * (1 - shut)
        + TEETH_IN_CLOSURE * smile * toothed,
        "lower_lip": _both(said["lower_lip"] * (1 - TIGHTENING * shown), felt["lower_lip"]) * (1 - shut),
        "tongue": said["tongue"],
    }
    for name, curve in mouth.items():
        result[:, INDEX[name]] = curve
    for index in BLINKS:
        result[:, index] += LIDS * shown * np.maximum(1 - result[:, index], 0)
    return result.astype(np.float32)


def _both(*wanted: np.ndarray) -> np.ndarray:
    """Several pulls in 0..1 on one part of the mouth: each takes its share of what the others have left."""
    left = np.ones_like(wanted[0])
    for pull in wanted:
        left = left * (1 - np.clip(pull, 0, 1))
    return 1 - left


def _step(x: np.ndarray) -> np.ndarray:
    """Smoothly from 0 at 0 to 1 at 1."""
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


KINDS = ("smile", "laugh", "frown", "press", "pout", "surprise")
SHARES = (0.5, 0.12, 0.12, 0.08, 0.08, 0.1)
PAUSE = 1.2  # s, mean, between two expressions


def expressions(frames: int, rng: np.random.Generator) -> np.ndarray:
    """Expressions of a face that says nothing (frames, COUNT) float32, one after the other, from rest: mouth and brows.

    Expressions last .8 to 4 s and rise and fall within half a second or so."""
    motion = np.zeros((frames, COUNT))
    now = rng.uniform(0.2, 0.2 + PAUSE)
    while now < frames / FPS:
        length = rng.uniform(0.8, 4.0)
        time = np.arange(frames) / FPS
        course = curves.smooth(((time >= now) & (time < now + length)).astype(float), rng.uniform(0.1, 0.25))
        for name, size in _expression(str(rng.choice(KINDS, p=SHARES)), rng).items():
            motion[:, INDEX[name]] += size * course
        now += length + 0.4 + rng.exponential(PAUSE)
    rest = curves.ease_in(frames, 0.3)[:, None]
    return (motion * rest).astype(np.float32)


def _expression(kind: str, rng: np.random.Generator) -> dict[str, float]:
    """Parameters of one expression at its height."""
    u = rng.uniform
    if kind in ("smile", "laugh"):
        level = u(0.3, 1.0) if kind == "smile" else u(0.6, 1.0)
        values = dict(zip(("smile_left", "smile_right"), level + 0.06 * rng.normal(size=2), strict=True))
        if kind == "laugh":
            return values | {"jaw": u(0.15, 0.45), "upper_lip": u(0.1, 0.4), "lower_lip": u(0.0, 0.2)}
        parted = rng.random() < 0.4
        return values | ({"upper_lip": u(0.0, 0.35), "jaw": u(0.0, 0.12)} if parted else {})
    if kind == "frown":
        values = dict(zip(("smile_left", "smile_right"), -u(0.15, 0.5) + 0.03 * rng.normal(size=2), strict=True))
        return values | {"brow_left": -0.3, "brow_right": -0.3, "furrow": u(0.2, 0.8)}
    if kind == "press":
        return {"press": u(0.3, 0.9)}
    if kind == "pout":
        return {"pucker": u(0.3, 0.9)}
    raised = u(0.4, 0.9)
    return {"jaw": u(0.12, 0.45), "brow_left": raised, "brow_right": raised}
