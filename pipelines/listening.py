"""Who is silent listens: lips at rest, breath, blinks, a look at the speaker and a nod now and then."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from itertools import count

import torch
from torch import Tensor

from ..media.audio import to_mono_16k
from ..media.motion import Motion, check_language
from ..media.smoothing import smoothed
from ..networks.renderer.model import NO_NAMES, Renderer
from ..vocabulary import COUNT, INDEX, SAMPLE_RATE
from .idle import blinks, breath, waits
from .regions import parameters_to_motion
from .settings import ListeningSettings

QUIET = 35.0  # decibels below the loudest tenth of a second, under which a voice is silent
BEFORE, AFTER, EASE = 0.15, 0.35, 0.12  # seconds that count as speech around it, and sigma of the change
BREATHING = {"shoulder_y": 0.014, "pitch": -0.005}  # at full breath
SWAY, SWAY_SECONDS = {"yaw": 0.02, "pitch": 0.014, "roll": 0.01}, 1.2  # deviation in radians, sigma in seconds
TURN, GAZE = 0.10, 0.16  # radians of the head, and of the eyes, towards the speaker
NOD_EVERY, NOD_LEAST = 4.5, 2.0  # mean seconds from one to the next, and the least
NOD, NOD_DEEP = 0.7, 0.045  # seconds that one takes, and its depth in radians
TOWARDS = {"left": -1.0, "ahead": 0.0, "right": 1.0}
"""Where in the picture the speaker is, as seen by the listener's picture."""


def speaking(waveform: Tensor, rate: int, frames: int, fps: Fraction) -> Tensor:
    """(frames,) 0..1: whether a voice (C,N) speaks in each frame; it rises .15 s before the first sound and falls .35 s
    after the last. Silence, and what is 35 dB below the loudest part, is none."""
    mono = to_mono_16k(waveform, rate).reshape(-1)
    step = SAMPLE_RATE / float(fps)
    edges = (torch.arange(frames + 1) * step).round().long().clamp(max=len(mono)).tolist()
    power = [float(mono[a:b].square().mean()) if b > a else 0.0 for a, b in zip(edges, edges[1:], strict=False)]
    loud = smoothed(torch.tensor(power, dtype=torch.float64)[:, None], 0.05 * float(fps))[:, 0]
    if not frames or loud.max() < 1e-9:
        return torch.zeros(frames)
    weight = torch.zeros(frames, 1, dtype=torch.float64)
    for frame in (loud > loud.max() * 10 ** (-QUIET / 10)).nonzero().flatten().tolist():
        weight[max(0, frame - round(BEFORE * float(fps))) : frame + round(AFTER * float(fps)) + 1] = 1
    return smoothed(weight, EASE * float(fps))[:, 0].float()


def listening_curves(
    frames: int, fps: Fraction, speaker: str = "ahead", settings: ListeningSettings | None = None
) -> Tensor:
    """(frames,24) parameters of a listener; those of the mouth are zero. speaker: a key of `TOWARDS`."""
    settings, seconds = settings or ListeningSettings(), float(frames / fps)
    times = torch.arange(frames, dtype=torch.float64) / float(fps)
    parts = (torch.Generator().manual_seed((settings.seed * 16 + part) % (1 << 63)) for part in count())
    parameters = torch.zeros(frames, COUNT, dtype=torch.float64)
    breathed = breath(times, next(parts))
    for name, size in BREATHING.items():
        parameters[:, INDEX[name]] += size * breathed
    for name, size in SWAY.items():
        noise = torch.randn(frames, 1, generator=next(parts), dtype=torch.float64)
        rough = smoothed(noise, SWAY_SECONDS * float(fps))[:, 0]
        parameters[:, INDEX[name]] += settings.amount * size * rough / rough.std(correction=0).clamp(min=1e-9)
    towards = settings.amount * TOWARDS[speaker]
    parameters[:, INDEX["yaw"]] += TURN * towards
    parameters[:, INDEX["gaze_x"]] += GAZE * towards
    for start in waits(seconds - NOD, NOD_EVERY, NOD_LEAST, next(parts)):
        parameters[:, INDEX["pitch"]] += settings.amount * NOD_DEEP * _nod(times - start)
    shut = blinks(times, seconds, next(parts), next(parts))
    for name in ("blink_left", "blink_right"):
        parameters[:, INDEX[name]] = shut
    return parameters.float()


def _nod(since: Tensor) -> Tensor:
    """From 0 to 1 and back within NOD seconds."""
    return 0.5 - 0.5 * torch.cos(2 * math.pi * (since / NOD).clamp(0, 1))


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
