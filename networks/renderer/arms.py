"""Arms of half bodies: cut from the photo, moved as bones by parameters, and laid over the body without them.

A hand moves by more than its own width over a body that stays. A field of the whole picture, as the face's is, does not
find such a hand, and tears at its edges where the arm's motion meets the body's. So the photo is taken apart once
(arm_finder.py): the body with its arms painted over, which is rendered as heads are, and six bones with a mask each. In
a frame the parameters say where the bones' ends are; each bone is carried there as a whole and laid over what is
before. Where an arm stays, the photo is shown.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...vocabulary import ARM_LANDMARKS, ARMS, COUNT, INDEX
from .arm_finder import SIZE, ArmFinder, behind, hidden_by, lit
from .layers import bilinear, resize
from .warp import identity_grid, warp

BONES = (("shoulder", "elbow", 0.16), ("elbow", "wrist", 0.15), ("wrist", "tip", 0.3))
"""Of either arm, from the body outwards; each covers those before it. Radii in half pictures beyond which nothing is
its own."""
SOFT = 0.01  # half pictures over which a bone ends there
STILL = 0.02  # half pictures that an arm moves until the photo is shown no longer in its place
GONE = 1e-3  # share that counts as none
EDGE = 0.06  # half pictures along the picture's edge that show too little of an arm to go on from
FOLD = 0.5  # share of what the photo shows of a bone that is mirrored: a sleeve, not the hand at its end
STRETCH = 1.6  # to which a bone may lengthen, or shorten
SHARP = 2.5  # of masks: a pixel that is half a bone's is half a bone's, one less than a third none's
USED = (*range(COUNT, COUNT + len(ARMS)), INDEX["shoulder_x"], INDEX["shoulder_y"])
"""The parameters that move arms."""


class ArmSource(NamedTuple):
    """What is known of a photo's arms."""

    photo: Tensor  # (B,3,H,W) with arms; (B,4,H,W) with alpha
    points: Tensor  # (B,8,2) in [-1,1], of `ARM_LANDMARKS`
    masks: Tensor  # (B,6,SIZE,SIZE) in [0,1]: which pixels belong to which bone
    shade: Tensor  # (B,1,SIZE,SIZE) of the arms on what they do not hide, see `Found`


class ArmLayer(nn.Module):
    """Takes the arms from a photo, moves their points by parameters, and lays the moved arms over a picture."""

    def __init__(self):
        super().__init__()
        count = 2 * len(ARM_LANDMARKS)
        self.finder = ArmFinder()
        self.linear = nn.Linear(len(USED), count, bias=False)
        self.bend = nn.Sequential(nn.Linear(len(USED) + count, 64), nn.SiLU(), nn.Linear(64, count))
        for layer in (self.linear, self.bend[2]):
            nn.init.zeros_(layer.weight)

    def taken(self, photo: Tensor) -> tuple[ArmSource, Tensor]:
        """A photo (B,3,H,W), or (B,4,H,W) with alpha -> its arms, and the photo without them."""
        small = resize(photo[:, :3], SIZE)
        found = self.finder(small)
        masks = found.bones.softmax(1)[:, 1:]
        hidden, size = hidden_by(masks), tuple(photo.shape[-2:])
        shade = found.shade.clamp_min(0) * (1 - hidden)
        painted = bilinear(behind(lit(small, shade), hidden, found.body.sigmoid()), size)
        if photo.shape[1] == 4:
            painted = torch.cat([painted, photo[:, 3:]], 1)
        bare = torch.lerp(lit(photo, bilinear(shade, size)), painted, bilinear(hidden, size))
        return ArmSource(photo, found.points, ((masks - 0.5) * SHARP + 0.5).clamp(0, 1), shade), bare

    def moved(self, points: Tensor, after: Tensor, before: Tensor) -> Tensor:
        """Points (B,8,2) of a photo, parameters (B,34) of a frame and of the photo -> points of the frame."""
        after, before = after[..., USED].float(), before[..., USED].float()
        with torch.autocast(after.device.type, enabled=False):
            place = points.float().flatten(1)
            bent = self.bend(torch.cat([after, place], 1)) - self.bend(torch.cat([before, place], 1))
            return points + (self.linear(after - before) + bent).unflatten(-1, (-1, 2))

    def laid(self, picture: Tensor, source: ArmSource, points: Tensor, field: Tensor) -> Tensor:
        """The arms of a source at the points (B,8,2) of a frame over a picture (B,C,H,W) of its body, which the field
        (B,2,h,w) has moved."""
        size = tuple(picture.shape[-2:])
        photo = resize(source.photo, size).to(picture.dtype)
        grid = identity_grid(*size, picture.device).expand(len(picture), -1, -1, -1)
        old, new = _joints(source.points.expand_as(points)), _joints(points)
        picture = self._still(picture.clone(), photo, source, new, old, field)
        for bone, (start, end, radius) in enumerate(BONES):
            for side in range(2):
                segments = [(joints[start][:, side], joints[end][:, side]) for joints in (new, old)]
                box = _box(*segments[0], radius, size)
                if box is None:
                    continue
                place, distance = _traced(grid[box], *segments)
                colour, share = _sampled(photo, place), _sampled(source.masks[:, 2 * bone + side, None], place)
                share = share * ((radius - distance) / SOFT).clamp(0, 1)
                picture[box] = torch.lerp(picture[box].clone(), colour, share)
        return picture

    @staticmethod
    def _still(
        picture: Tensor, photo: Tensor, source: ArmSource, new: dict[str, Tensor], old: dict[str, Tensor], field: Tensor
    ) -> Tensor:
        """The picture with photo and shade where arms have not moved, so that rest is the photo."""
        size = tuple(picture.shape[-2:])
        way = torch.stack([_lengths(new[name] - old[name]) for name in ("elbow", "wrist", "tip")]).amax(0)  # (B,2)
        stays = (torch.exp(-((way / STILL) ** 2)) * (1 + GONE) - GONE).clamp_min(0)[:, :, None, None]
        if not stays.any():
            return picture
        sides = source.masks.unflatten(1, (-1, 2)).unbind(2)
        shown = sum(hidden_by(masks) * stays[:, side, None] for side, masks in enumerate(sides)).clamp(max=1)
        shade, shown = (bilinear(warp(map, field), size) for map in (source.shade * stays.amin(1, keepdim=True), shown))
        return torch.lerp(lit(picture, -shade), warp(photo.expand_as(picture), field), shown)


def _lengths(vectors: Tensor) -> Tensor:
    """Lengths (B,2) of vectors (B,2,2)."""
    return vectors.square().sum(-1).clamp_min(1e-12).sqrt()


def _joints(points: Tensor) -> dict[str, Tensor]:
    """Points (B,8,2) -> joints (B,2,2), left and right; the elbow lies beyond the middle of the forearm, often outside
    of the picture."""
    shoulder, forearm, wrist, tip = points.unflatten(1, (2, 4)).unbind(2)
    return {"shoulder": shoulder, "elbow": 2 * forearm - wrist, "wrist": wrist, "tip": tip}


def _box(start: Tensor, end: Tensor, radius: float, size: tuple[int, int]) -> tuple | None:
    """Index of the pixels of pictures (B,C,H,W) that lie within a radius of any of the bones, each (B,2); None for
    none."""
    ends = torch.stack([start, end])
    low, high = ((x + 1) / 2 for x in (ends.amin((0, 1)) - radius, ends.amax((0, 1)) + radius))
    spans = [
        slice(max(0, int(a * n)), max(0, min(n, int(b * n) + 1)))
        for a, b, n in zip(low.tolist(), high.tolist(), size[::-1], strict=True)
    ]
    return None if any(s.start >= s.stop for s in spans) else (..., spans[1], spans[0])


def _traced(grid: Tensor, new: tuple[Tensor, Tensor], old: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Places (B,2,H,W) in the photo of pixels that follow a bone from `new` back to `old`, each (start, end) (B,2), and
    their distance (B,1,H,W) from it. Along the bone lengths change with it, across they stay. What lies beyond the
    photo's edge along the bone is mirrored into it: a sleeve goes on as it came."""
    (now, length), (then, was) = _axis(*new), _axis(*old)
    offset = grid - _spread(new[0])
    along = (offset * _spread(now)).sum(1, keepdim=True) / _spread(length)  # 0 at the start, 1 at the end
    across = (offset * _spread(_turned(now))).sum(1, keepdim=True)
    beyond = (along - along.clamp(0, 1)) * _spread(length)
    was = was.maximum(length / STRETCH).minimum(length * STRETCH)
    first, last = _outside(*old), 1 - _outside(*reversed(old))
    along = _mirrored(along, _spread(first[:, None]), _spread(last[:, None]))
    place = _spread(old[0]) + along * _spread(was * then) + across * _spread(_turned(then))
    return place, (beyond.square() + across.square() + 1e-8).sqrt()


def _spread(values: Tensor) -> Tensor:
    """(B,C) -> (B,C,1,1)."""
    return values[:, :, None, None]


def _turned(vectors: Tensor) -> Tensor:
    """(B,2) by a right angle."""
    return torch.stack([-vectors[:, 1], vectors[:, 0]], 1)


def _axis(start: Tensor, end: Tensor) -> tuple[Tensor, Tensor]:
    """Direction (B,2) and length (B,1)."""
    length = (end - start).square().sum(1, keepdim=True).clamp_min(1e-4).sqrt()
    return (end - start) / length, length


def _outside(start: Tensor, end: Tensor) -> Tensor:
    """Which share (B,) of a bone, from its start, the photo does not show."""
    over = (start.abs() - (1 - EDGE)).clamp_min(0) / (start - end).abs().clamp_min(1e-3)
    return over.amax(1).clamp(max=0.8)


def _mirrored(along: Tensor, first: Tensor, last: Tensor) -> Tensor:
    """What lies before `first` or after `last`, mirrored there to and fro, where these are not the bone's own ends."""
    width = FOLD * (last - first)

    def inside(beyond: Tensor) -> Tensor:
        return width - (beyond % (2 * width) - width).abs()

    along = torch.where((along < first) & (first > 0), first + inside(first - along), along)
    return torch.where((along > last) & (last < 1), last - inside(along - last), along)


def _sampled(maps: Tensor, places: Tensor) -> Tensor:
    """Maps (B,C,h,w) at places (B,2,H,W) in [-1,1], beyond them as at their edge."""
    maps = maps.expand(len(places), -1, -1, -1).float()
    with torch.autocast(maps.device.type, enabled=False):
        return F.grid_sample(maps, places.permute(0, 2, 3, 1).float(), padding_mode="border", align_corners=False)
