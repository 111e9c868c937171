"""Arms of half bodies as a layer of their own: six bones that carry the photo's pixels over the body.

A hand moves by more than its own width over a body that stays, so its place cannot be found by inverting a field of the
source, as the face's is: at the hand's new place that field shows the body. So four points of either arm are found in
the photo, the arms' parameters say where they go, and each pixel near a moved bone is traced back along it. What the
arms leave behind is not visible in the photo, and is painted.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...vocabulary import ARM_LANDMARKS, ARMS, COUNT, INDEX
from .layers import conv
from .warp import identity_grid

BONES = (("shoulder", "elbow", 0.15), ("elbow", "wrist", 0.13), ("wrist", "tip", 0.13))
"""Of either arm, from the body outwards; each covers those before it. Radii in half pictures, where training begins."""
SOFT = 0.01  # half pictures over which a bone's edge passes
REACH = 0.3  # half pictures: deviation of the prior of a point about its mean place
STILL = 0.02  # half pictures that a bone moves until what it leaves counts as hidden
HIDDEN = 8.0  # of the logit of visibility, where arms were and are no more
USED = (*range(COUNT, COUNT + len(ARMS)), INDEX["shoulder_x"], INDEX["shoulder_y"])
"""The parameters that move arms."""


class ArmSource(NamedTuple):
    """What is known of a photo's arms."""

    points: Tensor  # (B,8,2) in [-1,1], of `ARM_LANDMARKS`
    masks: Tensor  # (B,6,H,W) in [0,1]: which pixels belong to which bone


class ArmFrame(NamedTuple):
    """What a frame's arms do to its field."""

    field: Tensor  # (B,2,H,W) the field with the arms on it
    hidden: Tensor  # (B,1,H,W) in [0,1]: where the photo shows an arm that has left
    points: Tensor  # (B,8,2) where the points go
    before: Tensor  # (B,8,2) where they were


class ArmLayer(nn.Module):
    """Finds the points of the arms in a photo, moves them by parameters, and lays the moved arms over a field."""

    def __init__(self, channels: int, width: int = 32):
        super().__init__()
        count = len(ARM_LANDMARKS)
        self.look = conv(channels, width)
        self.maps = nn.Conv2d(width, count, 3, padding=1)
        self.masks = nn.Conv2d(width, 2 * len(BONES), 3, padding=1)
        nn.init.normal_(self.maps.weight, std=0.02)
        self.linear = nn.Linear(len(USED), 2 * count, bias=False)
        self.bend = nn.Sequential(nn.Linear(len(USED), 64), nn.SiLU(), nn.Linear(64, 2 * count))
        for layer in (self.linear, self.bend[2]):
            nn.init.zeros_(layer.weight)
        self.radii = nn.Parameter(torch.tensor([radius for *_, radius in BONES]))
        self.register_buffer("place", torch.zeros(count, 2))  # mean of the points, in [-1,1]

    def prepare(self, features: Tensor) -> ArmSource:
        """Active source features (B,C,H,W) -> its arms."""
        seen = F.silu(self.look(features))
        maps, size = self.maps(seen).float(), features.shape[-2:]
        grid = identity_grid(*size, features.device)[0].flatten(1)  # (2,HW)
        prior = (grid.T[None] - self.place[:, None]).square().sum(2) / (2 * REACH**2)
        weight = (maps.flatten(2) - prior).softmax(2)
        return ArmSource(weight @ grid.T, self.masks(seen).float().sigmoid())

    def moves(self, after: Tensor, before: Tensor) -> Tensor:
        """Parameters (B,34) of a frame and of its source -> how far its points go (B,8,2), in half pictures."""
        after, before = after[..., USED].float(), before[..., USED].float()
        with torch.autocast(after.device.type, enabled=False):
            moved = self.linear(after - before) + self.bend(after) - self.bend(before)
        return moved.unflatten(-1, (-1, 2))

    def forward(self, field: Tensor, source: ArmSource, after: Tensor, before: Tensor) -> ArmFrame:
        """The backward field (B,2,H,W) of everything else, and parameters (B,34) of the frame and of its source."""
        moved = self.moves(after, before)
        points, (height, width) = source.points + moved, field.shape[-2:]
        grid = identity_grid(height, width, field.device).expand(len(field), -1, -1, -1)
        body, hidden = field, field.new_zeros(len(field), 1, height, width)
        gone = _sampled(source.masks, grid + body)  # (B,6,H,W)
        old, new = _joints(source.points), _joints(points)
        cover = torch.zeros_like(hidden)
        for bone, (start, end, _) in enumerate(BONES):
            for side in range(2):
                layer = 2 * bone + side
                segments = [(joints[start][:, side], joints[end][:, side]) for joints in (new, old)]
                carried, distance = _traced(grid, *segments)
                belongs = _sampled(source.masks[:, layer : layer + 1], grid + carried)
                share = belongs * ((self.radii[bone] - distance) / SOFT).sigmoid()
                share = share * share * (3 - 2 * share)  # between two fields lies neither of the two
                field = torch.lerp(field, carried, share)
                cover = torch.maximum(cover, share)
                way = _lengths(new[end] - old[end])[:, side, None, None, None]
                left = gone[:, layer : layer + 1] * (1 - torch.exp(-((way / STILL) ** 2)))
                hidden = torch.maximum(hidden, left)
        return ArmFrame(field, hidden * (1 - cover), points, source.points)


def _lengths(vectors: Tensor) -> Tensor:
    """Lengths (B,2) of vectors (B,2,2)."""
    return vectors.square().sum(-1).clamp_min(1e-12).sqrt()


def _joints(points: Tensor) -> dict[str, Tensor]:
    """Points (B,8,2) -> joints (B,2,2), left and right; the elbow lies beyond the middle of the forearm, often outside
    of the picture."""
    shoulder, forearm, wrist, tip = points.unflatten(1, (2, 4)).unbind(2)
    return {"shoulder": shoulder, "elbow": 2 * forearm - wrist, "wrist": wrist, "tip": tip}


def _traced(grid: Tensor, new: tuple[Tensor, Tensor], old: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Displacement (B,2,H,W) of pixels that follow a bone from `new` back to `old`, each (start, end) (B,2), and their
    distance (B,1,H,W) from it. Along the bone lengths change with it, across they stay."""

    def axis(start: Tensor, end: Tensor) -> tuple[Tensor, Tensor]:
        along = end - start
        length = along.square().sum(1, keepdim=True).clamp_min(1e-4).sqrt()
        return along / length, length

    (now, length), (then, was) = axis(*new), axis(*old)
    offset = grid - new[0][:, :, None, None]
    across_now, across_then = (torch.stack([-d[:, 1], d[:, 0]], 1) for d in (now, then))
    along = (offset * now[:, :, None, None]).sum(1, keepdim=True)
    across = (offset * across_now[:, :, None, None]).sum(1, keepdim=True)
    whole = length[:, :, None, None]
    place = old[0][:, :, None, None] + (
        along * (was / length)[:, :, None, None] * then[:, :, None, None] + across * across_then[:, :, None, None]
    )
    beyond = along - along.clamp_min(0).minimum(whole)
    return place - grid, (beyond.square() + across.square() + 1e-8).sqrt()


def _sampled(maps: Tensor, places: Tensor) -> Tensor:
    """Maps (B,C,h,w) at places (B,2,H,W) in [-1,1], zero outside."""
    with torch.autocast(maps.device.type, enabled=False):
        return F.grid_sample(maps.float(), places.permute(0, 2, 3, 1).float(), align_corners=False)
