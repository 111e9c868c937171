"""The settings of sampling and of rendering, from which command line, nodes and library take defaults, ranges and
choices. Imports no PyTorch."""

from __future__ import annotations

from dataclasses import dataclass

from ..sampling.settings import Choice, Range, SamplingSettings, Settings, choice, number
from ..vocabulary import MOTION_MODES

__all__ = ["Choice", "Range", "RenderingSettings", "SamplingSettings", "Settings"]


@dataclass(frozen=True)
class RenderingSettings(Settings):
    """How motion is rendered on a portrait.

    mode: "relative" adds the motion's change to the portrait's own pose and closes parted lips for a voice; "keep_lips"
    does not close them; "absolute" uses the motion's own pose and expression, "expression" its own
    expression on the portrait's pose. gain: factor on the motion, 0 is still.
    articulation: factor on beta of the decoder, 1 is as trained. size: side of the frames in pixels, None for the
    portrait's own. batch: frames rendered at once. quality: constant rate factor of H.264, lower is better.
    """

    mode: str = choice("relative", MOTION_MODES)
    gain: float = number(1.0, 0.0, 3.0, step=0.05)
    articulation: float = number(1.0, 0.0, 3.0, step=0.05)
    size: int | None = number(None, 64, 4096)
    batch: int = number(4, 1, 64)
    quality: int = number(18, 0, 40)
