"""Photographs that a renderer goes on rendering as it did, while films teach it.

Films are of few people in few rooms. Of portraits there are many, but none of them moves: each is moved by random named
motions, and what the renderer made of it when the training began is what it should go on making. In a trial on films of
three people, all of eight films from elsewhere gained with it (+.33 dB), and without it three of them lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ....networks.renderer.layers import resize
from ....networks.renderer.model import Renderer
from ....vocabulary import FRAMING, MOTION
from ...datasets.batch_slice import BatchSlice, Draws
from ...datasets.face_groups import FaceGroups
from .augment import vary
from .film_losses import FilmWeights, picture_losses
from .losses import total

TARGETS = 3  # motions of each portrait


class KeptBatch(NamedTuple):
    """G portraits and the changes of motion that move them."""

    portrait: Tensor  # (G,3,R,R)
    change: Tensor  # (3G,768)


class KeptTask:
    """Portraits of real faces at `size` pixels; `before`: the renderer as it was, which is the teacher."""

    PICTURES = TARGETS

    def __init__(self, renderer: Renderer, before: Renderer, faces: FaceGroups, size: int = 128):
        self.renderer, self.before, self.size, self.weights = renderer, before, size, FilmWeights()
        self.device = next(renderer.parameters()).device
        self.portraits = faces.rgb[faces.person == -1].reshape(-1, *faces.rgb.shape[2:])
        if not len(self.portraits):
            raise ValueError("Portraits are kept as they are rendered, and these faces hold none: give --photographs.")
        spread = torch.tensor([0.0 if i in FRAMING else parameter.spread for i, parameter in enumerate(MOTION)])
        self.spread = spread.to(self.device)
        self.adversary = None

    def batches(self, slices: Iterator[BatchSlice]) -> Iterator[KeptBatch]:
        """Portraits picked at random."""
        for part in slices:
            picks = [int(part.rng(sample).integers(len(self.portraits))) for sample in part.samples]
            yield self.batch(np.array(picks), part.draws(self.device))

    @torch.no_grad()
    def batch(self, indices: np.ndarray, draws: Draws) -> KeptBatch:
        """Portraits by number, as other cameras would have them, and motions of the corpus's spread."""
        pictures = torch.from_numpy(self.portraits[indices]).to(self.device).permute(0, 3, 1, 2).float() / 255
        pictures = vary(resize(pictures, self.size), draws)
        named = draws.normal(TARGETS, len(self.spread)) * self.spread
        rest = self.before.motion_from_parameters(torch.zeros_like(self.spread))
        return KeptBatch(pictures, (self.before.motion_from_parameters(named) - rest).flatten(0, 1))

    def losses(self, batch: KeptBatch, progress: float = 0.0) -> dict[str, Tensor]:
        """Terms of the pictures against those of the renderer as it was, and their weighted sum."""
        with torch.no_grad():
            base = self.before.centred(self.before.encode_motion(batch.portrait))
            truth = self._render(self.before, batch, base).image
        losses = picture_losses(self._render(self.renderer, batch, base), truth)
        return {f"kept/{name}": value for name, value in losses.items()} | {"loss": total(losses, self.weights)}

    def _render(self, renderer: Renderer, batch: KeptBatch, base: Tensor):
        source = renderer.encode_source(batch.portrait, motion=base, size=self.size)
        appearance = renderer.extract_appearance(source).repeat_interleave(TARGETS, 0)
        motion = base.repeat_interleave(TARGETS, 0) + batch.change
        return renderer.decode(source.repeat(TARGETS), appearance, motion)

    def state(self) -> dict[str, Any]:
        """The renderer."""
        return {"renderer": self.renderer.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of `state`."""
        self.renderer.load_state_dict(state["renderer"])
