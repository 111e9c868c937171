"""The face finder's task: photographs of composed scenes, and how far the network is off on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ....networks.face_finder import FaceFinder
from ...datasets.batch_slice import BatchSlice
from .camera import photograph
from .scenes import HeadStore, scene
from .targets import losses, make_targets

WEIGHTS = {"heat": 1.0, "box": 1.0, "marks": 2.0}


@dataclass(frozen=True)
class FinderSchedule:
    """Sizes and rates of a run; a scene is photographed `reuse` times on average."""

    size: int = 192
    batch: int = 16
    rate: float = 2e-3
    decay: float = 1e-4
    pool: int = 1024
    reuse: float = 4.0


class ScenePool:
    """The last `pool` of an endless row of composed scenes, kept: composing costs more than photographing.

    At step n the row is n * batch / reuse scenes long, a batch at least. A scene follows from the seed and its number
    and is composed when it is first looked at, so that a resumed run finds the pool as it was.
    """

    def __init__(self, heads: HeadStore, schedule: FinderSchedule):
        self.heads, self.schedule = heads, schedule
        self.scenes: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def look(self, part: BatchSlice) -> tuple[Tensor, list[Tensor]]:
        """Images (B,3,S,S) in [0,1] and targets for each level (B,16,s,s)."""
        plan, images, targets = self.schedule, [], []
        last = int(plan.batch + part.step * plan.batch / plan.reuse)
        first = max(0, last - plan.pool)
        self.scenes = {number: known for number, known in self.scenes.items() if number >= first}
        for sample in part.samples:
            rng = part.rng(sample)
            image, faces = self._scene(part.seed, int(rng.integers(first, last)))
            images.append(photograph(rng, image))
            targets.append(make_targets(faces, plan.size))
        pictures = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
        return pictures, [torch.from_numpy(np.stack(level)) for level in zip(*targets, strict=True)]

    def _scene(self, seed: int, number: int) -> tuple[np.ndarray, np.ndarray]:
        if number not in self.scenes:
            self.scenes[number] = scene(np.random.default_rng([seed, number]), self.heads, self.schedule.size)
        return self.scenes[number]


class FinderTask:
    """Learns to find the faces of a pool's scenes."""

    def __init__(self, network: FaceFinder, pool: ScenePool):
        self.network, self.pool = network, pool

    def batches(self, slices: Iterator[BatchSlice]) -> Iterator[tuple[Tensor, list[Tensor]]]:
        """Images and targets, as of `ScenePool.look`."""
        return map(self.pool.look, slices)

    def losses(self, batch: tuple[Tensor, list[Tensor]], progress: float = 0.0) -> dict[str, Tensor]:
        """Unweighted terms and their weighted sum."""
        images, targets = batch
        terms = losses(self.network(images.contiguous(memory_format=torch.channels_last)), targets)
        return terms | {"loss": sum(WEIGHTS[name] * value for name, value in terms.items())}

    def state(self) -> dict[str, Any]:
        """The network."""
        return {"network": self.network.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of `state`."""
        self.network.load_state_dict(state["network"])
