"""What the sync judge learns from: mouths and their sound, cut once and kept."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from ....files import whole_file
from ....media.audio import load_audio
from ....media.photo import to_uint8
from ....media.video import read_video
from ....pipelines.speaking import prepare_voice
from ....vocabulary import FPS, SAMPLE_RATE, SAMPLES_A_FRAME
from ...evaluation.sync.mouths import find_mouths

LOUDEST = 32767
SHORTEST = 25  # frames


@dataclass(frozen=True, eq=False)
class MouthClip:
    """mouths (T,48,64) uint8 at 25 fps and their sound (640*T,) int16 at 16 kHz."""

    speaker: str
    mouths: np.ndarray
    sound: np.ndarray


def read_clip(film: Path, cache: Path, speaker: str, late: float = 0.0) -> MouthClip | None:
    """The clip of one film, from `cache` or cut now; None where no face is found or it is shorter than a second.

    late: seconds by which the film's sound lies behind its picture, taken out here."""
    name = hashlib.sha256(f"{film.absolute()} {late}".encode()).hexdigest()[:16]
    path = cache / f"{name}.npz"
    if not path.exists():
        mouths = find_mouths(read_video(film, FPS))
        sound = prepare_voice(*load_audio(film)).waveform[0].numpy()[round(late * SAMPLE_RATE) :]
        frames = 0 if mouths is None else min(len(mouths), len(sound) // SAMPLES_A_FRAME)
        cut = to_uint8(mouths[:frames]) if frames else np.zeros((0, 1, 1), np.uint8)
        heard = (np.clip(sound[: frames * SAMPLES_A_FRAME], -1, 1) * LOUDEST).astype(np.int16)
        with whole_file(path) as part, open(part, "wb") as file:
            np.savez(file, mouths=cut, sound=heard)
    with np.load(path) as kept:
        mouths, sound = kept["mouths"], kept["sound"]
    return MouthClip(speaker, mouths, sound) if len(mouths) >= SHORTEST else None


def read_clips(films: Sequence[tuple[Path, str]], cache: str | Path, late: float = 0.0) -> list[MouthClip]:
    """`read_clip` of (film, speaker) pairs."""
    cache = Path(cache)
    cache.mkdir(parents=True, exist_ok=True)
    found = (read_clip(film, cache, speaker, late) for film, speaker in tqdm(films, desc="mouths", disable=None))
    return [clip for clip in found if clip is not None]


def window(clip: MouthClip, start: int, frames: int) -> tuple[torch.Tensor, torch.Tensor]:
    """mouths (frames,48,64) in [0,1] and sound (640*frames,) in [-1,1] from frame `start` on."""
    mouths = torch.from_numpy(clip.mouths[start : start + frames]).float() / 255
    sound = torch.from_numpy(clip.sound[start * SAMPLES_A_FRAME : (start + frames) * SAMPLES_A_FRAME]).float()
    return mouths, sound / LOUDEST
