"""Idle motion, of a person who is looked at and says nothing: breath, a head that drifts, blinks, small gaze shifts.

Sizes are those of people who sit and listen: breath 14 a minute, which lifts the shoulders and a little the head; drift
of a few degrees that takes seconds; a blink about every four seconds, at times two in a row; the eyes leave the camera
for a moment now and then. The lips stay at rest.
"""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import count

import torch
from torch import Generator, Tensor

from ..vocabulary import COUNT, FPS, INDEX

BREATH = 14 / 60  # a second
DRIFT = {"yaw": 1.8, "pitch": 1.2, "roll": 0.8}  # standard deviation in degrees
DRIFT_SECONDS = 1.1  # sigma of the noise's smoothing
SHIFTS = {"shift_x": 0.006, "shift_y": 0.004, "shift_z": 0.015}
BREATHING = {"shoulder_y": 0.016, "shift_y": 0.004, "pitch": -math.radians(0.35)}  # at full breath
BLINK_EVERY, BLINK_TWICE, BLINK_LEAST = 4.0, 0.12, 0.8  # mean seconds; share of double ones; least seconds apart
CLOSES, SHUT, OPENS = 0.08, 0.04, 0.2  # seconds
GAZE_EVERY, GAZE_AWAY = 2.6, (0.09, 0.05)  # mean seconds a fixation; deviation aside and up


def idle_curves(frames: int, fps: Fraction = Fraction(FPS), seed: int = 0, amount: float = 1.0) -> Tensor:
    """(frames,24) float64 of parameters around rest; the same seed gives the same seconds at any frame rate.

    amount: factor on all of it but the blinks, which would not shut with less than 1."""
    seconds = float(frames / fps)
    times = torch.arange(frames, dtype=torch.float64) / float(fps)
    parts = (torch.Generator().manual_seed((seed * 16 + part) % (1 << 63)) for part in count())
    parameters = torch.zeros(frames, COUNT, dtype=torch.float64)
    for name, degrees in DRIFT.items():
        parameters[:, INDEX[name]] += math.radians(degrees) * _drift(times, seconds, next(parts))
    for name, size in SHIFTS.items():
        parameters[:, INDEX[name]] += size * _drift(times, seconds, next(parts))
    breathed = breath(times, next(parts))
    for name, size in BREATHING.items():
        parameters[:, INDEX[name]] += size * breathed
    aside, up = _gaze(times, seconds, next(parts), next(parts))
    # the eyes stay on the camera while the head drifts
    parameters[:, INDEX["gaze_x"]] = aside - 0.5 * parameters[:, INDEX["yaw"]]
    parameters[:, INDEX["gaze_y"]] = up + 0.5 * parameters[:, INDEX["pitch"]]
    parameters *= amount
    shut = blinks(times, seconds, next(parts), next(parts))
    for name in ("blink_left", "blink_right"):
        parameters[:, INDEX[name]] += shut
    return parameters


def _drift(times: Tensor, seconds: float, generator: Generator) -> Tensor:
    """(T,) smooth noise of unit deviation that begins at 0: from ten points a second, so that rates do not matter."""
    reach = math.ceil(4 * DRIFT_SECONDS * 10)
    noise = torch.randn(math.ceil(seconds * 10) + 2 + 2 * reach, generator=generator, dtype=torch.float64)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, dtype=torch.float64) / (10 * DRIFT_SECONDS)) ** 2)
    smooth = torch.nn.functional.conv1d(noise[None, None], (kernel / kernel.square().sum().sqrt())[None, None])[0, 0]
    position = (times * 10).clamp(max=len(smooth) - 1.001)
    before = position.floor().long()
    curve = torch.lerp(smooth[before], smooth[before + 1], position - before)
    return curve - smooth[0] * torch.exp(-times / DRIFT_SECONDS)


def breath(times: Tensor, generator: Generator) -> Tensor:
    """(T,) 0 to 1, beginning at 0: in faster than out."""
    rate = BREATH * (0.85 + 0.3 * float(torch.rand((), generator=generator)))
    phase = (times * rate) % 1
    return torch.where(phase < 0.4, _half(phase / 0.4), _half((1 - phase) / 0.6))


def _half(x: Tensor) -> Tensor:
    return 0.5 - 0.5 * torch.cos(math.pi * x)


def waits(seconds: float, mean: float, least: float, generator: Generator) -> list[float]:
    """Times of events, `least` and an exponential wait apart."""
    found, time = [], 0.0
    while True:
        time += least - (mean - least) * math.log(1 - float(torch.rand((), generator=generator)) * 0.999)
        if time >= seconds:
            return found
        found.append(time)


def blinks(times: Tensor, seconds: float, when: Generator, twice: Generator) -> Tensor:
    """(T,) 0 open to 1 shut; no blink begins so late that the motion ends before it does."""
    shut = torch.zeros_like(times)
    for start in waits(seconds - CLOSES - SHUT - OPENS, BLINK_EVERY, BLINK_LEAST, when):
        starts = [start]
        if float(torch.rand((), generator=twice)) < BLINK_TWICE:
            starts.append(start + CLOSES + SHUT + OPENS + 0.1)
        for at in starts:
            since = times - at
            closing, opening = (since / CLOSES).clamp(0, 1), ((since - CLOSES - SHUT) / OPENS).clamp(0, 1)
            shut = torch.maximum(shut, _half(closing) * (1 - _half(opening)))
    return shut


def _gaze(times: Tensor, seconds: float, when: Generator, where: Generator) -> tuple[Tensor, Tensor]:
    """Two (T,): where the eyes look, in steps of .04 s from one fixation to the next, every other one at the camera."""
    aside, up = torch.zeros_like(times), torch.zeros_like(times)
    away = False
    for start in waits(seconds, GAZE_EVERY, 0.4, when):
        away = not away
        draw = torch.randn(2, generator=where, dtype=torch.float64)
        target = draw * torch.tensor(GAZE_AWAY, dtype=torch.float64) if away else torch.zeros(2, dtype=torch.float64)
        weight = _half(((times - start) / 0.04).clamp(0, 1))
        aside, up = (
            torch.lerp(aside, target[0].expand_as(aside), weight),
            torch.lerp(up, target[1].expand_as(up), weight),
        )
    return aside, up
