"""The matte's training: which pixels of a drawn picture are a person's, and where they are in a frame.

Drawn heads alone teach a matte that cuts photographs at hats, hair and collars; real pictures with mattes of a
segmentation (real_mattes.py) teach it those. The other parts of the renderer are held.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ....networks.renderer.layers import bilinear, resize
from ....networks.renderer.model import Renderer
from ....networks.renderer.plate import SIZE, moved_matte
from ....vocabulary import BACKGROUND
from ...datasets.batch_slice import Draws
from ...datasets.stills import StillSet
from .augment import jostle, vary
from .losses import total
from .real_mattes import RealMattes
from .stills_task import StillsTask

WIDTHS = (16, 32, 48, 64, 64)
"""Of a renderer that gets a matte: 420 thousand parameters, 0.8 MB in half precision."""
REAL = 3  # real pictures beside the three of each group
ZOOM, SHIFT = 0.12, 0.06  # of crops, which in use are less even than drawn ones


@dataclass(frozen=True)
class MatteWeights:
    pixels: float = 1.0  # binary cross-entropy
    overlap: float = 1.0  # one minus Dice's coefficient
    outline: float = 1.0  # binary cross-entropy of the person in a frame


def with_matte(renderer: Renderer) -> Renderer:
    """The renderer, with a new matte where it has none."""
    if renderer.config.matte_widths:
        return renderer
    grown = Renderer(replace(renderer.config, matte_widths=WIDTHS))
    grown.load_state_dict(grown.state_dict() | renderer.state_dict())
    return grown.train(renderer.training)


class Drawn(NamedTuple):
    """N groups, of each the first person."""

    images: Tensor  # (3N,3,S,S) targets in [0,1], as a camera would have them; then real pictures, where they take part
    person: Tensor  # of each (1,S,S): 1 where the person is
    sources: Tensor  # (N,3,S,S), as drawn
    motion: Tensor  # (N,4,768) of source and targets, written from their parameters
    framed: Tensor  # (3N,1,S,S): the person in the targets as drawn


class MatteTask(StillsTask):
    """The losses of matte and outline on random groups. What the outline reads, the other parts compute as they are."""

    PICTURES = 3  # a group

    def __init__(
        self,
        renderer: Renderer,
        stills: StillSet,
        weights: MatteWeights | None = None,
        real: RealMattes | None = None,
    ):
        super().__init__(renderer, stills, SIZE)
        self.weights, self.real = weights or MatteWeights(), real

    def parameters(self) -> list[Tensor]:
        return [*self.renderer.matte.parameters(), *self.renderer.outline.parameters()]

    def batch(self, indices: Sequence[int], size: int, draws: Draws | None) -> Drawn:
        """Groups by number, with draws varied as cameras do."""
        groups = self.stills.get(np.asarray(indices))
        pictures = groups.rgb[:, 0].to(self.device).permute(0, 1, 4, 2, 3).float() / 255  # (N,4,3,s,s)
        images = resize(pictures[:, 1:].flatten(0, 1), size)
        person = (groups.part()[:, 0].flatten(0, 1).to(self.device) != BACKGROUND).float()[:, None]
        framed = resize(person, size)
        both = torch.cat([images, framed], 1)
        if draws is not None:
            both = _seen(both, draws.each(3))
            if self.real is not None:
                chosen = draws.each(REAL).integers(len(self.real.rgb)).cpu().numpy()
                real = torch.cat(self.real.batch(chosen, self.device), 1)
                mirrored = draws.each(REAL).uniform(1, 1, 1) < 0.5
                both = torch.cat([both, _seen(torch.where(mirrored, real.flip(-1), real), draws.each(REAL))])
        motion = self.renderer.motion_from_parameters(groups.param[:, 0].to(self.device)).detach()
        return Drawn(both[:, :3], both[:, 3:], resize(pictures[:, 0], size), motion, framed)

    def losses(self, batch: Drawn, progress: float = 0.0) -> dict[str, Tensor]:
        """A batch -> unweighted terms, and their weighted sum."""
        logits = self.renderer.matte(batch.images)
        matte = logits.sigmoid()
        both, either = (matte * batch.person).sum((1, 2, 3)), (matte + batch.person).sum((1, 2, 3))
        seen = self.outline(batch)
        terms = {
            "pixels": F.binary_cross_entropy_with_logits(logits, batch.person),
            "overlap": (1 - (2 * both + 1) / (either + 1)).mean(),
            "outline": F.binary_cross_entropy_with_logits(seen, resize(batch.framed, seen.shape[-1])),
        }
        return terms | {"loss": total(terms, self.weights)}

    def outline(self, batch: Drawn) -> Tensor:
        """Logits (3N,1,h,w) of where the person is in the frames that the targets' motion gives."""
        renderer = self.renderer
        with torch.no_grad():
            source = renderer.encode_source(batch.sources, motion=batch.motion[:, 0]).repeat(3)
            change = (batch.motion[:, 1:] - batch.motion[:, :1]).flatten(0, 1)
            appearance = renderer.extract_appearance(source)
            field = renderer.lmdd(
                renderer.deviation(source.motion + change, source.pose), source.source_maps, appearance
            )
            moved = moved_matte(bilinear(field.forward.float(), (SIZE, SIZE)), source.matte)
        return renderer.outline(field.features, source.matte, moved)

    @torch.no_grad()
    def measure(self, indices: np.ndarray, size: int) -> dict[str, float]:
        """Of people held out: intersection over union of the matte, and the share of pixels of a frame that the outline
        has right."""
        batch = self.batch(indices, SIZE, None)
        matte = torch.cat([self.renderer.matte(chunk) for chunk in batch.images.split(32)]) > 0
        person = batch.person > 0.5
        union = (matte | person).float().sum((1, 2, 3)).clamp_min(1)
        seen = self.outline(batch)
        right = (seen > 0) == (resize(batch.framed, seen.shape[-1]) > 0.5)
        overlap = (matte & person).float().sum((1, 2, 3)) / union
        return {"iou": round(float(overlap.mean()), 4), "outline": round(float(right.float().mean()), 4)}


def _seen(both: Tensor, draws: Draws) -> Tensor:
    """Pictures and their mattes (B,4,S,S), as another camera would have them in another crop."""
    both = jostle(both, both.new_zeros(len(both), 1, 2), draws, zoom=ZOOM, move=SHIFT)[0]
    return torch.cat([vary(both[:, :3], draws), both[:, 3:]], 1)
