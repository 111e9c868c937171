"""The background plate: what stands behind a head, shown where the head has left its place.

A warp brings pixels to where the head is; where it was, nothing moves, and the photo's head would stay there as a
ghost of hair and ear. A matte says which pixels are the person's. The plate is the photo without them, painted once a
portrait from their surroundings; a frame shows it where the person has been and is no longer. Two must agree that he is
not there: his pixels, followed to where they go, and a look at the frame's own features, which knows that a head that
turns shows its other side. At rest the plate is shown nowhere, so the portrait stays the photo.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import RendererConfig
from .layers import bilinear, concat_channels, resize
from .unet import UNet

SIZE = 128  # pixels at which the matte is found and moved
FRINGE = 7  # pixels of it around the matte that the plate does not trust: hair lets the background through
UNSURE = 0.1  # share of a matte that counts as none, and as whole
EDGE = 2  # pixels of it around the matte that leave with the person
STILL = 10.0  # pixels of motion from which on they leave wholly; hair follows a head that moves less
REACHED = 0.25  # share that has left, from which on the background reaches through
BORDER = 24  # pixels that are thought on beyond the picture, so that shoulders may rise from its edge


class Matte(UNet):
    """A portrait (B,3,H,W) in [0,1] -> logits (B,1,SIZE,SIZE) of being the person: head, hair, neck and body."""

    def __init__(self, config: RendererConfig):
        super().__init__(3, config.matte_widths)
        self.out = nn.Conv2d(config.matte_widths[0], 1, 1)

    def of(self, image: Tensor) -> Tensor:
        """The matte (B,1,SIZE,SIZE) in [0,1]."""
        return certain(self(image).sigmoid())

    def forward(self, image: Tensor) -> Tensor:
        return self.out(self.features(resize(image, SIZE))).float()


class Outline(nn.Module):
    """Where the person is in a frame: logits (B,1,h,w), from the mask module's features (B,C,h,w), and the matte before
    and after the motion (B,1,SIZE,SIZE)."""

    WIDTH = 24

    def __init__(self, config: RendererConfig):
        super().__init__()
        self.enter = nn.Conv2d(config.refine_width + 2, self.WIDTH, 3, padding=1)
        self.leave = nn.Conv2d(self.WIDTH, 1, 3, padding=1)

    def forward(self, features: Tensor, matte: Tensor, moved: Tensor) -> Tensor:
        size = tuple(features.shape[-2:])
        mattes = [resize(x, size).to(features.dtype) for x in (matte, moved)]
        return self.leave(F.silu(self.enter(concat_channels(features, *mattes)))).float()


def painted_plate(image: Tensor, matte: Tensor) -> Tensor:
    """(B,3,H,W) and its matte (B,1,SIZE,SIZE) in [0,1] -> the image with the person painted over: every pixel of his
    takes the mean of the smallest surroundings that hold background."""
    wide = widened(matte, FRINGE)
    return filled(image, (1 - bilinear(wide, tuple(image.shape[-2:]))).clamp(0, 1))


def filled(image: Tensor, known: Tensor) -> Tensor:
    """(B,3,H,W) and how far its pixels count (B,1,H,W) -> the image with the others filled (push and pull over a
    pyramid)."""
    levels = [(image * known, known)]
    while min(levels[-1][0].shape[-2:]) > 2:
        levels.append(tuple(F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False) for x in levels[-1]))
    picture = levels[-1][0] / levels[-1][1].clamp_min(1e-4)
    for colour, weight in reversed(levels[:-1]):
        sure = (weight * 2).clamp(0, 1)
        own = colour / weight.clamp_min(1e-4)
        picture = torch.lerp(bilinear(picture, tuple(colour.shape[-2:])), own, sure)
    return picture.clamp(0, 1)


def vacated(forward: Tensor, matte: Tensor, features: Tensor, outline: Outline) -> Tensor:
    """Where the person was and is no longer: (B,1,SIZE,SIZE) in [0,1], exactly zero without motion.

    forward (B,2,h,w): displacement of the source's pixels, in half pictures; matte (B,1,SIZE,SIZE); features (B,C,h,w)
    of the mask module. A gap counts that the background reaches: what opens inside the person, such as the mouth, is
    not background."""
    field = bilinear(forward.float(), (SIZE, SIZE))
    coarse = resize(forward.float(), SIZE // 4)
    moves = widened(coarse.norm(dim=1, keepdim=True) * (SIZE / 2 / STILL), 1).clamp(max=1)
    moved = moved_matte(field, matte)
    person = bilinear(outline(features, matte, moved), (SIZE, SIZE)).sigmoid()
    wide = widened(matte, EDGE)
    gap = (wide - torch.maximum(moved, certain(person))).clamp(0, 1) * bilinear(moves, (SIZE, SIZE))
    open_to = F.max_pool2d(((gap > REACHED) | (wide < 0.5)).float(), 2)
    reached = F.max_pool2d((wide < 0.5).float(), 2)
    for _ in range(SIZE // 8):  # a head's width at most
        reached = widened(reached, 1) * open_to
    return gap * bilinear(widened(reached, 1), (SIZE, SIZE))


def widened(x: Tensor, by: int) -> Tensor:
    """(B,C,H,W) -> the largest value within a square of `by` pixels on each side. Without gradients by shifts, in an
    eighth of the time that pooling takes on a CPU."""
    if torch.is_grad_enabled():
        return F.max_pool2d(x, 2 * by + 1, 1, by)
    for axis in (2, 3) * by:
        rest, wider = x.shape[axis] - 1, x.clone()
        for mine, other in ((1, 0), (0, 1)):
            place = wider.narrow(axis, mine, rest)
            torch.maximum(place, x.narrow(axis, other, rest), out=place)
        x = wider
    return x


def certain(matte: Tensor) -> Tensor:
    """A matte in which what is nearly certain is certain."""
    return ((matte - UNSURE) / (1 - 2 * UNSURE)).clamp(0, 1)


def moved_matte(forward: Tensor, matte: Tensor) -> Tensor:
    """The matte after the motion, by splatting: (B,1,SIZE,SIZE); forward (B,2,SIZE,SIZE)."""
    side, width = SIZE + 2 * BORDER, SIZE
    pad = (BORDER,) * 4
    field = F.pad(forward, pad, mode="replicate")
    values = F.pad(matte.float(), pad, mode="replicate").flatten(1)
    pixels = torch.arange(side, device=field.device, dtype=torch.float32)
    x = (pixels + field[:, 0] * width / 2).flatten(1).clamp(0, side - 1.001)
    y = (pixels[:, None] + field[:, 1] * width / 2).flatten(1).clamp(0, side - 1.001)
    left, top = x.floor(), y.floor()
    right, below = x - left, y - top
    corner = (top * side + left).long()
    sums = torch.zeros(2, len(values), side * side, device=field.device)
    for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
        share = (right if dx else 1 - right) * (below if dy else 1 - below)
        sums[0].scatter_add_(1, corner + dy * side + dx, share * values)
        sums[1].scatter_add_(1, corner + dy * side + dx, share)
    person, all_pixels = (_summed(x.view(-1, 1, side, side)) for x in sums)  # stretched pixels have holes
    moved = (person / all_pixels.clamp(0.3 * 9, 9)).clamp(max=1)  # where both arrive, the person covers the background
    return moved[..., BORDER:-BORDER, BORDER:-BORDER]


def _summed(x: Tensor) -> Tensor:
    """(B,C,H,W) -> sums over 3 x 3 pixels, nothing beyond the edges: a tenth of the time of pooling on a CPU."""
    for axis in (2, 3):
        rest, wider = x.shape[axis] - 1, x.clone()
        for mine, other in ((1, 0), (0, 1)):
            wider.narrow(axis, mine, rest).add_(x.narrow(axis, other, rest))
        x = wider
    return x
