"""Real clips for stage 2: their motion as the trained motion encoder sees it, kept beside the video."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from ....files import whole_file
from ....media.video import read_video
from ....vocabulary import FPS
from ...datasets.clip_files import beside, clips_of, local_file

BATCH = 16


def motion_file(renderer) -> str:
    """The file name of motion seen by this renderer's encoder: another renderer's 768 numbers mean something else."""
    digest = hashlib.sha256()
    for name, value in sorted(renderer.state_dict().items()):
        if name.startswith("motion_encoder"):
            digest.update(value.detach().float().cpu().numpy().tobytes())
    return f"motion_{digest.hexdigest()[:12]}.npy"


def encode_clips(data: str | Path, renderer) -> str:
    """Encode every clip that has a video and no labels, once; returns the name of the motion files.

    Motion is (T, 768) float16 at 25 frames a second, from where the head stands in the first. A clip already encoded
    by this renderer is left as it is.
    """
    name = motion_file(renderer)
    waiting = [
        clip
        for clip in clips_of(data)
        if (clip / "video.mp4").exists() and not (clip / "labels.npz").exists() and not beside(clip, name).exists()
    ]
    for clip in tqdm(waiting, desc="encoding motion", unit="clip", disable=not waiting):
        with local_file(clip / "video.mp4") as video:
            motion = np.concatenate(list(_encode(video, renderer)))
        with whole_file(beside(clip, name)) as partial, open(partial, "wb") as file:
            np.save(file, motion)
    return name


@torch.no_grad()
def _encode(video: Path, renderer) -> Iterator[np.ndarray]:
    device = next(renderer.parameters()).device
    frames, first = read_video(video, FPS), None
    while batch := list(islice(frames, BATCH)):
        images = torch.stack(batch).to(device).permute(0, 3, 1, 2)
        motion = renderer.encode_motion(images)
        first = motion[0] if first is None else first
        yield renderer.centred(motion, first).half().cpu().numpy()
