"""The clips that methods are judged on, and their films in folders by the same names."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ....media.crop import resize
from ....media.photo import to_uint8
from ....media.sound_file import SoundFile, film_sound
from ....media.video import probe_video, read_video
from ....vocabulary import FPS, SAMPLES_A_FRAME
from ...datasets.manifest import Entry, read_manifest

SUFFIXES = (".mp4", ".mkv", ".mov", ".avi", ".webm")
MOST_SECONDS = 60.0


@dataclass(frozen=True)
class Sample:
    """A clip of the manifest under the name that its films have."""

    name: str
    entry: Entry


def read_samples(manifest: str | Path, split: str | None = "test", most: int | None = None) -> list[Sample]:
    """The films of a manifest's split, at most `most`, evenly spread. A film's name is its file's stem; where several
    clips are cut from one file, followed by "_" and the start in seconds. ValueError where there is none."""
    entries = [entry for entry in read_manifest(manifest, split) if entry.video is not None]
    if not entries:
        raise ValueError(f"{manifest} lists no film{f' of the split {split}' if split else ''}; name one that does")
    counts = Counter(entry.clip for entry in entries)
    samples = [
        Sample(entry.clip if counts[entry.clip] == 1 else f"{entry.clip}_{entry.start:.2f}", entry) for entry in entries
    ]
    twice = [name for name, count in Counter(sample.name for sample in samples).items() if count > 1]
    if twice:
        raise ValueError(f"{manifest} lists two films named {twice[0]}: their results could not be told apart")
    if most is not None and most < len(samples):
        samples = [samples[int(i)] for i in np.linspace(0, len(samples) - 1, most).round()]
    return samples


def read_truth(sample: Sample, size: int) -> np.ndarray:
    """The frames (T,size,size,3) uint8 of a clip itself, at 25 fps."""
    entry = sample.entry
    seconds = min(entry.seconds or MOST_SECONDS, MOST_SECONDS)
    return read_frames(entry.video, size, entry.start, seconds, probe_video(entry.video).zero)


def read_frames(
    path: Path, size: int, start: float = 0.0, seconds: float = MOST_SECONDS, zero: Fraction | None = None
) -> np.ndarray:
    """(T,size,size,3) uint8 at 25 fps. ValueError for pictures that are not square: they cannot be laid on others."""
    frames = []
    for frame in read_video(path, Fraction(FPS), start, round(seconds * FPS), zero):
        height, width = frame.shape[:2]
        if abs(height - width) > 2:
            raise ValueError(f"{path.name} is {width}x{height}: films that are judged are square; `prepare` cuts them")
        frames.append(to_uint8(frame if height == width == size else resize(frame, size, size)))
    return np.stack(frames)


def read_sound(sample: Sample, frames: int) -> Tensor | None:
    """The sound of a clip at 16 kHz (640 * frames,), with silence where it ends; None for a film without sound. A sound
    file of its own begins with the film. ValueError for a damaged one."""
    entry, seconds = sample.entry, frames / FPS
    if entry.audio is not None:
        sound = SoundFile(entry.audio, -Fraction(entry.start), seconds)
    else:
        info = probe_video(entry.video)
        if not info.has_audio:
            return None
        sound = film_sound(entry.video, info.zero, entry.start, seconds)
    mono = torch.zeros(0) if sound is None else sound.mono_16k()[0]
    length = frames * SAMPLES_A_FRAME
    return torch.nn.functional.pad(mono[:length], (0, max(0, length - len(mono))))


def films_in(folder: str | Path, samples: list[Sample]) -> dict[str, Path]:
    """{name: film} of the samples that a folder holds. FileNotFoundError for no folder or one that holds none."""
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: there is no such folder of films")
    there = {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES}
    found = {sample.name: there[sample.name] for sample in samples if sample.name in there}
    if not found:
        raise FileNotFoundError(
            f"{folder} holds no film named as a clip of the manifest, such as {samples[0].name}.mp4"
        )
    return found
