"""Who is silent listens: lips at rest, breath, blinks, a look at the speaker and a nod now and then."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from ..media.audio import to_mono_16k
from ..media.motion import Motion, check_language
from ..networks.renderer.model import NO_NAMES, Renderer
from ..vocabulary import COUNT, INDEX, SAMPLE_RATE
from .regions import parameters_to_motion
from .settings import ListeningSettings
from .tracking import smoothed

QUIET = 35.0  # decibels below the loudest tenth of a second, under which a voice is silent
BEFORE, AFTER, EASE = 0.15, 0.35, 0.12  # seconds that count as speech around it, and sigma of the change
BREATH, BREATHING = 0.24, {"shoulder_y": 0.014, "pitch": -0.005}  # a second; at full breath
SWAY, SWAY_SECONDS = {"yaw": 0.02, "pitch": 0.014, "roll": 0.01}, 1.2  # deviation in radians, sigma in seconds
TURN, GAZE = 0.10, 0.16  # radians of the head, and of the eyes, towards the speaker
BLINK_EVERY, BLINK_LEAST, BLINK = 3.6, 1.0, 0.3  # mean seconds from one to the next, the least, and how long one takes
NOD_EVERY, NOD_LEAST, NOD, NOD_DEEP = 4.5, 2.0, 0.7, 0.045  # the same of nods, and their depth in radians
TOWARDS = {"left": -1.0, "ahead": 0.0, "right": 1.0}
"""Where in the picture the speaker is, as seen by the listener's picture."""


def speaking(waveform: Tensor, rate: int, frames: int, fps: Fraction) -> Tensor:
    """(frames,) 0..1: whether a voice (C,N) speaks in each frame; it rises .15 s before the first sound and falls .35 s
    after the last. Silence, and what is 35 dB below the loudest part, is none."""
    mono = to_mono_16k(waveform, rate).reshape(-1)
    step = SAMPLE_RATE / float(fps)
    edges = (torch.arange(frames + 1) * step).round().long().clamp(max=len(mono)).tolist()
    power = np.array(
        [float(mono[a:b].square().mean()) if b > a else 0.0 for a, b in zip(edges, edges[1:], strict=False)]
    )
    loud = smoothed(power[:, None], 0.05 * float(fps))[:, 0]
    if loud.max(initial=0) < 1e-9:
        return torch.zeros(frames)
    heard = np.flatnonzero(loud > loud.max() * 10 ** (-QUIET / 10))
    weight = np.zeros((frames, 1))
    for frame in heard:
        weight[max(0, frame - round(BEFORE * float(fps))) : frame + round(AFTER * float(fps)) + 1] = 1
    return torch.from_numpy(smoothed(weight, EASE * float(fps))[:, 0]).float()


def listening_curves(
    frames: int, fps: Fraction, speaker: str = "ahead", settings: ListeningSettings | None = None
) -> Tensor:
    """(frames,24) parameters of a listener; those of the mouth are zero. speaker: a key of `TOWARDS`."""
    settings = settings or ListeningSettings()
    random = np.random.default_rng(settings.seed)
    times, parameters = np.arange(frames) / float(fps), np.zeros((frames, COUNT))
    breath = 0.5 - 0.5 * np.cos(2 * math.pi * BREATH * times + random.uniform(0, 2 * math.pi))
    for name, size in BREATHING.items():
        parameters[:, INDEX[name]] += size * breath
    for name, size in SWAY.items():
        rough = smoothed(random.standard_normal((frames, 1)), SWAY_SECONDS * float(fps))[:, 0]
        parameters[:, INDEX[name]] += settings.amount * size * rough / max(rough.std(), 1e-9)
    towards = settings.amount * TOWARDS[speaker]
    parameters[:, INDEX["yaw"]] += TURN * towards
    parameters[:, INDEX["gaze_x"]] += GAZE * towards
    for start in _times(times, NOD_EVERY, NOD_LEAST, NOD, random):
        parameters[:, INDEX["pitch"]] += settings.amount * NOD_DEEP * _bump(times, start, NOD)
    for start in _times(times, BLINK_EVERY, BLINK_LEAST, BLINK, random):
        for name in ("blink_left", "blink_right"):
            parameters[:, INDEX[name]] = np.maximum(parameters[:, INDEX[name]], _bump(times, start, BLINK) ** 0.5)
    return torch.from_numpy(parameters).float()


def _times(times: np.ndarray, mean: float, least: float, takes: float, random: np.random.Generator) -> list[float]:
    """Moments, an exponential time and `least` seconds apart, of what is over before the end."""
    found, now, end = [], 0.0, times[-1] - takes if len(times) else 0.0
    while (now := now + least + random.exponential(mean - least)) < end:
        found.append(now)
    return found


def _bump(times: np.ndarray, start: float, takes: float) -> np.ndarray:
    """From 0 to 1 and back within `takes` seconds."""
    x = ((times - start) / takes).clip(0, 1)
    return 0.5 - 0.5 * np.cos(2 * math.pi * x)


def listen(
    motion: Motion,
    renderer: Renderer,
    waveform: Tensor,
    rate: int,
    speaker: str = "ahead",
    settings: ListeningSettings | None = None,
) -> Motion:
    """The motion of a voice, with that of a listener where the voice (C,N) is silent. speaker: where the other one is,
    a key of `TOWARDS`. ValueError for motion of another renderer, and without a read-out."""
    if not renderer.config.readout:
        raise ValueError(NO_NAMES)
    check_language(motion.language, renderer)
    weight = speaking(waveform, rate, motion.frames, motion.fps)[:, None]
    curves = listening_curves(motion.frames, motion.fps, speaker, settings)
    rest = parameters_to_motion(renderer, torch.zeros(1, COUNT))
    idle = (parameters_to_motion(renderer, curves) - rest).to(motion.values)
    own = motion.values - motion.reference
    return replace(motion, values=motion.reference + weight * own + (1 - weight) * idle)
