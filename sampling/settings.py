"""Dataclasses of settings with ranges and choices, and the sampling settings: their only definition.

Imports no PyTorch, so that `--help` and the nodes' schemas are quick. The sampling settings stand beside the sampler,
which may not import `pipelines`; `pipelines/settings.py` exports them together with those of rendering.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field, fields
from numbers import Integral, Real
from typing import Any

from ..messages import shown

SOLVERS = ("dpmpp_2m", "ddim", "ddpm")
WINDOW_MODES = ("window", "overlap", "stream", "strict")
LARGEST_SEED = 2**64 - 1


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, whole ones if the limits are; a widget changes them by `step` (None: its own)."""

    low: float
    high: float
    step: float | None = None

    @property
    def whole(self) -> bool:
        return isinstance(self.low, int)

    def __str__(self) -> str:
        return f"{_limit(self.low)} to {_limit(self.high)}"

    def fault(self, value: Any) -> str | None:
        """What is wrong with a value, to follow the setting's name; None if nothing is."""
        number = isinstance(value, Integral if self.whole else Real) and not isinstance(value, bool)
        if number and self.low <= value <= self.high:
            return None
        return f"must be a {'whole ' if self.whole else ''}number from {self}, not {shown(value)}"

    def read(self, text: str) -> float:
        """The number that a text holds, for argparse (`type=Range(1, 64).read`), which tells what is wrong with it."""
        try:
            value = int(text) if self.whole else float(text)
        except ValueError:
            value = text
        if fault := self.fault(value):
            raise argparse.ArgumentTypeError(fault)
        return value


def _limit(value: float) -> str:
    bits = value.bit_length() if isinstance(value, int) else 0
    return f"2^{bits} - 1" if bits > 53 and value == 2**bits - 1 else f"{value:.15g}"


@dataclass(frozen=True)
class Choice:
    """One of some words."""

    options: tuple[str, ...]

    def __str__(self) -> str:
        return ", ".join(self.options)

    def fault(self, value: Any) -> str | None:
        """What is wrong with a value, to follow the setting's name; None if nothing is."""
        if isinstance(value, str) and value in self.options:
            return None
        return f"must be one of {self}, not {shown(value)}"


def number(default: float | None, low: float, high: float, step: float | None = None) -> Any:
    """A field of `Settings` for a number; a default of None is allowed beside the range."""
    return field(default=default, metadata={"allowed": Range(low, high, step)})


def choice(default: str, options: tuple[str, ...]) -> Any:
    """A field of `Settings` for one of some words."""
    return field(default=default, metadata={"allowed": Choice(options)})


class Settings:
    """Base of frozen dataclasses made of `number` and `choice`. Raises ValueError, in one sentence, for a value that a
    setting does not allow. A default is the class's attribute: SamplingSettings.steps."""

    def __post_init__(self) -> None:
        for setting in fields(self):
            self.check(setting.name, getattr(self, setting.name))

    @classmethod
    def allowed(cls, name: str) -> Range | Choice:
        """What a setting may be."""
        return cls.__dataclass_fields__[name].metadata["allowed"]

    @classmethod
    def check(cls, name: str, value: Any) -> None:
        """Raise ValueError if a setting may not have this value."""
        optional = value is None and getattr(cls, name) is None
        if not optional and (fault := cls.allowed(name).fault(value)):
            raise ValueError(f"{name} {fault}.")


@dataclass(frozen=True)
class SamplingSettings(Settings):
    """How motion is sampled from the motion model.

    seed: of the noise. steps: solver steps a window; solver: dpmpp_2m needs the fewest, ddpm is the original and needs
    hundreds; eta: the noise that ddim adds at every step, 0 none, 1 as ddpm. audio_guidance and appearance_guidance:
    guidance scales, 1 is the model as trained. mode: how long audio is cut into windows (`windows.plan`); window:
    frames denoised at once; overlap: frames that neighbours share, in mode overlap. mouth_noise and mouth_lead: what
    the sampler does beyond the paper (`windows`); 1 and 0 give the paper's method.
    """

    seed: int = number(0, 0, LARGEST_SEED)
    steps: int = number(12, 1, 1000)
    solver: str = choice("dpmpp_2m", SOLVERS)
    audio_guidance: float = number(1.5, 0.0, 10.0, step=0.1)
    appearance_guidance: float = number(1.0, 0.0, 10.0, step=0.1)
    mode: str = choice("window", WINDOW_MODES)
    window: int = number(80, 8, 400)
    overlap: int = number(20, 0, 200)
    eta: float = number(0.0, 0.0, 1.0)
    mouth_noise: float = number(0.5, 0.0, 1.0)
    mouth_lead: float = number(1.0, 0.0, 1.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mode == "overlap" and self.overlap >= self.window:
            raise ValueError(f"overlap must be smaller than window ({self.window}), not {self.overlap}.")
