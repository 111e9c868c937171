"""First parts of stage 1: a space for motion, and a motion encoder that finds a face's place in it.

The space is learnt from the parameters alone: a small network writes them as 768 numbers, a linear map reads them back.
Then the encoder learns, from pictures, the motion that the fixed space writes for their parameters. Trained at the same
time, encoder and space both stayed near zero. Without the renderer this takes minutes; beside it the encoder hardly
learns, because the renderer lowers its loss without it. Every face is made by two people, which keeps identity out of
the numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ....networks.renderer.layers import resize
from ....networks.renderer.model import Renderer
from ....vocabulary import ARMS, COUNT, FRAMING, LANDMARKS, PARAMETERS
from ...datasets.batch_slice import BatchSlice, Draws
from ...datasets.stills import StillSet
from .. import processes
from .augment import jostle, vary
from .losses import total
from .stills_task import StillsTask

# A degree of yaw moves the whole face: pose counts by the pixels it costs.
_SCALES = {"jaw": 2.0, "yaw": 8.0, "pitch": 8.0, "roll": 10.0, "shift_x": 15.0, "shift_y": 15.0, "shift_z": 4.0}
_SCALES |= {"shoulder_x": 12.0, "shoulder_y": 12.0, "gaze_x": 3.0, "gaze_y": 4.0, "tongue": 0.3}

POINT_TIP = 0.003  # of the picture: where the loss of a point turns from quadratic to linear


_SCALES |= {"lift": 8.0, "lean": 12.0}
_SCALES |= {f"{side}_{move}": scale for side in ("left", "right") for move, scale in (("out", 3.0), ("up", 3.0))}


def parameter_scale(device: torch.device | str = "cpu", count: int = COUNT) -> Tensor:
    """(24,) weights, (34,) with arms, that make parameters comparable: radians and shifts are small; the tongue is
    mostly hidden."""
    names = (*PARAMETERS, *(parameter.name for parameter in ARMS))[:count]
    return torch.tensor([_SCALES.get(name, 1.0) for name in names], device=device)


@dataclass(frozen=True)
class ParameterSpaceWeights:
    write: float = 1.0  # what is written reads back
    spread: float = 1e-3  # at about unit scale


class ParameterSpaceTask(StillsTask):
    """The space itself: writer and reader, from the corpus's parameters and mixtures of them."""

    PICTURES = 0
    ROWS = 96  # a batch, however many groups the schedule says

    def __init__(self, renderer: Renderer, stills: StillSet):
        super().__init__(renderer, stills)
        self.weights = ParameterSpaceWeights()
        self.known = stills.parameters().to(self.device)

    def parameters(self) -> list[Tensor]:
        return list(self.renderer.parameters_of_motion.parameters())

    def batches(self, slices: Iterator[BatchSlice]) -> Iterator[Tensor]:
        """(N,24) parameters: every second row as drawn, the others each scaled and moved by itself, so that edits have
        room."""
        known, device = self.known, self.device
        for part in slices:
            draws = part.draws(device)
            rows = known[draws.integers(len(known))]
            mixed = rows * draws.uniform(rows.shape[1]) + 0.3 * known.std(0) * draws.normal(rows.shape[1])
            alone = torch.tensor([sample % 2 == 0 for sample in part.samples], device=device)
            yield torch.where(alone[:, None], rows, mixed)

    def losses(self, batch: Tensor, progress: float = 0.0) -> dict[str, Tensor]:
        """(N,24) -> unweighted terms, and their weighted sum."""
        scale = parameter_scale(batch.device, batch.shape[-1])
        motion = self.renderer.motion_from_parameters(batch)
        read = self.renderer.read_parameters(motion)
        terms = {
            "write": F.smooth_l1_loss(read * scale, batch * scale, beta=0.2),
            "spread": (processes.deviation(motion) - 1).square(),
        }
        return terms | {"loss": total(terms, self.weights)}

    @torch.no_grad()
    def measure(self, indices: np.ndarray, size: int) -> dict[str, float]:
        """R^2 of all parameters written and read, and the scale of motion."""
        truth = self.stills.parameters().to(self.known.device)
        motion = self.renderer.motion_from_parameters(truth)
        error = (self.renderer.read_parameters(motion) - truth).square().mean(0)
        r2 = 1 - error / truth.var(0).clamp_min(1e-8)
        return {"written": round(float(r2.min()), 4), "scale": round(float(motion.std()), 3)}


@dataclass(frozen=True)
class MotionSpaceWeights:
    absolute: float = 0.3
    relative: float = 2.0
    agree: float = 1.0  # change of motion against the change that the space writes
    # Motion itself against the written one, without the framing parameters, which a single picture does not show. Four
    # times this weight, with head and shoulders included, slowed down all changes.
    place: float = 0.05
    # The encoder's points against the landmarks, and their changes: with landmarks off by 1 % of the picture shifts are
    # read with an R^2 of .45, by 0.5 % with .65, exact ones with .9.
    points: float = 40.0
    moves: float = 80.0
    # How far the error of all parameters together moves the landmarks: a pitch read as a shift moves them little, and
    # the terms of single parameters do not see that errors cancel or add up.
    carries: float = 60.0


def motion_space_losses(
    renderer: Renderer, motion: Tensor, truth: Tensor, reach: Tensor | None = None
) -> dict[str, Tensor]:
    """Unweighted terms: motion (N,4,768) seen in four frames of a person, truth (N,4,24); the space is the teacher.
    With `landmark_reach` also "carries"."""
    scale = parameter_scale(motion.device, truth.shape[-1])
    known = torch.ones_like(scale)  # a single picture does not show the framing parameters
    known[list(FRAMING)] = 0
    read, written = renderer.read_parameters(motion), renderer.motion_from_parameters(truth).detach()
    placed = renderer.motion_from_parameters(torch.lerp(read.detach().to(truth), truth, known))
    change, written_change = motion[:, 1:] - motion[:, :1], written[:, 1:] - written[:, :1]
    read_change, true_change = read[:, 1:] - read[:, :1], truth[:, 1:] - truth[:, :1]
    energy = processes.mean(written_change.square()) + 1e-3
    carried = {} if reach is None else {"carries": off((read_change - true_change) @ reach)}
    return carried | {
        "absolute": F.smooth_l1_loss(read * scale * known, truth * scale * known, beta=0.2),
        "relative": F.smooth_l1_loss(read_change * scale, true_change * scale, beta=0.2),
        "agree": (change - written_change).square().mean() / energy,
        "place": (motion - placed.detach()).square().mean(),
    }


def off(error: Tensor) -> Tensor:
    """Smooth L1 loss of errors of points, in pictures."""
    return off_each(error).mean()


def off_each(error: Tensor) -> Tensor:
    """(N,...) errors of points, in pictures -> (N,) smooth L1 loss of each."""
    return F.smooth_l1_loss(error, torch.zeros_like(error), beta=POINT_TIP, reduction="none").flatten(1).mean(1)


def landmark_reach(stills: StillSet, people: int = 4096) -> Tensor:
    """(24,2P): how far, in pictures, a change of each parameter carries each landmark of an average person; least
    squares over the first so many people."""
    points = stills.landmarks()[:, : len(LANDMARKS)]
    parameters, marks = stills.parameters().unflatten(0, (-1, 4)), points.flatten(1).unflatten(0, (-1, 4))
    change, moved = ((x[:people, 1:] - x[:people, :1]).flatten(0, 1).cpu().double() for x in (parameters, marks))
    square = change.mT @ change + 1e-6 * len(change) * torch.eye(change.shape[-1]).to(change)
    return torch.linalg.solve(square, change.mT @ moved).float()


class MotionSpaceTask(StillsTask):
    """The motion encoder's losses on random groups."""

    PICTURES = 8  # a group

    def __init__(self, renderer: Renderer, stills: StillSet, weights: MotionSpaceWeights | None = None):
        super().__init__(renderer, stills, renderer.config.motion_size)
        self.weights = weights or MotionSpaceWeights()
        self.reach = landmark_reach(stills).to(self.device)

    def parameters(self) -> list[Tensor]:
        return list(self.renderer.motion_encoder.parameters())

    def batch(
        self, indices: Sequence[int], size: int, draws: Draws | None, augment: bool = True
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Both people of each group: images (N,4,3,size,size), four frames a person; truth (N,4,24); marks (4N,P,2)."""
        groups = self.stills.get(np.asarray(indices))
        images = groups.rgb.flatten(0, 2).permute(0, 3, 1, 2).float() / 255
        images, marks = resize(images, size), groups.mark[..., : len(LANDMARKS), :].flatten(0, 2)
        if augment:
            images, marks = jostle(images, marks, draws.each(2), shared=4)
            images = vary(images, draws.each(2), shared=4)
        return images.view(-1, 4, *images.shape[1:]), groups.param.flatten(0, 1), marks

    def losses(self, batch: tuple[Tensor, Tensor, Tensor], progress: float = 0.0) -> dict[str, Tensor]:
        """A batch -> unweighted terms, and their weighted sum."""
        images, truth, marks = batch
        seen = self.renderer.motion_encoder.encode_with_keypoints(images.flatten(0, 1))
        terms = motion_space_losses(self.renderer, seen.motion.view(*images.shape[:2], -1), truth, self.reach)
        error = (seen.points - marks).unflatten(0, images.shape[:2])
        terms |= {"points": off(error), "moves": off(error[:, 1:] - error[:, :1])}
        return terms | {"loss": total(terms, self.weights)}

    @torch.no_grad()
    def measure(self, indices: np.ndarray, size: int) -> dict[str, float]:
        """R^2 of each parameter's change on groups held out."""
        images, truth, _ = self.batch(indices, self.size, None, augment=False)
        motion = torch.cat([self.renderer.encode_motion(x) for x in images.flatten(0, 1).split(64)])
        read = self.renderer.read_parameters(motion.float()).view_as(truth)
        change, wanted = read[:, 1:] - read[:, :1], truth[:, 1:] - truth[:, :1]
        r2 = 1 - (change - wanted).square().mean((0, 1)) / wanted.square().mean((0, 1)).clamp_min(1e-8)
        names = (*PARAMETERS, *(parameter.name for parameter in ARMS))
        return {name: round(value, 3) for name, value in zip(names, r2.tolist(), strict=False)}
