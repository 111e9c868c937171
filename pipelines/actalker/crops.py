"""Input pictures of ACTalker's encoders: the resized photo, and crops of head and facial features."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .masks import Box

MULTIPLE = 64  # the VAE reduces by 8, and the UNet halves three times


def prepared_size(height: int, width: int, image_size: int) -> tuple[int, int]:
    """Size with the short side at `image_size`, both sides rounded to multiples of 64."""
    scale = image_size / min(height, width)
    return tuple(max(MULTIPLE, int(side * scale / MULTIPLE + 0.5) * MULTIPLE) for side in (height, width))


def lanczos(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize (H, W, 3) or (H, W), float in [0,1], by 8-bit Lanczos as the published preparation does."""
    import numpy as np
    from PIL import Image

    if image.shape[:2] == size:
        return image.float()
    pixels = Image.fromarray((image.float().clamp(0, 1) * 255).round().byte().cpu().numpy())
    resized = pixels.resize((size[1], size[0]), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.array(resized)).float() / 255


def cut_box(image: Tensor, box: Box, size: int) -> Tensor:
    """Cut a box from (3, H, W), black where it leaves the picture, and resize it to (3, size, size), bilinear."""
    x0, y0, x1, y1 = (int(v) for v in box)
    _, height, width = image.shape
    if x1 - x0 < 2 or y1 - y0 < 2 or x1 <= 0 or y1 <= 0 or x0 >= width or y0 >= height:
        raise ValueError(f"The box ({x0}, {y0}, {x1}, {y1}) is no part of the {width}x{height} picture; give another.")
    inside = image[:, max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)]
    padding = (max(0, -x0), max(0, x1 - width), max(0, -y0), max(0, y1 - height))
    piece = F.pad(inside, padding)[None]
    return F.interpolate(piece, (size, size), mode="bilinear", align_corners=False, antialias=True)[0].clamp(0, 1)


def features_box(face: Box, landmarks: Tensor | None = None) -> Box:
    """A square around brows, eyes, nose and mouth: the expression network's crop.

    The published crop uses landmarks that are not public. In their place: the box of the five landmarks (5, 2), each
    side moved 45 % of the way toward the face box (as in HunyuanPortrait, which has the same network); without
    landmarks, the face box.
    """
    x0, y0, x1, y1 = face
    if landmarks is not None:
        lows, highs = landmarks.min(0).values.tolist(), landmarks.max(0).values.tolist()
        inner = (*lows, *highs)
        x0, y0, x1, y1 = (a + 0.45 * (b - a) for a, b in zip(inner, face, strict=True))
    half = int(max(x1 - x0, y1 - y0)) // 2
    cx, cy = (x0 + x1) / 2, (y0 + y1) / 2
    return cx - half, cy - half, cx + half, cy + half


def head_box(face: Box, size: tuple[int, int], expand: float = 1.0) -> Box:
    """The crop of the head pose network.

    The face box, grown by `expand` of its size on every side and cut at the picture (H, W); then the largest square in
    it that lies nearest the face's centre.
    """
    x0, y0, x1, y1 = face
    grow_x, grow_y = expand * (x1 - x0), expand * (y1 - y0)
    low_x, low_y = max(0.0, x0 - grow_x), max(0.0, y0 - grow_y)
    high_x, high_y = min(float(size[1]), x1 + grow_x), min(float(size[0]), y1 + grow_y)
    side = min(high_x - low_x, high_y - low_y)
    left = min(max((x0 + x1 - side) / 2, low_x), high_x - side)
    top = min(max((y0 + y1 - side) / 2, low_y), high_y - side)
    return left, top, left + side, top + side
