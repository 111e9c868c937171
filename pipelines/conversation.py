"""Two people of one photo: which way each looks at the other, and both of them in one film."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from ..media.crop import FEATHER, Crop, paste_back
from ..media.motion import Motion
from ..networks.renderer.model import Renderer, Source
from . import devices, rendering
from .settings import RenderingSettings

Person = tuple[Renderer, Source, Tensor, Motion, RenderingSettings]
"""What `rendering.render` takes: renderer, source, appearance, motion, settings."""


def side_of_other(own: Crop, other: Crop) -> str:
    """Where in the photo the other one is, for `listen`: left or right of this face."""
    return "right" if other.x0 + other.size / 2 > own.x0 + own.size / 2 else "left"


def film_of_people(
    photo: Tensor,
    crops: Sequence[Crop],
    people: Sequence[Person],
    *,
    first: int = 0,
    bf16: bool = False,
    progress: devices.Progress | None = None,
    feather: float = FEATHER,
) -> Iterator[Tensor]:
    """The photo (H,W,3) with two people pasted back, one frame (1,H,W,3) after the other, float in [0,1]. crops: of
    both; where they overlap, each face keeps its half. progress counts the frames of the first one; the rest is as of
    `rendering.render`. Both motions must have the same number of frames."""
    bars = (progress, *[None] * (len(people) - 1))
    films = [
        rendering.render(*values, first=first, bf16=bf16, progress=shown)
        for values, shown in zip(people, bars, strict=True)
    ]
    singles = [(frame[None] for batch in film for frame in batch) for film in films]
    for pictures in zip(*singles, strict=True):
        whole = photo
        for place, (picture, crop) in enumerate(zip(pictures, crops, strict=True)):
            whole = paste_back(whole, picture, crop, feather, [crops[1 - place]])
        yield whole
