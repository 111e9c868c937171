"""The settings of sampling and of rendering, from which command line, nodes and library take defaults, ranges and
choices. Imports no PyTorch."""

from __future__ import annotations

from dataclasses import dataclass

from ..sampling.settings import Choice, Range, SamplingSettings, Settings, choice, number
from ..visemes import phones
from ..vocabulary import MOTION_MODES

__all__ = [
    "Choice",
    "DubbingSettings",
    "LipSettings",
    "ListeningSettings",
    "LiveSettings",
    "PoseSettings",
    "Range",
    "RenderingSettings",
    "SamplingSettings",
    "Settings",
]

AUTO, LANGUAGE = "auto", "en-us"
PHONE_SETS: tuple[str, ...] = (AUTO, *phones.PHONE_SETS)
"""How the phones of a file are written, and the language of words."""
STYLES = ("points", "points and lines")


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


@dataclass(frozen=True)
class LipSettings(Settings):
    """openness and width: factors on how far a mouth opens and how far it rounds and spreads. late: seconds by which
    the lips follow the times, below 0 they come first. share: of the phones in lips that a voice moves too; whatever it
    is, closures are the phones'."""

    openness: float = number(1.0, 0.0, 2.0, step=0.05)
    width: float = number(1.0, 0.0, 2.0, step=0.05)
    late: float = number(0.0, -1.0, 1.0, step=0.01)
    share: float = number(0.5, 0.0, 1.0, step=0.05)


@dataclass(frozen=True)
class PoseSettings(Settings):
    """size: side in pixels; radius: of a point, in a picture of 512; count: 68 points, or 70 with the pupils; style:
    points alone, as DWPose draws a face, or joined by lines."""

    size: int = number(512, 64, 4096)
    radius: float = number(3.0, 0.5, 20.0, step=0.5)
    count: str = choice("70", ("70", "68"))
    style: str = choice(STYLES[0], STYLES)


@dataclass(frozen=True)
class LiveSettings(Settings):
    """chunk: frames that are sampled at once. ahead: frames of sound heard beyond them. context: frames heard before
    them. steps: of the solver; the lips do not depend on them. seed: of the noise."""

    chunk: int = number(5, 1, 40)
    ahead: int = number(4, 0, 40)
    context: int = number(100, 20, 1000)
    steps: int = number(4, 1, 100)
    seed: int = number(0, 0, 2**63 - 1)


@dataclass(frozen=True)
class DubbingSettings(Settings):
    """How a film is dubbed. gain: factor on the mouth's motion; articulation: as of rendering; begin: second of the
    film at which the voice begins; before it and after its end the lips are closed."""

    gain: float = number(1.0, 0.0, 3.0, step=0.05)
    articulation: float = number(1.0, 0.0, 3.0, step=0.05)
    begin: float = number(0.0, 0.0, 86400.0, step=0.01)


@dataclass(frozen=True)
class ListeningSettings(Settings):
    """amount: factor on sway, nods and turn of a listener; 0 leaves breath and blinks. seed: of their times."""

    amount: float = number(1.0, 0.0, 2.0, step=0.05)
    seed: int = number(0, 0, (1 << 63) - 1)
