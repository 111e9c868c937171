"""What a photo of a half body shows of its arms, found once: where their joints are, which pixels are whose, and the
photo without them.

The network sees 128 pixels, four in one, so that a CPU learns it in minutes. It also says where the body is, behind the
arms too; what they hide of it is copied from elsewhere on the clothes, which keeps stripes, and what they hide of the
background is filled.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...vocabulary import ARM_BONES, ARM_LANDMARKS
from .layers import shuffle_down, shuffle_up, with_coordinates
from .plate import filled, widened
from .unet import UNet
from .warp import identity_grid

SIZE = 128  # pixels at which arms are found
WIDTHS = (24, 32, 48, 48)
DARKEST = 1.2  # of a shade, which is never a light
BLACK = 0.03  # added to colours before they are multiplied by a shade
FRINGE = 2  # pixels around the arms that are painted over with them
CELL = 4  # pixels of a patch that is copied as one
AROUND = 4  # cells on each side of a patch that are compared with those around its copy
SMOOTH = 8  # pixels around one whose mean is light, not grain
FEW = 0.02  # share of compared pixels below which a comparison says nothing
SHIFTS = (
    *((0, y) for y in range(-60, 61) if abs(y) >= CELL),
    *((x, y) for x in range(-48, 49, 12) if x for y in range(-24, 25, 12)),
)
"""From where patches are copied, pixels; mostly from above, where clothes show most."""


class Found(NamedTuple):
    """What the network says of photos."""

    points: Tensor  # (B,8,2) in [-1,1], which may lie outside of the picture
    share: Tensor  # (B,8,h,w): logarithm of the share that each place has in a point
    bones: Tensor  # logits (B,7,SIZE,SIZE) of no arm and of each bone
    body: Tensor  # logits (B,1,SIZE,SIZE) of the body, behind the arms too
    shade: Tensor  # (B,1,SIZE,SIZE), logarithm: by how much the arms darken what they do not hide


class ArmFinder(UNet):
    """A photo (B,3,SIZE,SIZE) in [0,1] -> where the arms' landmarks are, and what belongs to which bone."""

    def __init__(self):
        super().__init__(4 * 3 + 2, WIDTHS)
        self.maps = nn.Conv2d(WIDTHS[0], 3 * len(ARM_LANDMARKS), 1)
        self.bones = nn.Conv2d(WIDTHS[0], 4 * (1 + len(ARM_BONES)), 3, padding=1)
        self.body = nn.Conv2d(WIDTHS[0], 4 * 2, 3, padding=1)

    def forward(self, photo: Tensor) -> Found:
        x = self.features(with_coordinates(shuffle_down(photo * 2 - 1)))
        maps = self.maps(F.avg_pool2d(x, 2)).float()
        share, offset = maps.split((len(ARM_LANDMARKS), 2 * len(ARM_LANDMARKS)), 1)
        grid = identity_grid(*maps.shape[-2:], maps.device)[:, None]
        places = grid + 0.2 * offset.unflatten(1, (-1, 2))  # (B,8,2,h,w)
        share = share.flatten(2).log_softmax(2).view_as(share)
        points = (share.exp()[:, :, None] * places).sum((3, 4))
        body, shade = shuffle_up(self.body(x).float()).split(1, 1)
        return Found(points, share, shuffle_up(self.bones(x).float()), body, shade.clamp(max=DARKEST))


def hidden_by(masks: Tensor) -> Tensor:
    """(B,6,S,S) of the bones in [0,1] -> (B,1,S,S): what arms and their edges hide."""
    return widened(masks.sum(1, keepdim=True).clamp(0, 1), FRINGE)


def lit(photo: Tensor, shade: Tensor) -> Tensor:
    """A photo (B,C,H,W) lighter by a shade (B,1,H,W), by a negative one darker."""
    light = (photo[:, :3] + BLACK) * shade.exp() - BLACK
    return torch.cat([light, photo[:, 3:]], 1).clamp(0, 1)


@torch.no_grad()
def behind(photo: Tensor, hidden: Tensor, body: Tensor) -> Tensor:
    """A photo (B,3,S,S), what arms hide of it and where the body is, (B,1,S,S) in [0,1] -> a picture (B,3,S,S) of what
    is behind the arms."""
    seen = (hidden < 0.05).float()
    ground = filled(photo, seen * (body < 0.1))
    return torch.lerp(ground, _copied(photo, seen * (body > 0.9)), body)


def _copied(photo: Tensor, known: Tensor) -> Tensor:
    """The photo with all that is not known (B,1,S,S) copied from where it is: each patch from the place whose
    surroundings are most like its own. Its grain alone is copied; light is filled."""
    light = _blurred(photo * known) / _blurred(known).clamp_min(1e-3)
    grain, light = (photo - light) * known, filled(light, known)
    missing, picture = F.max_pool2d(1 - known, CELL), grain
    best = torch.full_like(missing, torch.inf)
    for x, y in SHIFTS:
        moved, there = _shifted(grain, x, y), _shifted(known, x, y)
        both = known * there
        compared = _around(both)
        cost = _around((moved - grain).abs().sum(1, keepdim=True) * both) / compared.clamp_min(FEW)
        cost = cost + 5e-4 * (abs(x) + abs(y))
        whole = (1 - F.max_pool2d((1 - known) * (1 - there), CELL)) * (compared > FEW) * missing
        better = (whole > 0) & (cost < best)
        best = torch.where(better, cost, best)
        picture = torch.where(_cells(better), moved, picture)
    return torch.lerp((light + picture).clamp(0, 1), photo, known)


def _blurred(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 2 * SMOOTH + 1, 1, SMOOTH)


def _shifted(x: Tensor, right: int, down: int) -> Tensor:
    """Each pixel's value is that of the pixel so far right and down of it, zero beyond the edge."""
    height, width = x.shape[-2:]
    pads = max(-right, 0), max(right, 0), max(-down, 0), max(down, 0)
    return F.pad(x, pads)[..., max(down, 0) :, max(right, 0) :][..., :height, :width]


def _around(x: Tensor) -> Tensor:
    """(B,1,S,S) -> means (B,1,S/CELL,S/CELL) over each cell and AROUND more on each side."""
    return F.avg_pool2d(F.avg_pool2d(x, CELL), 2 * AROUND + 1, 1, AROUND)


def _cells(x: Tensor) -> Tensor:
    """(B,1,h,w) of cells -> of their pixels."""
    return x.repeat_interleave(CELL, 2).repeat_interleave(CELL, 3)
