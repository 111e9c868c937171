"""Driving video as ACTalker sees it: expression features and head rotation of each frame, as one token."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from ..media.audio import frame_count
from ..networks.actalker.model import MOTION_PARTS, ACTalker
from .actalker_crops import cut_box, features_box, head_box
from .actalker_masks import Box
from .actalker_voice import FPS

VIEW = 256  # pixels of both networks' input
BATCH = 8


@dataclass(frozen=True, eq=False)
class MotionTokens:
    """tokens (T, 1, D) at 12.5 frames a second, and the token of no motion (1, 1, D)."""

    tokens: Tensor
    none: Tensor

    @property
    def frames(self) -> int:
        return self.tokens.shape[0]


def frames_to_watch(count: int, fps: Fraction | float) -> list[int]:
    """Which of a video's frames are used: those shown at 12.5 frames a second."""
    rate = Fraction(fps).limit_denominator(100_000)
    if rate <= 0:
        raise ValueError(f"The driving video's frame rate must be positive, not {fps}.")
    used = max(1, frame_count(count * rate.denominator, rate.numerator, FPS))
    return [min(count - 1, int(i * rate / FPS)) for i in range(used)]


@torch.inference_mode()
def encode_driving(
    model: ACTalker,
    frames: Tensor,
    fps: Fraction | float,
    boxes: Sequence[Box],
    landmarks: Sequence[Tensor | None] | None = None,
    *,
    keep_on: str | torch.device = "cpu",
) -> MotionTokens:
    """Frames (T, H, W, 3) in [0,1] to motion tokens.

    Boxes, landmarks and errors as in `read_faces`; RuntimeError if the motion parts were not loaded.
    """
    model.require(MOTION_PARTS, "read a driving video")
    tokens = model.motion_projector(*read_faces(model, frames, fps, boxes, landmarks))
    none = model.motion_projector.unconditional()
    return MotionTokens(tokens.unsqueeze(1).to(keep_on), none.unsqueeze(1).to(keep_on))


def read_faces(
    model: ACTalker,
    frames: Tensor,
    fps: Fraction | float,
    boxes: Sequence[Box],
    landmarks: Sequence[Tensor | None] | None = None,
) -> tuple[Tensor, Tensor]:
    """Expression features (T', 512) and head rotation (T', 3) in degrees, at 12.5 frames a second.

    boxes: the face's box in every frame, or one for all. landmarks: five points (5, 2) of every frame where known.
    The expression is read in each frame's own crop, the head's pose in a crop fixed by the first frame.
    Raises ValueError if boxes or landmarks do not match the frames.
    """
    count = len(frames)
    if count == 0 or len(boxes) not in (1, count) or (landmarks is not None and len(landmarks) != count):
        marks = "no" if landmarks is None else len(landmarks)
        raise ValueError(f"The driving video has {count} frames but {len(boxes)} face boxes and {marks} landmarks.")
    head = head_box(boxes[0], tuple(frames.shape[1:3]))
    weight, features = model.expression.resnet50.conv1.weight, []
    used = frames_to_watch(count, fps)
    for start in range(0, len(used), BATCH):
        faces, heads = [], []
        for i in used[start : start + BATCH]:
            picture = frames[i, ..., :3].movedim(-1, 0).to(weight)
            marks = None if landmarks is None else landmarks[i]
            faces.append(cut_box(picture, features_box(boxes[i % len(boxes)], marks), VIEW))
            heads.append(cut_box(picture, head, VIEW))
        rotation, _ = model.head_pose(torch.stack(heads) * 2 - 1)
        features.append((model.expression(torch.stack(faces)), rotation))
    expressions, rotations = zip(*features, strict=True)
    return torch.cat(expressions), torch.cat(rotations)
