"""Editing motion tracks. Every function returns a new motion and does not change its input."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import torch
from torch import Tensor

from .motion import Motion
from .smoothing import smoothed

SMOOTHERS = ("gaussian", "one_euro")
ONE_EURO_SPEED = 0.3  # beta of Casiez et al. 2012: Hz of cutoff for a typical deviation a second


def edit_motion(
    motion: Motion,
    *,
    start: float = 0.0,
    end: float | None = None,
    speed: float = 1.0,
    fps: Fraction | None = None,
    gain: float = 1.0,
    parameter_gain: Tensor | None = None,
    read: Callable[[Tensor], Tensor] | None = None,
    write: Callable[[Tensor], Tensor] | None = None,
    offset: Tensor | None = None,
    smooth: float = 0.0,
    smoother: str = "gaussian",
) -> Motion:
    """The usual edits, in this order: slice, speed and rate, smoothing, gain, gain by parameter, offset.

    start, end: seconds. speed: 2 plays twice as fast. fps: the new rate. smooth: seconds (the gaussian's sigma; the
    One-Euro filter's time constant at rest). gain: size of the whole motion about its reference. parameter_gain (24,)
    with the renderer's read_parameters as `read` and motion_from_parameters as `write` scales single parameters.
    offset: (768,) or (T,768) added at the end, such as write(parameters) - write(zeros).
    """
    motion = slice_motion(motion, start, end) if start or end is not None else motion
    motion = resample_motion(motion, speed, fps) if speed != 1 or fps else motion
    motion = smooth_motion(motion, smooth, smoother) if smooth else motion
    if gain != 1:
        motion = replace(motion, values=motion.reference + gain * (motion.values - motion.reference))
    if parameter_gain is not None:
        if read is None or write is None:
            raise ValueError("parameter_gain needs the renderer's read_parameters and motion_from_parameters.")
        motion = scale_parameters(motion, parameter_gain, read, write)
    if offset is not None:
        if offset.shape[-1] != motion.values.shape[1] or (
            offset.ndim == 2 and offset.shape[0] not in (1, motion.frames)
        ):
            shape, wanted = tuple(offset.shape), tuple(motion.values.shape)
            raise ValueError(f"The offset has shape {shape}, the motion {wanted}: give one vector or one a frame.")
        motion = replace(motion, values=motion.values + offset.to(motion.values))
    return motion


def scale_parameters(motion: Motion, gain: Tensor, read: Callable, write: Callable) -> Motion:
    """Scale each read-out parameter's distance from the reference by gain (24,).

    Only the difference that the scaling makes is added, so motion that no parameter describes is not changed."""
    rest = read(motion.reference[None])
    parameters = read(motion.values)
    scaled = rest + gain.to(parameters) * (parameters - rest)
    return replace(motion, values=motion.values + (write(scaled) - write(parameters)).to(motion.values))


def slice_motion(motion: Motion, start: float = 0.0, end: float | None = None) -> Motion:
    """The frames from `start` to `end` seconds. Raises ValueError when none are left."""
    first = math.floor(start * motion.fps + 0.5)
    last = motion.frames if end is None else min(motion.frames, math.floor(end * motion.fps + 0.5))
    if start < 0 or first >= last:
        raise ValueError(f"Nothing lies between {start} s and {end} s: the motion lasts {motion.duration:.2f} s.")
    return replace(motion, values=motion.values[first:last])


def resample_motion(motion: Motion, speed: float = 1.0, fps: Fraction | None = None) -> Motion:
    """Play at another speed and write at another rate, by linear interpolation between frames."""
    if not 0 < speed < math.inf:
        raise ValueError(f"The speed must be positive, got {speed}.")
    fps = Fraction(fps or motion.fps)
    step = float(motion.fps / fps) * speed  # old frames a new frame
    frames = max(1, math.floor(motion.frames / step + 0.5))
    position = (torch.arange(frames, device=motion.values.device) * step).clamp(max=motion.frames - 1)
    before = position.floor().long()
    after = (before + 1).clamp(max=motion.frames - 1)
    weight = (position - before)[:, None].to(motion.values)
    return replace(motion, values=torch.lerp(motion.values[before], motion.values[after], weight), fps=fps)


def smooth_motion(motion: Motion, seconds: float, smoother: str = "gaussian") -> Motion:
    """Smooth in time: "gaussian" of that sigma (no lag), or the "one_euro" filter, which smooths fast motion less."""
    if smoother not in SMOOTHERS:
        raise ValueError(f"Unknown smoother '{smoother}'; use {' or '.join(SMOOTHERS)}.")
    if not 0 <= seconds < math.inf:
        raise ValueError(f"Smoothing takes a time in seconds, not {seconds}.")
    if seconds == 0 or motion.frames == 1:
        return motion
    fps = float(motion.fps)
    if smoother == "gaussian":
        return replace(motion, values=smoothed(motion.values, seconds * fps))
    return replace(motion, values=_one_euro(motion.values, seconds, fps))


def _one_euro(values: Tensor, seconds: float, fps: float) -> Tensor:
    """Casiez et al. 2012, with one cutoff for all dimensions, so that they have the same lag."""

    def weight(cutoff: Tensor | float) -> Tensor | float:
        return 1 / (1 + fps / (2 * math.pi * cutoff))

    scale = values.std(dim=0).square().mean().sqrt().clamp(min=1e-8)
    least = 1 / (2 * math.pi * seconds)
    out, slope = [values[0]], torch.zeros_like(values[0])
    for i in range(1, len(values)):
        slope = torch.lerp(slope, (values[i] - values[i - 1]) * fps, weight(1.0))
        cutoff = least + ONE_EURO_SPEED * slope.square().mean().sqrt() / scale
        out.append(torch.lerp(out[-1], values[i], weight(cutoff)))
    return torch.stack(out)


def matched(first: Motion, second: Motion) -> tuple[Motion, Motion]:
    """Both at `first`'s frame rate; ValueError when they are known to be of different motion spaces."""
    if first.language and second.language and first.language != second.language:
        raise ValueError(
            f"The two motions were made for different renderers (motion languages {first.language} and "
            f"{second.language}) and cannot be joined: make both with one renderer."
        )
    if first.encoder and second.encoder and first.encoder != second.encoder:
        raise ValueError(
            "Parts of the two motions have no names, and two different motion encoders wrote them "
            f"({first.encoder} and {second.encoder}): make both with one renderer."
        )
    second = second if second.fps == first.fps else resample_motion(second, fps=first.fps)
    language, encoder = first.language or second.language, first.encoder or second.encoder
    return replace(first, language=language, encoder=encoder), second


def concatenate_motions(first: Motion, second: Motion, crossfade: float = 0.2) -> Motion:
    """One after the other, relative to the first's reference and at its rate, overlapping for `crossfade` seconds."""
    first, second = matched(first, second)
    tail = second.values.to(first.values) + (first.reference - second.reference.to(first.values))
    overlap = min(math.floor(crossfade * first.fps + 0.5), first.frames, second.frames)
    if overlap < 0:
        raise ValueError(f"The crossfade lasts {crossfade} s; give zero or more.")
    ramp = ((torch.arange(overlap, device=tail.device) + 1) / (overlap + 1))[:, None].to(tail)
    middle = torch.lerp(first.values[first.frames - overlap :], tail[:overlap], ramp)
    return replace(first, values=torch.cat([first.values[: first.frames - overlap], middle, tail[overlap:]]))


def blend_motions(first: Motion, second: Motion, weight: float = 0.5) -> Motion:
    """The weighted mean of both motions' changes: weight 0 gives the first, 1 the second; the shorter one repeats its
    last frame."""
    first, second = matched(first, second)
    frames = max(first.frames, second.frames)

    def held(motion: Motion) -> Tensor:
        change = (motion.values - motion.reference).to(first.values)
        return torch.cat([change, change[-1:].expand(frames - motion.frames, -1)])

    return replace(first, values=first.reference + torch.lerp(held(first), held(second), float(weight)))
