"""What the parts of a renderer's training have in common: random groups of drawn stills, and the renderer to keep."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ....networks.renderer.model import Renderer
from ...datasets.batch_slice import BatchSlice
from ...datasets.stills import StillSet
from .adversarial import Adversary


class StillsTask:
    """A task of the loop whose samples are groups of stills, at `size` pixels.

    A part of the schedule adds `batch(indices, size, draws)`, the groups of those numbers with a row of draws each,
    `losses`, and `parameters`, those that it learns.
    """

    PICTURES: int  # counted as samples, a group
    adversary: Adversary | None = None  # of a part with L_adv

    def __init__(self, renderer: Renderer, stills: StillSet, size: int = 128):
        self.renderer, self.stills, self.size = renderer, stills, size
        self.device = next(renderer.parameters()).device

    def batches(self, slices: Iterator[BatchSlice]) -> Iterator[Any]:
        """Every group is drawn at random from all that there are by then."""
        for part in slices:
            indices = [int(part.rng(sample).integers(len(self.stills))) for sample in part.samples]
            yield self.batch(indices, self.size, part.draws(self.device))

    def parameter_groups(self, rate: float) -> list[dict[str, Any]]:
        """What it learns, for an optimiser."""
        return [{"params": self.parameters(), "lr": rate}]

    def state(self) -> dict[str, Any]:
        """The renderer, whichever of its parts learns, and the discriminators where they take part."""
        state = {"renderer": self.renderer.state_dict()}
        return state if self.adversary is None else state | {"adversary": self.adversary.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of `state`."""
        self.renderer.load_state_dict(state["renderer"])
        if self.adversary is not None:
            self.adversary.load_state_dict(state["adversary"])
