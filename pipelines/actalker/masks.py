"""ACTalker's masks from face boxes: face mask, audio mask and motion mask.

ACTalker supplement A.3: the face mask is the smallest rectangle around all face boxes of a clip (at inference the
source's box, extended); the audio mask is the mouth's box; the motion mask is the face mask minus the audio mask. The
published script extends by 1.2 and, in joint mode, replaces both control masks by ones; `mask_mode` chooses which.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ...media.faces import Face

Box = tuple[float, float, float, float]  # x0, y0, x1, y1 in pixels

EXTEND = 1.2
MASK_MODES = ("release", "paper")


class Masks(NamedTuple):
    """Masks (H, W), ones inside: the extended face, the mouth, and the face without the mouth."""

    face: Tensor
    mouth: Tensor
    motion: Tensor


def union_box(boxes: Sequence[Box]) -> Box:
    """The smallest box around all boxes of a clip. Raises ValueError for none."""
    if not boxes:
        raise ValueError("union_box: no face box given; find a face first or give the box by hand.")
    lows, highs = [b[:2] for b in boxes], [b[2:] for b in boxes]
    return (*(min(v) for v in zip(*lows, strict=True)), *(max(v) for v in zip(*highs, strict=True)))


def extend_box(box: Box, factor: float, size: tuple[int, int]) -> Box:
    """Scale a box about its centre (whole pixels, as published) and cut it at the picture's edges; size (H, W)."""
    cx, cy = (box[0] + box[2]) // 2, (box[1] + box[3]) // 2
    half_w, half_h = (box[2] - box[0]) * factor / 2, (box[3] - box[1]) * factor / 2
    return (
        max(0.0, cx - half_w),
        max(0.0, cy - half_h),
        min(float(size[1]), cx + half_w),
        min(float(size[0]), cy + half_h),
    )


def five_points(face: Face) -> Tensor | None:
    """Eyes, nose tip and mouth corners (5, 2) of a face, if its finder gives them."""
    if face.landmarks is None or len(face.landmarks) != 5:
        return None
    return torch.as_tensor(face.landmarks, dtype=torch.float32)


def mouth_box(face: Box, landmarks: Tensor | None = None) -> Box:
    """The lower half of a face box; with landmarks (eyes, nose tip, mouth corners; (5, 2)) a box around the mouth.

    That box reaches from the nose tip to as far below the mouth, and a quarter of the mouth's width beyond its corners.
    """
    if landmarks is None:
        return face[0], (face[1] + face[3]) / 2, face[2], face[3]
    (_, nose_y), left, right = (tuple(map(float, landmarks[i])) for i in (2, 3, 4))
    x0, x1 = sorted((left[0], right[0]))
    mouth_y, side = (left[1] + right[1]) / 2, (x1 - x0) / 4
    return x0 - side, nose_y, x1 + side, 2 * mouth_y - nose_y


def draw_box(box: Box, size: tuple[int, int]) -> Tensor:
    """A mask (H, W), one inside the box rounded to whole pixels."""
    mask = torch.zeros(size)
    x0, y0, x1, y1 = (max(0, round(v)) for v in box)
    mask[y0:y1, x0:x1] = 1
    return mask


def face_masks(
    size: tuple[int, int], boxes: Sequence[Box], mouths: Sequence[Box] | None = None, extend: float = EXTEND
) -> Masks:
    """Masks for a picture of size (H, W) from the face box of one photo, or the boxes of all frames of a clip.

    mouths: the mouths' boxes, if known; else the lower half of the face. extend: how much larger than the box the face
    mask is. The mouth's mask never leaves the face's.
    """
    union = union_box(boxes)
    face = draw_box(extend_box(union, extend, size), size)
    mouth = draw_box(union_box(mouths) if mouths else mouth_box(union), size) * face
    return Masks(face, mouth, face - mouth)


def control_masks(masks: Masks, audio: float, motion: float, mask_mode: str = "release") -> tuple[Tensor, Tensor]:
    """The audio and motion masks (H, W) for the given gates.

    One gate open: its mask is the whole face, the other's is empty. Both open: with "release" both masks are the whole
    picture, with "paper" the audio mask is the mouth and the motion mask the rest of the face.
    Raises ValueError for an unknown mode.
    """
    if mask_mode not in MASK_MODES:
        raise ValueError(f"mask_mode must be one of {', '.join(MASK_MODES)}, not {mask_mode!r}.")
    nothing = torch.zeros_like(masks.face)
    if not (audio and motion):
        return masks.face if audio else nothing, masks.face if motion else nothing
    if mask_mode == "release":
        return torch.ones_like(nothing), torch.ones_like(nothing)
    return masks.mouth, masks.motion
