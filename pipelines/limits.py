"""Clamps motion to what faces do, with one warning.

A renderer produces artefacts for parameters far outside its training range, whatever the reason (a damaged file, a
picture without a face, a gain far too high). The limit is three times as far from rest as the corpus draws a parameter.
In 48 real films (899 frames) no parameter of a face came to .6 of that. Where a head is in the picture is no property
of a face: heads went 1.6 times beyond three drawn ranges, so the limit there is ten.
"""

from __future__ import annotations

import logging

import torch
from torch import Tensor

from ..networks.renderer.model import NO_NAMES, Renderer
from ..vocabulary import MOTION, PARAMETERS
from .regions import motion_to_parameters, parameters_to_motion

log = logging.getLogger("mamba_portrait")

RANGES, FRAMING_RANGES = 3, 10
LIMITS = torch.tensor([(FRAMING_RANGES if p.framing else RANGES) * max(map(abs, p.drawn)) for p in MOTION])
"""(24,): how far from zero each parameter may go."""


class MotionLimits:
    """Clamps motion that comes in parts, records which frames were beyond the limits, and warns of them at the end.

    name: of the input in the warning, such as "the driving video"."""

    def __init__(self, renderer: Renderer, name: str):
        self.renderer, self.name = renderer, name
        self.frames: list[int] = []  # that were clamped
        self.worst, self.value, self.times = "", 0.0, 1.0  # the parameter furthest beyond its limit
        self._seen, self._last = 0, None

    def clamp(self, values: Tensor) -> Tensor:
        """The next frames (T,768) float32 on the CPU -> the same, with every parameter within its limits.

        A frame with NaN or infinite numbers gets the motion of the frame before it, the first one that at rest."""
        broken = ~torch.isfinite(values).all(1)
        if broken.any():
            values = values.clone()
            before = self.renderer.rest_motion().detach().float().cpu() if self._last is None else self._last
            for i in broken.nonzero().flatten().tolist():
                values[i] = values[i - 1] if i else before
        if not self.renderer.config.readout:
            self._seen, self._last = self._seen + len(values), values[-1]
            return values
        parameters = motion_to_parameters(self.renderer, values)
        clamped = parameters.clamp(-LIMITS, LIMITS)
        beyond = (clamped != parameters).any(1)
        if beyond.any():
            change = parameters_to_motion(self.renderer, clamped) - parameters_to_motion(self.renderer, parameters)
            values = torch.where(beyond[:, None], values + change, values)
            self._record_worst(parameters)
        self.frames += [self._seen + i for i in (broken | beyond).nonzero().flatten().tolist()]
        self._seen += len(values)
        self._last = values[-1]
        return values

    def _record_worst(self, parameters: Tensor) -> None:
        """Keep the parameter that is the most times its limit."""
        times = parameters.abs() / LIMITS
        if float(times.max()) > self.times:
            frame, number = divmod(int(times.argmax()), len(PARAMETERS))
            self.times, self.worst = float(times.max()), PARAMETERS[number]
            self.value = float(parameters[frame, number])

    def warn(self) -> None:
        """Log one warning if frames were clamped, or if nothing could be because the motion has no names."""
        if not self.renderer.config.readout:
            log.warning("%s was not held within limits. %s", self.name[:1].upper() + self.name[1:], NO_NAMES)
        if not self.frames:
            return
        what = f"{self.worst} {self.value:.3g}" if self.worst else "NaN"
        which = "" if self._seen == 1 else f" in {_runs(self.frames)} of {self._seen}"
        log.warning(
            "%s gives motion that no face makes%s (%s) and was held at the limit: look for a spoilt picture, a wrong "
            "crop or a gain that is too high.",
            self.name[:1].upper() + self.name[1:],
            which,
            what,
        )


def _runs(frames: list[int], shown: int = 4) -> str:
    """[3,4,5,9] -> "frames 3 to 5 and 9"; counted from 0, at most `shown` runs are named."""
    runs: list[list[int]] = []
    for frame in frames:
        if runs and frame == runs[-1][1] + 1:
            runs[-1][1] = frame
        else:
            runs.append([frame, frame])
    named = [f"{a} to {b}" if b > a else f"{a}" for a, b in runs[:shown]]
    named += [f"{len(runs) - shown} more places"] if len(runs) > shown else []
    listed = ", ".join(named[:-1]) + (" and " if len(named) > 1 else "") + named[-1]
    return ("frame " if len(frames) == 1 else "frames ") + listed
