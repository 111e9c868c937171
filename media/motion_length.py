"""Motion of another length: cut, held, looped, played forth and back, or retimed. Each returns a new motion."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from ..vocabulary import LENGTH_MODES
from .motion import Motion

JOIN = 0.4  # seconds in which the end of a loop becomes its beginning


def fit_length(motion: Motion, frames: int, mode: str = "hold", join: float = JOIN) -> Motion:
    """The motion with that many frames, at its own rate. What is too long is cut, except by retime; what is too short:

    cut: stays so. hold: its last frame stands. loop: it begins again, the end becoming the beginning within `join`
    seconds. bounce: it is played back and forth. retime: it is played slower, or faster where it is too long.
    ValueError for another mode or less than a frame."""
    if mode not in LENGTH_MODES:
        raise ValueError(f"There is no way '{mode}' to fit a length; there are {', '.join(LENGTH_MODES)}.")
    if frames < 1:
        raise ValueError(f"A motion needs at least one frame, not {frames}.")
    if mode == "retime":
        return _retimed(motion, frames)
    if frames <= motion.frames or mode == "cut":
        return replace(motion, values=motion.values[:frames])
    if mode == "loop":
        return replace(motion, values=_looped(motion, frames, join))
    index = torch.arange(frames)
    if mode == "hold" or motion.frames == 1:
        index = index.clamp(max=motion.frames - 1)
    else:
        period = 2 * (motion.frames - 1)
        index = index % period
        index = torch.minimum(index, period - index)
    return replace(motion, values=motion.values[index.to(motion.values.device)])


def repeat_motion(motion: Motion, times: int, join: float = JOIN) -> Motion:
    """The motion `times` over, each end becoming the next beginning within `join` seconds."""
    first, again, last = _cycle(motion, join)
    return replace(motion, values=torch.cat([first, *[again] * (times - 1), last]))


def _looped(motion: Motion, frames: int, join: float) -> Tensor:
    first, again, _ = _cycle(motion, join)
    rounds = math.ceil(max(0, frames - len(first)) / len(again))
    return torch.cat([first, *[again] * rounds])[:frames]


def _cycle(motion: Motion, join: float) -> tuple[Tensor, Tensor, Tensor]:
    """The motion up to its seam; the seam, in which the end becomes the beginning, and all up to the next one; the
    end."""
    if not 0 <= join < math.inf:
        raise ValueError(f"A loop is joined within some seconds, not {join}.")
    values = motion.values
    overlap = min(round(join * motion.fps), motion.frames // 2)
    kept = motion.frames - overlap
    ramp = ((torch.arange(overlap, device=values.device) + 1) / (overlap + 1))[:, None].to(values)
    seam = torch.lerp(values[kept:], values[:overlap], ramp * ramp * (3 - 2 * ramp))
    return values[:kept], torch.cat([seam, values[overlap:kept]]), values[kept:]


def _retimed(motion: Motion, frames: int) -> Motion:
    position = torch.linspace(0, motion.frames - 1, frames, device=motion.values.device)
    before = position.floor().long()
    after = (before + 1).clamp(max=motion.frames - 1)
    weight = (position - before)[:, None].to(motion.values)
    return replace(motion, values=torch.lerp(motion.values[before], motion.values[after], weight))
