"""Expressions written by hand, added to motion.

What is added stays within what drawn faces do, or where the motion is already: a lid that is shut is not shut twice.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import torch
from torch import Tensor

from ..media.motion import Motion, check_language
from ..messages import shown
from ..networks.renderer.model import Renderer
from ..vocabulary import COUNT, FPS, INDEX, MOTION
from .controls import (
    CONTROLS,
    IDLE,
    LONGEST,
    PRESET_NAMES,
    PRESETS,
    Keys,
    last_key,
    read_keys,
    read_number,
    read_values,
)
from .idle import idle_curves
from .moods import MOODS
from .regions import edit_regions, motion_to_parameters, parameters_to_motion

EASE = 0.25  # seconds in which an addition comes and goes
MOOD_EASE = 0.5  # seconds in which a mood comes; the first frame is the photo as it is
IDLE_SECONDS = 5.0  # of the preset without an end, where there is no motion


@dataclass(frozen=True)
class Addition:
    """What is added to motion, from `start` to `end` seconds (None: as long as it lasts).

    what: values by control, which ease in and out; key frames, whose times count from `start`; or the name of a preset,
    which is stretched to the end where there is one. seed: of "idle"."""

    what: Mapping[str, float] | Keys | str
    start: float = 0.0
    end: float | None = None
    ease: float = EASE
    seed: int = 0

    def __post_init__(self) -> None:
        if self.end is not None and self.end <= self.start:
            raise ValueError(f"An expression must end after it starts, not at {self.end:g} s after {self.start:g} s.")

    @property
    def holds(self) -> bool:
        """Whether it is values, not movement."""
        return not isinstance(self.what, str) and not any(isinstance(value, list) for value in self.what.values())

    @property
    def lasts(self) -> float:
        """Seconds until it is over, from the beginning of the motion; one that holds without an end, a second."""
        if self.end is not None:
            return self.end
        if self.what == IDLE or self.holds:
            return self.start + (IDLE_SECONDS if self.what == IDLE else 1.0)
        return self.start + last_key(self._keys())

    def _keys(self) -> Keys:
        return read_keys(PRESETS[self.what]) if isinstance(self.what, str) else self.what

    def curves(self, frames: int, fps: Fraction) -> Tensor:
        """(frames,24) of what it adds to the parameters. ValueError if it begins after the last frame."""
        times = torch.arange(frames, dtype=torch.float64) / float(fps)
        if self.start > float(times[-1]):
            raise ValueError(
                f"An expression begins at {self.start:g} s, but the motion lasts {float(frames / fps):.2f} s."
            )
        if self.what == IDLE:
            return idle_curves(frames, fps, self.seed) * envelope(times, self.start, self.end, self.ease)[:, None]
        if self.holds:
            return _constant(self.what)[None] * envelope(times, self.start, self.end, self.ease)[:, None]
        keys, times = self._keys(), times - self.start
        if isinstance(self.what, str) and self.end is not None:
            times = times * (last_key(keys) / (self.end - self.start))
        elif self.end is not None:
            return keyed(keys, times) * envelope(times, 0, self.end - self.start, self.ease)[:, None]
        return keyed(keys, times)


def read_addition(text: str) -> Addition:
    """`smile=.5,brows=.2@1.0-2.5`, a preset such as `nod@1.0`, or key frames, `1: smile=0; 1.5: smile=.6` -> Addition.

    Times after the @ are seconds, the second one may be left out. ValueError, in one sentence, for anything else."""
    what, at, when = (part.strip() for part in text.partition("@"))
    if not at and ":" in what:
        return Addition(read_keys(what))
    times = re.fullmatch(r"([0-9.]+)(?:\s*-\s*([0-9.]+)?)?", when) if at else None
    if at and not times:
        raise ValueError(f"{shown(when)} is no time: write START or START-END in seconds, such as @1.0-2.5.")
    start, end = (
        None if t is None else read_number(t, "The time", LONGEST) for t in (times.groups() if at else ("0", None))
    )
    if "=" not in what and what not in PRESET_NAMES:
        raise ValueError(
            f"There is no expression {shown(what)}; there are {', '.join(PRESET_NAMES)}, or write smile=.5."
        )
    return Addition(what if what in PRESET_NAMES else read_values(what), start, end)


def smooth_step(x: Tensor) -> Tensor:
    """0 to 1 without a jump of speed; clamped."""
    x = x.clamp(0, 1)
    return x * x * (3 - 2 * x)


def envelope(times: Tensor, start: float, end: float | None, ease: float) -> Tensor:
    """(T,) 0 before `start`, 1 from `start` + `ease` to `end` - `ease`, 0 after `end`; an ease is at most half of what
    lies between them."""
    if end is not None:
        ease = min(ease, (end - start) / 2)
    ease = max(ease, 1e-6)
    up = smooth_step((times - start) / ease)
    return up if end is None else up * smooth_step((end - times) / ease)


def _constant(values: Mapping[str, float]) -> Tensor:
    """Values by control -> parameters (24,)."""
    parameters = torch.zeros(COUNT, dtype=torch.float64)
    for name, value in values.items():
        for parameter in CONTROLS[name].parameters:
            parameters[INDEX[parameter]] += value * CONTROLS[name].unit
    return parameters


def keyed(keys: Keys, times: Tensor) -> Tensor:
    """(T,24) of key frames: between two keys of a control a smooth step, before the first and after the last its
    value."""
    parameters = torch.zeros(len(times), COUNT, dtype=torch.float64)
    for name, points in keys.items():
        moments = torch.tensor([time for time, _ in points], dtype=torch.float64)
        values = torch.tensor([value for _, value in points], dtype=torch.float64)
        after = torch.searchsorted(moments, times, right=True).clamp(max=len(points) - 1)
        before = (after - 1).clamp(min=0)
        gap = (moments[after] - moments[before]).clamp(min=1e-9)
        curve = torch.lerp(values[before], values[after], smooth_step((times - moments[before]) / gap))
        curve = torch.where(times >= moments[-1], values[-1], curve)
        for parameter in CONTROLS[name].parameters:
            parameters[:, INDEX[parameter]] += curve * CONTROLS[name].unit
    return parameters


LOW = torch.tensor([min(p.drawn[0], 0.0) for p in MOTION])
HIGH = torch.tensor([max(p.drawn[1], 0.0) for p in MOTION])


def add_curves(motion: Motion, renderer: Renderer, curves: Tensor) -> Motion:
    """The motion with curves (T,24) added to its parameters: each stays between what corpora draw, or where it is.

    ValueError for motion of another renderer."""
    check_language(motion.language, renderer)
    before = motion_to_parameters(renderer, motion.values)
    wanted = before + curves.to(before)
    low, high = torch.minimum(LOW, before), torch.maximum(HIGH, before)
    wanted = torch.where(curves.to(before) == 0, before, wanted.clamp(low, high))
    change = parameters_to_motion(renderer, wanted) - parameters_to_motion(renderer, before)
    return replace(motion, values=motion.values + change.to(motion.values))


def rest(renderer: Renderer, frames: int, fps: Fraction = Fraction(FPS)) -> Motion:
    """Motion of `frames` frames of a face at rest."""
    still = renderer.rest_motion().detach().float().cpu()
    return Motion(still.expand(frames, -1).clone(), still, fps, renderer.motion_language)


def idle(renderer: Renderer, frames: int, fps: Fraction = Fraction(FPS), seed: int = 0, amount: float = 1.0) -> Motion:
    """Motion without a voice (idle.py) of so many frames."""
    return add_curves(rest(renderer, frames, fps), renderer, idle_curves(frames, fps, seed, amount))


def add_expressions(motion: Motion, renderer: Renderer, additions: Sequence[Addition]) -> Motion:
    """The motion with every addition, at its own frame rate and length."""
    return expressed(renderer, additions, motion)[0]


def still(renderer: Renderer, values: Mapping[str, float]) -> Motion:
    """Motion of one frame: the values by control, added to the photo's own expression when it is rendered."""
    return add_curves(rest(renderer, 1), renderer, _constant(values)[None])


def expressed(
    renderer: Renderer, additions: Sequence[Addition], motion: Motion | None = None, fps: Fraction = Fraction(FPS)
) -> tuple[Motion, int]:
    """The additions together, and the frame in which they are furthest from nothing, for a preview.

    Added to the motion where there is one; else to a face at rest, one frame of it where nothing moves, or at `fps`
    until everything is over."""
    if motion is None and all(one.holds for one in additions):
        held = {}
        for one in additions:
            held |= one.what
        return still(renderer, held), 0
    base = motion or rest(renderer, math.ceil(max(one.lasts for one in additions) * fps) + 1, fps)
    if not additions:
        return base, 0
    curves = sum(one.curves(base.frames, base.fps) for one in additions)
    spread = torch.tensor([p.spread for p in MOTION], dtype=curves.dtype)
    return add_curves(base, renderer, curves), int((curves.abs() / spread).sum(1).argmax())


def set_mood(
    motion: Motion, renderer: Renderer, mood: str = "neutral", strength: float = 1.0, liveliness: float = 1.0
) -> Motion:
    """The motion in a mood (MOODS), at `strength` (0: none of it), its head, brows and gaze scaled by `liveliness` (0
    still, 1 as it is, 2 twice as much). ValueError for another mood, and for motion of another renderer."""
    if mood not in MOODS:
        raise ValueError(f"There is no mood '{mood}'; there are {', '.join(MOODS)}.")
    if liveliness != 1:
        motion = edit_regions(motion, renderer, {"pose": liveliness, "brows": liveliness, "gaze": liveliness})
    values = {name: strength * value for name, value in MOODS[mood].items()} if strength else {}
    return add_expressions(motion, renderer, [Addition(values, ease=MOOD_EASE)] if values else [])
