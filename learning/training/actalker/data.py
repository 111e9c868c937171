"""A window of a talking clip, seen through ACTalker's frozen encoders.

A clip is a folder with video.mp4 (25 frames a second) and audio.wav, the layout that all training here shares.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ....media.audio import load_audio, to_mono_16k
from ....media.video import probe_video, read_video
from ....networks.actalker.model import PARTS, ACTalker
from ....pipelines.actalker.crops import lanczos, prepared_size
from ....pipelines.actalker.driving import read_faces
from ....pipelines.actalker.follower import Follower, FoundFace
from ....pipelines.actalker.masks import Masks, face_masks, mouth_box
from ....pipelines.actalker.stages import embed_face, encode_image
from ....pipelines.actalker.voice import speech_windows
from ....vocabulary import ACTALKER_FPS, SAMPLE_RATE
from ...datasets.clip_files import ClipFiles, clips_of, local_file
from ...datasets.splits import check_training

REFERENCE_REACH = 25  # the reference picture lies at most so many frames outside the window (published)


class Window(NamedTuple):
    """One window of F frames of a clip, seen by the frozen encoders; everything the loss needs.

    latents (F, 4, h, w), scaled; reference (4, h, w), unscaled; face (1, 512); speech (F, 10, layers + 1, channels);
    expression (F, 512); rotation (F, 3); masks of (H, W) = 8 (h, w).
    """

    latents: Tensor
    reference: Tensor
    face: Tensor
    speech: Tensor
    expression: Tensor
    rotation: Tensor
    masks: Masks


def clips_with_video(data: str | Path, split: str) -> list[ClipFiles]:
    """The corpus's clips of a split that have a video; clips that tell no split are for training."""

    def belongs(clip: ClipFiles) -> bool:
        told = json.loads((clip / "meta.json").read_text("utf8")).get("split", "train")
        return told == split and (clip / "video.mp4").exists()

    return [clip for clip in clips_of(data) if belongs(clip)]


def painted_clips(data: str | Path) -> list[ClipFiles]:
    """The corpus's training clips that have a video; FileNotFoundError says how to make some, HeldOutError who of them
    is held out of all training."""
    clips = clips_with_video(data, "train")
    for clip in clips:
        check_training(json.loads((clip / "meta.json").read_text("utf8")).get("speaker", ""), clip.name, clip)
    if not clips:
        raise FileNotFoundError(
            f"{data} holds no training clips with a video: draw some with "
            f"`python -m mamba_portrait corpus --out {data} --clips 40 --painted 40`."
        )
    return clips


def _part(film: Path, sound: Path, name: str, count: int, random: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Frames (F, H, W, 3) of a random window, a reference (H, W, 3) in it or near it, and the window's sound (N,)."""
    total = int(probe_video(film).duration * ACTALKER_FPS)
    if total < count:
        raise ValueError(f"{name} has {total} frames at 12.5 a second; a window needs {count}.")
    start = int(random.integers(total - count + 1))
    first, last = max(0, start - REFERENCE_REACH), min(total, start + count + REFERENCE_REACH)
    near = read_video(film, ACTALKER_FPS, start=float(first / ACTALKER_FPS), max_frames=last - first)
    video = torch.stack(list(near))
    frames = video[start - first :][:count]
    reference = video[int(random.integers(len(video)))]
    samples = int(SAMPLE_RATE / ACTALKER_FPS)
    voice = to_mono_16k(*load_audio(sound)).reshape(-1)[start * samples : (start + count) * samples]
    voice = torch.nn.functional.pad(voice, (0, count * samples - voice.numel()))
    return frames, reference, voice


@torch.no_grad()
def read_window(
    model: ACTalker,
    clip: ClipFiles,
    random: np.random.Generator,
    image_size: int | None = None,
    find: Callable[[Tensor], FoundFace] | None = None,
) -> Window:
    """A random window of `clip` at 12.5 frames a second, prepared for the trainer. find: in place of a `Follower`.

    Only the window's part of the file is kept in memory. The reference is a random frame of the window or near it.
    Masks are the supplement's (A.3): the face's is the smallest rectangle around all frames' face boxes, not extended;
    the mouth's that around all mouth boxes, from the finder's landmarks. Raises ValueError for a clip that is shorter
    than a window or does not show a face in every frame, FileNotFoundError for absent files.
    """
    model.require(PARTS, "prepare a clip for training")
    count, find = model.config.window, find or Follower()
    with local_file(clip / "video.mp4") as film, local_file(clip / "audio.wav") as voice:
        frames, reference, voice = _part(film, voice, clip.name, count, random)
    faces = [find(frame) for frame in frames]
    boxes, points = [face.box for face in faces], [face.points for face in faces]
    mouths = [mouth_box(*face) for face in faces]
    size = prepared_size(*frames.shape[1:3], image_size or model.config.image_size)
    expression, rotation = read_faces(model, frames, ACTALKER_FPS, boxes, points)
    pictures = [lanczos(frame, size).movedim(-1, 0) for frame in (*frames, reference)]
    latents = torch.stack([encode_image(model.vae, picture) for picture in pictures])
    drawn = face_masks(tuple(frames.shape[1:3]), boxes, mouths, extend=1.0)
    masks = Masks(*(lanczos(mask, size) for mask in drawn))
    return Window(
        latents=latents[:-1] * model.vae.config.scaling_factor,
        reference=latents[-1],
        face=embed_face(model, reference, find(reference).box),
        speech=speech_windows(model, voice),
        expression=expression,
        rotation=rotation,
        masks=masks,
    )
