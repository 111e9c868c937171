"""Frames and sound to a video file."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import chain
from pathlib import Path

import torch.nn.functional as F
from torch import Tensor

from ..media.alpha_video import AlphaVideoWriter
from ..media.mixed_sound import MixedSound
from ..media.sound_file import SoundFile
from ..media.video import VideoWriter
from .settings import RenderingSettings


def assemble(
    path: str | Path,
    frames: Iterable[Tensor],
    fps: Fraction,
    *,
    waveform: Tensor | None = None,
    rate: int | None = None,
    sound: SoundFile | MixedSound | None = None,
    mark: bool = False,
    quality: int = RenderingSettings.quality,
) -> Path:
    """Batches (b,H,W,3) and a voice, (C,N) or a file, if any -> a video file, encoded as the frames come; errors leave
    none. Of frames with alpha, (b,H,W,4), .webm keeps it."""
    RenderingSettings.check("quality", quality)
    iterator = iter(frames)
    first = next(iterator, None)
    if first is None or len(first) == 0:
        raise ValueError("There are no frames to write.")
    audio = sound if waveform is None else (waveform, rate)
    kind = writer_of(path)
    with kind(path, fps=fps, audio=audio, mark=mark, crf=quality) as writer:
        for pictures in chain([first], iterator):
            writer.write(for_film(pictures, kind.channels))
    return Path(path)


def writer_of(path: str | Path) -> type[VideoWriter]:
    """What writes a film of this name: with alpha where the container has it."""
    return AlphaVideoWriter if Path(path).suffix.lower() in AlphaVideoWriter.containers else VideoWriter


def for_film(pictures: Tensor, channels: int) -> Tensor:
    """(...,H,W,3|4) -> (...,H,W,channels): opaque where alpha is wanted and there is none."""
    if pictures.shape[-1] < channels:
        pictures = F.pad(pictures, (0, 1), value=1.0)
    return pictures[..., :channels]
