"""Cutting a square portrait out of a photo at the photo's own resolution, and pasting the animated portrait back."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .finders.face import Face

# The framing of the training pictures, the median of 5120 drawn heads: side of the box 0.538 of the picture, its centre
# at 0.555 of its height. Photos are cropped to the same framing.
CROP_SCALE = 1.86  # side of the crop in sides of the face box
CROP_SHIFT = 0.10  # the crop's centre lies above the box's by this part of the box, for the hair
# The same of half bodies, the median of 24 drawn ones with the faces found: side of the box 0.265, centre at 0.31.
HALF_SCALE = 3.75
HALF_SHIFT = -0.72
MAX_SIZE = 1024
LARGEST_CROP = 16384  # side in the photo's pixels: 3 GiB, before it is shrunk
FEATHER = 0.06


@dataclass(frozen=True)
class Crop:
    """A square of a photo: its corner and side in the photo's pixels (it may reach beyond the photo), and the photo's
    size."""

    x0: int
    y0: int
    size: int
    height: int
    width: int


def crop_box(
    photo_size: tuple[int, int], face: Face | None, scale: float = CROP_SCALE, shift: float = CROP_SHIFT
) -> Crop:
    """The square to cut: `scale` times the face box, its centre raised by `shift` of the box.

    photo_size: (height, width). face None, or one found by "whole": the smallest square around the whole photo. The
    side is even. ValueError for a scale outside of 0.5..20, a shift beyond 5, and a square beyond LARGEST_CROP, as
    around a picture of one row."""
    height, width = photo_size
    if not 0.5 <= scale <= 20:
        raise ValueError(f"The crop scale must lie between 0.5 and 20 face sizes, got {scale}.")
    if not -5 <= shift <= 5:
        raise ValueError(f"The crop's shift must lie between -5 and 5 face sizes, got {shift}.")
    whole = face is None or face.finder == "whole"
    # An even side, as frames have: an odd one would be resampled for one pixel when the film is made
    size = (max(height, width) + 1) // 2 * 2 if whole else max(2, 2 * round(face.size * scale / 2))
    if size > LARGEST_CROP:
        raise ValueError(
            f"The square around the portrait would be {size} pixels wide in a picture of {width}x{height}; cut the "
            f"picture to the portrait first, or make it smaller: at most {LARGEST_CROP} are possible."
        )
    if whole:
        return Crop((width - size) // 2, (height - size) // 2, size, height, width)
    cx, cy = face.center
    return Crop(round(cx - size / 2), round(cy - shift * face.size - size / 2), size, height, width)


def cut(frames: Tensor, crop: Crop, max_size: int | None = MAX_SIZE) -> Tensor:
    """Cut one crop out of a photo or of each frame: (...,H,W,C) -> (...,S,S,C), S = min(crop.size, max_size).

    Where the square reaches beyond the photo, the photo is mirrored at its edge. Pixels are copied, not resampled:
    kornia's crop_and_resize, an affine warp, takes 3 to 5 times as long and is 1e-4 off."""
    if frames.shape[-3:-1] != (crop.height, crop.width):
        given = f"{frames.shape[-2]}x{frames.shape[-3]}"
        raise ValueError(f"The crop was made for a {crop.width}x{crop.height} picture, but this one is {given}.")
    y1, x1 = crop.y0 + crop.size, crop.x0 + crop.size
    if min(crop.y0, crop.x0) >= 0 and y1 <= crop.height and x1 <= crop.width:
        piece = frames[..., crop.y0 : y1, crop.x0 : x1, :].contiguous()
    else:
        rows = _mirrored(crop.y0, crop.size, crop.height).to(frames.device)
        columns = _mirrored(crop.x0, crop.size, crop.width).to(frames.device)
        piece = frames.index_select(-3, rows).index_select(-2, columns)
    return resize(piece, max_size, max_size) if max_size and crop.size > max_size else piece


def _mirrored(start: int, count: int, length: int) -> Tensor:
    """Indices start..start+count-1 folded into 0..length-1 by symmetric padding."""
    index = torch.arange(start, start + count) % (2 * length)
    return torch.where(index < length, index, 2 * length - 1 - index)


def resize(images: Tensor, height: int, width: int) -> Tensor:
    """(...,H,W,C) -> (...,height,width,C), bilinear, antialiased when shrinking.

    The dtype is kept; integers are rounded. kornia enlarges; it would shrink with a Gaussian blur before, 2.2 times as
    slowly, and up to .25 off on noise."""
    if images.shape[-3:-1] == (height, width):
        return images
    flat = images.reshape(-1, *images.shape[-3:]).permute(0, 3, 1, 2).float()
    shrinks = height < images.shape[-3] or width < images.shape[-2]
    if shrinks:
        flat = F.interpolate(flat, (height, width), mode="bilinear", align_corners=False, antialias=True)
    else:
        from kornia.geometry.transform import resize as enlarged  # a quarter of a second, once, where it is needed

        flat = enlarged(flat, (height, width), interpolation="bilinear", align_corners=False)
    flat = flat if images.is_floating_point() else flat.round()
    return flat.to(images.dtype).permute(0, 2, 3, 1).reshape(*images.shape[:-3], height, width, images.shape[-1])


def crop_portrait(
    photo: Tensor,
    face: Face | None,
    scale: float = CROP_SCALE,
    shift: float = CROP_SHIFT,
    max_size: int | None = MAX_SIZE,
) -> tuple[Tensor, Crop]:
    """The portrait (S,S,3) around a face of photo (H,W,3), at the photo's own resolution up to max_size, and its
    place."""
    crop = crop_box((photo.shape[-3], photo.shape[-2]), face, scale, shift)
    return cut(photo, crop, max_size), crop


def paste_back(
    photo: Tensor, frames: Tensor, crop: Crop, feather: float = FEATHER, beside: Sequence[Crop] = ()
) -> Tensor:
    """Paste animated portraits (B,h,w,3) back into photo (H,W,3), or into as many (B,H,W,3) -> (B,H,W,3), float in
    [0,1].

    beside: crops of other faces of the photo, whose halves of the common ground are left to them.

    Frames of any size are resized to the crop's. Edges of the crop inside the photo are feathered over `feather` of the
    crop's side; pixels outside the crop are not changed.

    The crop's corner is a whole pixel, so frames are only resized and blended. kornia's warp_affine of frames and
    feather over a photo of 1440x900 takes 10 times as long (637 ms for eight frames of 512 pixels, this 61 ms), for the
    same within 6e-5.
    """
    if photo.shape[-3:-1] != (crop.height, crop.width):
        given = f"{photo.shape[-2]}x{photo.shape[-3]}"
        raise ValueError(
            f"The crop was made for a {crop.width}x{crop.height} photo, but this one is {given}: give the photo that "
            "was cropped."
        )
    if not 0 <= feather <= 0.5:
        raise ValueError(f"The feather must lie between 0 and 0.5 of the crop, got {feather}.")
    photo = (photo if photo.ndim == 4 else photo[None])[..., :3].to(frames.device, torch.float32)
    if len(photo) not in (1, len(frames)):
        raise ValueError(f"{len(frames)} frames were to be pasted into {len(photo)} pictures: give one, or as many.")
    y0, y1 = max(0, crop.y0), min(crop.height, crop.y0 + crop.size)
    x0, x1 = max(0, crop.x0), min(crop.width, crop.x0 + crop.size)
    out = photo.expand(len(frames), -1, -1, -1).clone()
    if y1 <= y0 or x1 <= x0:
        return out
    frames = resize(frames[..., :3].float(), crop.size, crop.size)
    frames = frames[:, y0 - crop.y0 : y1 - crop.y0, x0 - crop.x0 : x1 - crop.x0]
    rows = _fade(crop.y0, crop.size, crop.height, feather)[y0 - crop.y0 : y1 - crop.y0]
    columns = _fade(crop.x0, crop.size, crop.width, feather)[x0 - crop.x0 : x1 - crop.x0]
    alpha = rows[:, None] * columns[None, :]
    for other in beside:
        alpha = alpha * _own_half(crop, other)[y0 - crop.y0 : y1 - crop.y0, x0 - crop.x0 : x1 - crop.x0]
    alpha = alpha[None, ..., None].to(frames.device)
    out[:, y0:y1, x0:x1] = torch.lerp(out[:, y0:y1, x0:x1], frames, alpha.expand_as(frames))
    return out


def _own_half(crop: Crop, other: Crop) -> Tensor:
    """(S,S) 1 in the half of the crop towards its own middle, 0 beyond the border with another face's crop: where both
    are equally far, each in its own size. The change takes `FEATHER` of the crop's side."""
    y, x = (torch.arange(crop.size) + crop.y0 + 0.5)[:, None], (torch.arange(crop.size) + crop.x0 + 0.5)[None]

    def far(of: Crop) -> Tensor:
        return torch.hypot(x - of.x0 - of.size / 2, y - of.y0 - of.size / 2) / of.size

    edge = ((far(other) - far(crop)) / FEATHER + 0.5).clamp(0, 1)
    return edge * edge * (3 - 2 * edge)


def _fade(start: int, size: int, length: int, feather: float) -> Tensor:
    """Opacity along one side of the crop (size,): smoothly 0 to 1 at an edge inside the photo, 1 at one outside.

    A formula for each side: a mask of 512 pixels takes .08 ms, kornia's gaussian_blur2d of one 2.2 ms, and its
    distance_transform 97 ms."""
    width = feather * size
    position = torch.arange(size) + 0.5
    ramp = torch.ones(size)
    if width > 0 and start > 0:
        ramp = ramp * (position / width).clamp(max=1)
    if width > 0 and start + size < length:
        ramp = ramp * ((size - position) / width).clamp(max=1)
    return ramp * ramp * (3 - 2 * ramp)
