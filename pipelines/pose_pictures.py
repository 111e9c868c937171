"""Motion on a portrait as pictures of face points, for graphs that are steered by poses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import torch
from torch import Tensor

from ..media.face_points import FIVE, draw_points, posed_points
from ..media.faces import find_faces
from ..media.motion import Motion, fitted_to
from ..networks.renderer.model import Renderer, Source
from .limits import MotionLimits
from .regions import motion_to_parameters
from .rendering import target_motions
from .settings import STYLES, PoseSettings, RenderingSettings

BATCH = 64  # frames at once
EYES_APART, BETWEEN_EYES = 0.35, (0.5, 0.40)  # of a crop's side: of the training pictures' median face


def pose_pictures(
    renderer: Renderer,
    source: Source,
    motion: Motion,
    settings: PoseSettings | None = None,
    rendering: RenderingSettings | None = None,
) -> Iterator[Tensor]:
    """Motion on a portrait -> batches (b,S,S,3) float32 in [0,1] of its face points, where Decode would show the face.

    The mean face is laid onto the portrait by the face finder's five landmarks, and without them by the crop's usual
    framing. Raises ValueError for motion of another renderer, or for one whose motion has no names."""
    settings, rendering = settings or PoseSettings(), rendering or RenderingSettings()
    motion, limits = fitted_to(motion, renderer), MotionLimits(renderer, "the motion")
    own = motion_to_parameters(renderer, source.motion.float().cpu()).numpy()
    scale, place = placed(source.image[0], own)
    count, radius = int(settings.count), settings.radius * settings.size / 512
    for target in target_motions(renderer, source, motion, rendering, limits, BATCH):
        points = posed_points(motion_to_parameters(renderer, target).numpy())[:, :count]
        pixels = (points * scale + place) * settings.size
        frames = [draw_points(p, (settings.size,) * 2, radius, settings.style == STYLES[1]) for p in pixels]
        yield torch.from_numpy(np.stack(frames)).float() / 255


def placed(picture: Tensor, own: np.ndarray) -> tuple[float, np.ndarray]:
    """Scale and shift (2,) that lay the mean face, posed as in the picture (3,H,W) by its parameters `own` (1,24), onto
    it; in sides of the picture."""
    points = posed_points(own)[0]
    faces = []
    with suppress(RuntimeError):  # where no finder can run, the usual framing serves
        faces = find_faces(picture.permute(1, 2, 0).float().cpu())
    seen = next((face for face in faces if face.landmarks is not None and len(face.landmarks) == 5), None)
    if seen is None:
        return EYES_APART, np.array(BETWEEN_EYES)
    there = np.asarray(seen.landmarks, np.float64) / max(picture.shape[-2:])
    ours = np.stack([points[part].mean(0) for part in FIVE])
    a, b = ours - ours.mean(0), there - there.mean(0)
    scale = float((a * b).sum() / (a * a).sum())
    if scale <= 0:
        return EYES_APART, np.array(BETWEEN_EYES)
    return scale, there.mean(0) - scale * ours.mean(0)
