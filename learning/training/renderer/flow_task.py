"""The first thing that new weights learn from films: motion encoder and DIT alone, by the flow found between frames.

Beside a renderer the encoder hardly learns, and the renderer does not without an encoder. Here neither the portrait's
encoder nor the decoder takes part, so that a step costs a third of one that renders. Keypoints must go where the flow
carries them, and the mean of DIT's deviation maps must be the flow: with `start_moving`, what the field begins as."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ....networks.renderer.layers import resize
from ....networks.renderer.lmdd import RESPONSE_SCALE
from ....networks.renderer.model import Renderer
from ....networks.renderer.warp import invert
from ...datasets.batch_slice import BatchSlice, Draws
from ...datasets.film_frames import stacked
from .augment import jostle, vary
from .films import TARGETS, FilmTask
from .motion_space import off, off_each
from .optical_flow import FoundFlow, find_flow, found_flow_loss

ZOOM, MOVE = 0.05, 0.02  # each frame by itself: a flow that is the same everywhere is learnt first
POINTS = 60.0  # weight of the keypoints' errors, in pictures, beside the flow's, in pixels
PLACES = 0.2, 0.8  # of the picture, where keypoints are on the mean; they would else all rest on the background


class FlowBatch(NamedTuple):
    """Frames of G clips, the source's first, and the flow between them."""

    pictures: Tensor  # (G,4,3,S,S)
    flow: FoundFlow


@torch.no_grad()
def start_moving(renderer: Renderer) -> None:
    """Let a region's displacement in the picture begin as the first two numbers of its deviation, and motion with
    something of the keypoints: what begins near zero hides from what stands behind it what to learn."""
    if renderer.lmdd.respond is not None:
        bias = renderer.lmdd.respond.bias.view(-1, 2, 3)
        bias.copy_(torch.eye(2, 3).to(bias).expand_as(bias))
    torch.nn.init.normal_(renderer.motion_encoder.pose[2].weight, std=0.02)


def mean_field(maps: Tensor, renderer: Renderer) -> Tensor:
    """Deviation maps (B,regions,3,S_d,h,w) -> the field (B,2,h,w) that `start_moving` begins with, all focus maps being
    alike."""
    regions = renderer.config.regions
    shown = regions / (regions + renderer.lmdd.static)
    return RESPONSE_SCALE * shown * maps[:, :, :2].float().mean((1, 3))


class FlowTask(FilmTask):
    """Films of one source, of which only how places move is learnt."""

    def batches(self, slices: Iterator[BatchSlice]) -> Iterator[FlowBatch]:
        """As of `FilmTask`, without twins."""
        for part in slices:
            samples = [self.frames.sample(part.rng(sample), 1 + TARGETS) for sample in part.samples]
            yield self.frames_and_flow(stacked(samples)[0], part.draws(self.device))

    def frames_and_flow(self, frames: np.ndarray, draws: Draws) -> FlowBatch:
        """Frames (G,4,S,S,3) uint8, each moved by itself, in other colours than those in which flow was found."""
        pictures = torch.from_numpy(frames).to(self.device).flatten(0, 1).permute(0, 3, 1, 2).float() / 255
        pictures = resize(pictures, self.renderer.config.motion_size)
        flip = (draws.uniform(1, 1, 1) < 0.5).repeat_interleave(1 + TARGETS, 0)
        pictures, none = torch.where(flip, pictures.flip(-1), pictures), pictures.new_zeros(len(pictures), 1, 2)
        pictures = jostle(pictures, none, draws.each(1 + TARGETS), zoom=ZOOM, move=MOVE)[0]
        flow = find_flow(pictures.unflatten(0, (-1, 1 + TARGETS)))
        return FlowBatch(vary(pictures, draws, shared=1 + TARGETS).unflatten(0, (-1, 1 + TARGETS)), flow)

    def losses(self, batch: FlowBatch, progress: float = 0.0) -> dict[str, Tensor]:
        """Unweighted terms of one batch, and their weighted sum."""
        seen = self.renderer.motion_encoder.encode_with_keypoints(batch.pictures.flatten(0, 1))
        motion, points = (x.unflatten(0, (-1, 1 + TARGETS)) for x in (seen.motion, seen.points))
        source = self.renderer.deviation.prepare(motion[:, :1].expand_as(motion[:, 1:]).flatten(0, 1))
        maps = self.renderer.deviation(motion[:, 1:].flatten(0, 1), source).maps
        field = invert(mean_field(maps, self.renderer), self.renderer.config.inversion_steps)
        terms = {
            "flow": found_flow_loss(field, batch.flow),
            "carried": carried(points, batch.flow),
            "placed": off(points.mean((0, 1)) - places(points.shape[2]).to(points)),
        }
        return terms | {"loss": terms["flow"] + POINTS * (terms["carried"] + terms["placed"])}


def carried(points: Tensor, flow: FoundFlow) -> Tensor:
    """How far from a source's keypoints those of its targets lie that the flow carries there, in pictures; points
    (G,1+N,P,2) in [0,1], the source's first."""
    here = points[:, 1:].flatten(0, 1)
    at = here.detach()[:, :, None] * 2 - 1
    moved, trusted = (F.grid_sample(x, at.to(x), align_corners=False)[..., 0] for x in flow)  # (GN,2 or 1,P)
    before = points[:, :1].expand_as(points[:, 1:]).flatten(0, 1)
    return off_each(trusted.transpose(1, 2) * (here + moved.transpose(1, 2) / 2 - before)).mean()


def places(count: int) -> Tensor:
    """(count,2) in PLACES: where keypoints are on the mean, row by row."""
    side = int(np.ceil(count**0.5))
    line = torch.linspace(*PLACES, side)
    return torch.stack(torch.meshgrid(line, line, indexing="xy"), -1).flatten(0, 1)[:count]
