"""The task of joint control: from both motions, with any gates and masks, that of one face that both control."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ....networks.joint_control import AROUND, CELLS, GRID, JointControl, Source, claims, region_energy
from ....networks.renderer.motion_encoder import MotionParameters
from ....vocabulary import FPS, MOTION
from ...corpus.acting.curves import smooth
from ...corpus.joint_motion import draw_joint_motion
from ...datasets.batch_slice import BatchSlice

SPREAD = torch.tensor([parameter.spread for parameter in MOTION])
WEIGHT = torch.tensor([1.0 if parameter.region == "mouth" else 0.25 for parameter in MOTION])
FRAMES = 4 * FPS  # of the pieces of clips that are joined


@dataclass(frozen=True)
class ControlSchedule:
    """Sizes and rates of a run. Of each piece of clips `moments` frames are taken."""

    batch: int = 8
    moments: int = 12
    rate: float = 3e-3
    decay: float = 1e-3


class ControlBatch(NamedTuple):
    """B * moments frames. voice, driving (N,2,24): parameters now and around now; gates (N,2); truth (N,24); cells
    (2,64) bool of voice and driving video, the same for all; open: whether each is there."""

    voice: Tensor
    driving: Tensor
    gates: Tensor
    truth: Tensor
    cells: Tensor
    open: tuple[bool, bool]


class ControlTask:
    """Talking clips' parameters (T,24) in `tracks`; `space`: the motion space of the renderer that it is for."""

    def __init__(
        self, network: JointControl, tracks: Sequence[np.ndarray], space: MotionParameters, schedule: ControlSchedule
    ):
        self.network, self.schedule = network, schedule
        self.tracks = [track for track in tracks if len(track) >= FRAMES]
        if len(self.tracks) < 2:
            raise ValueError(f"Joint control is learnt from at least two talking clips of {FRAMES} frames or more.")
        self.space = space.requires_grad_(False)
        self.energy = region_energy(space.writer.weight)

    def batches(self, slices: Iterator[BatchSlice]) -> Iterator[ControlBatch]:
        """Gates and masks are drawn; of a batch all samples have the same masks, and lack the same source if any."""
        for part in slices:
            rng = part.rng_of_batch()
            is_open = OPEN[int(rng.choice(len(OPEN), p=OPEN_SHARES))]
            cells = draw_cells(rng)
            rows = [self._sample(part.rng(number), is_open, cells) for number in part.samples]
            drawn = [np.concatenate(column).astype(np.float32) for column in zip(*rows, strict=True)]
            yield ControlBatch(*map(torch.from_numpy, (*drawn, cells)), is_open)

    def _sample(self, rng: np.random.Generator, is_open: tuple[bool, bool], cells: np.ndarray) -> tuple:
        one, other = (self._piece(rng, number) for number in rng.choice(len(self.tracks), 2, replace=False))
        joint = draw_joint_motion(one, other, rng)
        gates = draw_gates(rng) * is_open
        truth = joint.joined(*(self.strengths(gates[i], cells[i])[None] for i in range(2)))
        chosen = rng.choice(len(joint), self.schedule.moments, replace=False)
        sources = (moments(track)[chosen] for track in (joint.voice, joint.driving))
        return *sources, np.broadcast_to(gates, (len(chosen), 2)), truth[chosen]

    def _piece(self, rng: np.random.Generator, number: int) -> np.ndarray:
        track = self.tracks[number]
        start = int(rng.integers(len(track) - FRAMES + 1))
        return track[start : start + FRAMES]

    def strengths(self, gate: float, cells: np.ndarray) -> np.ndarray:
        """(regions,): how strongly a source with this gate has each region."""
        return gate * claims(torch.from_numpy(cells), self.energy).numpy()

    def losses(self, batch: ControlBatch, progress: float = 0.0) -> dict[str, Tensor]:
        """Mean square error of the parameters, in their spreads: of the mouth, of the rest, and weighted."""
        device = self.space.writer.weight.device
        truth = batch.truth.to(device)
        error = ((self.read(batch) - truth) / SPREAD.to(device)).square()
        mouth = WEIGHT.to(device) == 1
        loss = (error * WEIGHT.to(device)).mean()
        return {"mouth": error[:, mouth].mean(), "others": error[:, ~mouth].mean(), "loss": loss}

    def read(self, batch: ControlBatch) -> Tensor:
        """The network's answer as parameters (N,24)."""
        weight = self.space.writer.weight
        sources = [
            Source(values.to(weight) @ weight.T, gate.to(weight), cells.to(weight.device)) if is_open else None
            for values, gate, cells, is_open in zip(
                (batch.voice, batch.driving), batch.gates.T, batch.cells, batch.open, strict=True
            )
        ]
        return self.network(*sources).float() @ self.space.reader.weight.T

    def state(self) -> dict[str, Any]:
        """The network."""
        return {"network": self.network.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of `state`."""
        self.network.load_state_dict(state["network"])


OPEN = ((True, True), (True, False), (False, True))
OPEN_SHARES = (0.8, 0.1, 0.1)


def draw_gates(rng: np.random.Generator) -> np.ndarray:
    """(2,): half of the gates wholly open, the others anywhere above a twentieth."""
    return np.where(rng.random(2) < 0.5, 1.0, rng.uniform(0.05, 1, 2))


def draw_cells(rng: np.random.Generator) -> np.ndarray:
    """(2,64) bool: in half of the draws both sources have the whole grid; else each has it, a rectangle, or all but
    one, or the mouth is the voice's and the rest the video's."""
    cells = np.ones((2, GRID, GRID), bool)
    kind = rng.random()
    if kind < 0.15:
        top, side = rng.integers(3, 5), rng.integers(0, 3)
        cells[0] = False
        cells[0, top : rng.integers(7, 9), side : GRID - side] = True
        cells[1] = ~cells[0]
    elif kind < 0.5:
        for mask in cells:
            if rng.random() < 0.6:
                (top, bottom), (left, right) = (np.sort(rng.choice(GRID + 1, 2, replace=False)) for _ in range(2))
                mask[:] = False
                mask[top:bottom, left:right] = True
                if rng.random() < 0.4 and not mask.all():
                    mask[:] = ~mask
    return cells.reshape(2, CELLS)


def moments(track: np.ndarray) -> np.ndarray:
    """(T,24) -> (T,2,24): each frame, and the motion around it."""
    return np.stack([track, _smoothing(len(track)) @ track], 1).astype(np.float32)


@functools.cache
def _smoothing(frames: int) -> np.ndarray:
    """(T,T): the smoothing of T frames as a matrix, many times faster than 24 convolutions."""
    return np.stack([smooth(column, AROUND) for column in np.eye(frames)], 1)
