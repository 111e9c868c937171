"""ACTalker's encoding of a driving video: expression features and head rotation of each frame, as one token."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import count

import torch
from torch import Tensor

from ...media.audio import frame_count
from ...media.picture import checked
from ...networks.actalker.model import MOTION_PARTS, ACTalker
from ...vocabulary import ACTALKER_FPS
from .crops import cut_box, features_box, head_box
from .masks import Box

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


def frames_at_actalker_rate(count: int, fps: Fraction | float) -> list[int]:
    """Indices of a video's frames that are shown at 12.5 frames a second."""
    rate = Fraction(fps).limit_denominator(100_000)
    if rate <= 0:
        raise ValueError(f"The driving video's frame rate must be positive, not {fps}.")
    used = max(1, frame_count(count * rate.denominator, rate.numerator, ACTALKER_FPS))
    return [min(count - 1, int(i * rate / ACTALKER_FPS)) for i in range(used)]


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
    model.require(MOTION_PARTS, "encode a driving video")
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
    The expression is encoded from each frame's own crop, the head's pose from a crop fixed by the first frame.
    Raises ValueError if boxes or landmarks do not match the frames.
    """
    total = len(frames)
    if total == 0 or len(boxes) not in (1, total) or (landmarks is not None and len(landmarks) != total):
        marks = "no" if landmarks is None else len(landmarks)
        raise ValueError(f"The driving video has {total} frames but {len(boxes)} face boxes and {marks} landmarks.")
    head = head_box(boxes[0], tuple(frames.shape[1:3]))
    used, features = frames_at_actalker_rate(total, fps), []
    for start in range(0, len(used), BATCH):
        views = []
        for i in used[start : start + BATCH]:
            marks = None if landmarks is None else landmarks[i]
            views.append(cut_views(frames[i], boxes[i % len(boxes)], head, marks))
        features.append(_read_views(model, views))
    expressions, rotations = zip(*features, strict=True)
    return torch.cat(expressions), torch.cat(rotations)


def cut_views(picture: Tensor, face: Box, head: Box, landmarks: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The two networks' inputs from a picture (H, W, 3) in [0,1]: facial features and head, each (3, 256, 256)."""
    picture = checked(picture, "the driving video")[..., :3].movedim(-1, 0).float()
    return cut_box(picture, features_box(face, landmarks), VIEW), cut_box(picture, head, VIEW)


def _read_views(model: ACTalker, views: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    weight = model.expression.resnet50.conv1.weight
    faces, heads = (torch.stack(view).to(weight) for view in zip(*views, strict=True))
    rotation, _ = model.head_pose(heads * 2 - 1)
    return model.expression(faces), rotation


@torch.inference_mode()
def encode_driving_stream(
    model: ACTalker,
    frames: Iterable[Tensor],
    fps: Fraction | float,
    find: Callable[[Tensor], tuple[Box, Tensor | None]],
    *,
    progress: Callable[[int], None] | None = None,
    keep_on: str | torch.device = "cpu",
) -> MotionTokens:
    """`encode_driving` of a video of any length, as a stream: only the frames shown at 12.5 a second are encoded.

    frames: (H, W, 3) each, float in [0,1]. find(picture) gives the face's box and its five landmarks or None.
    progress(frames read) is called after every batch and may raise. Raises ValueError for a video without frames.
    """
    model.require(MOTION_PARTS, "encode a driving video")
    encoder = _StreamEncoder(model, find)
    wanted = (int(i * Fraction(fps).limit_denominator(100_000) / ACTALKER_FPS) for i in count())
    next_wanted, read = next(wanted), 0
    for picture in frames:
        if read == next_wanted:
            encoder.add(picture, read)
            while next_wanted == read:
                next_wanted = next(wanted)
        read += 1
        if progress is not None and read % BATCH == 0:
            progress(read)
    if not read:
        raise ValueError("The driving video has no frames.")
    tokens = model.motion_projector(*encoder.features(frames_at_actalker_rate(read, fps)))
    none = model.motion_projector.unconditional()
    return MotionTokens(tokens.unsqueeze(1).to(keep_on), none.unsqueeze(1).to(keep_on))


class _StreamEncoder:
    """Encodes single pictures in batches and keeps their features only."""

    def __init__(self, model: ACTalker, find: Callable[[Tensor], tuple[Box, Tensor | None]]):
        self.model, self.find = model, find
        self.head, self.views, self.numbers, self.encoded = None, [], [], []

    def add(self, picture: Tensor, number: int) -> None:
        face, landmarks = self.find(picture)
        self.head = self.head or head_box(face, tuple(picture.shape[:2]))
        self.views.append(cut_views(picture, face, self.head, landmarks))
        self.numbers.append(number)
        if len(self.views) == BATCH:
            self._encode()

    def _encode(self) -> None:
        self.encoded.append(_read_views(self.model, self.views))
        self.views = []

    def features(self, used: list[int]) -> tuple[Tensor, Tensor]:
        """Expression and rotation of the frames to be used: for each, those of the last encoded frame up to it."""
        if self.views:
            self._encode()
        rows = [bisect_right(self.numbers, number) - 1 for number in used]
        return tuple(torch.cat(part)[rows] for part in zip(*self.encoded, strict=True))
