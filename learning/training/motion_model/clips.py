"""Real clips for stage 2: their motion as the trained motion encoder sees it, kept beside the video."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ....files import whole_file
from ....media.video import read_video
from ....networks.renderer.model import Renderer
from ....vocabulary import FPS
from ...datasets.clip_files import beside, clips_of, local_file

BATCH = 16


def motion_file(renderer) -> str:
    """The file name of motion seen by this renderer's encoder: another renderer's 768 numbers mean something else."""
    digest = hashlib.sha256()
    counts = ("motion_encoder",) if renderer.config.motion_space == "named" else ("motion_encoder", "parameters_of")
    for name, value in sorted(renderer.state_dict().items()):
        if name.startswith(counts):
            digest.update(value.detach().float().cpu().numpy().tobytes())
    return f"motion_{digest.hexdigest()[:12]}.npy"


def encode_clips(data: str | Path, renderer) -> str:
    """Encode every clip that has a video and no labels, once; returns the name of the motion files.

    Motion is (T, 768) float16 at 25 frames a second, `as_learnt`. A clip already encoded by this renderer is left as it
    is.
    """
    name = motion_file(renderer)
    waiting = [
        clip
        for clip in clips_of(data)
        if (clip / "video.mp4").exists() and not (clip / "labels.npz").exists() and not beside(clip, name).exists()
    ]
    for clip in tqdm(waiting, desc="encoding motion", unit="clip", disable=not waiting):
        with local_file(clip / "video.mp4") as video:
            motion = as_learnt(torch.cat(list(_encode(video, renderer))), renderer).half().cpu().numpy()
        with whole_file(beside(clip, name)) as partial, open(partial, "wb") as file:
            np.save(file, motion)
    return name


@torch.no_grad()
def as_learnt(motion: Tensor, renderer: Renderer) -> Tensor:
    """Motion (T,768) of a clip as a voice can tell it: from where the head stands in the first frame. What no name
    describes is counted from its mean over the clip, which says who speaks, not what is said."""
    motion = renderer.centred(motion, motion[0])
    named = renderer.config.motion_space == "named"
    return motion if named else motion - renderer.free_part(motion).mean(0)


@torch.no_grad()
def _encode(video: Path, renderer: Renderer) -> Iterator[Tensor]:
    device, frames = next(renderer.parameters()).device, read_video(video, FPS)
    while batch := list(islice(frames, BATCH)):
        yield renderer.encode_motion(torch.stack(batch).to(device).permute(0, 3, 1, 2)).float()
