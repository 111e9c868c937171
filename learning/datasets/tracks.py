"""Talking clips as training data of stage 2: audio and its motion, cut into windows.

A clip is a folder with audio.wav (16 kHz mono, 16 bit), meta.json, and either labels.npz (`parameters` (T, 24) of a
drawn head, (T, 34) of a half body) or a motion file ((T, 768), a real video read by the motion encoder;
learning/training/motion_model/clips.py). Folders may be packed into tar files (clip_files.py).
"""

from __future__ import annotations

import json
import wave
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...vocabulary import COUNT, INDEX, REGIONS, SAMPLE_RATE, SAMPLES_A_FRAME
from .batch_slice import BatchSlice
from .clip_files import ClipFiles, beside, clips_of
from .splits import check_training

MOUTH = [INDEX[name] for name in REGIONS["mouth"]]

Augment = Callable[[np.ndarray, np.random.Generator], np.ndarray]
Music = Callable[[int, np.random.Generator], np.ndarray]
"""audio (N,) float32 and a random generator -> audio of the same length and timing."""


@dataclass(frozen=True)
class Track:
    """One clip. `values` (T, 24), of half bodies (T, 34), are parameters where `drawn`, else (T, 768) motion."""

    folder: ClipFiles
    values: np.ndarray
    drawn: bool
    augmented: bool
    share: float = 1.0  # how often a frame of it is taken, beside those of other clips

    def audio(self, start: int, stop: int) -> np.ndarray:
        """Samples of frames start .. stop as float32 in [-1, 1], zeros outside the clip."""
        with (self.folder / "audio.wav").open("rb") as opened, wave.open(opened) as file:
            first, last = max(start * SAMPLES_A_FRAME, 0), min(stop * SAMPLES_A_FRAME, file.getnframes())
            file.setpos(min(first, file.getnframes()))
            inside = np.frombuffer(file.readframes(max(last - first, 0)), "<i2").astype(np.float32) / 32768
        audio = np.zeros((stop - start) * SAMPLES_A_FRAME, np.float32)
        audio[first - start * SAMPLES_A_FRAME :][: len(inside)] = inside
        return audio

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Values of frames start .. stop; the first and the last are repeated outside the clip."""
        return self.values[np.clip(np.arange(start, stop), 0, len(self.values) - 1)]


def load_tracks(root: str | Path, split: str | None = "train", motion_file: str = "motion.npy") -> list[Track]:
    """All clips of one split, None = all, that have audio and either labels or a motion file.

    Raises FileNotFoundError when there is none, ValueError naming a clip whose audio is not 16 kHz mono 16 bit, or of
    somebody held out of training in another split than test.
    """
    tracks = []
    for clip in clips_of(root):
        meta = json.loads((clip / "meta.json").read_text("utf8"))
        if split is not None and meta.get("split", "train") != split:
            continue
        if split in ("train", "val"):
            check_training(meta.get("speaker", ""), clip.name, clip)
        drawn, motion = (clip / "labels.npz").exists(), beside(clip, motion_file)
        if not (drawn or motion.exists()) or not (clip / "audio.wav").exists():
            continue
        with (clip / "audio.wav").open("rb") as opened, wave.open(opened) as file:
            if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (SAMPLE_RATE, 1, 2):
                raise ValueError(f"{clip / 'audio.wav'} is not 16 kHz mono 16 bit; convert it with `prepare`")
        if drawn:
            with (clip / "labels.npz").open("rb") as file, np.load(file) as labels:
                values = labels["parameters"].astype(np.float32)
        else:
            values = np.load(motion, mmap_mode="r")
        tracks.append(Track(clip, values, drawn, bool(meta.get("augmented", False)), meta.get("share", 1.0)))
    if not tracks:
        kind = f" of split {split!r}" if split else ""
        raise FileNotFoundError(
            f"{root} holds no talking clips{kind}: draw some with `python -m mamba_portrait corpus --out {root}`"
        )
    return tracks


class TrackBatch(NamedTuple):
    """Windows of W frames, each after 4 frames of history and within `margin` frames of audio on either side."""

    audio: Tensor  # (B, (margin + W + margin) * 640)
    parameters: Tensor  # (B, 4 + W, 24), of half bodies 34, zeros for real clips
    motion: Tensor | None  # (B, 4 + W, 768), zeros for drawn clips; None when all are drawn
    drawn: Tensor  # (B,) bool
    begins: Tensor  # (B,) bool: the window opens its clip and has no history
    margin: int

    def to(self, device: torch.device | str) -> TrackBatch:
        """The same on a device."""
        return TrackBatch(*(part.to(device) if isinstance(part, Tensor) else part for part in self))


class TrackBatches(torch.utils.data.Dataset):
    """Slices of batches of windows, each a pure function of its samples' numbers, the step and the seed.

    All windows of a batch have one length. A `silent` share of the samples is near-silence over a mouth and arms at
    rest (the rest of the motion as it is): pauses of speech teach parted lips, and only long silence teaches closed
    ones. With `music` (samples, generator -> (samples,) of root mean square 1) half of them are music, to which a mouth
    rests too.
    """

    WINDOWS = (16, 32, 48, 80)
    SHARES = (0.15, 0.15, 0.2, 0.5)

    def __init__(
        self,
        tracks: list[Track],
        *,
        history: int = 4,
        margin: int = 20,
        augment: Augment | None = None,
        augment_share: float = 0.5,
        silent: float = 0.04,
        music: Music | None = None,
    ):
        self.tracks, self.history, self.margin, self.music = tracks, history, margin, music
        self.augment, self.augment_share, self.silent = augment, augment_share, silent
        # a clip is chosen by its length and its share
        self.ends = np.cumsum([track.share * len(track.values) for track in tracks])
        self.parameters = max((t.values.shape[1] for t in tracks if t.drawn), default=COUNT)
        self.motion_width = max((t.values.shape[1] for t in tracks if not t.drawn), default=0)

    def __getitem__(self, part: BatchSlice) -> TrackBatch:
        window = int(part.rng_of_batch().choice(self.WINDOWS, p=self.SHARES))
        samples = [self._sample(window, part.rng(sample)) for sample in part.samples]
        tracks, audio, values, begins = (list(column) for column in zip(*samples, strict=True))
        drawn = np.array([track.drawn for track in tracks])
        shape = (len(part), self.history + window)
        parameters = np.zeros((*shape, self.parameters), np.float32)
        motion = np.zeros((*shape, self.motion_width), np.float32) if self.motion_width else None
        for i, rows in enumerate(values):
            (parameters if drawn[i] else motion)[i] = rows
        return TrackBatch(
            torch.from_numpy(np.stack(audio)),
            torch.from_numpy(parameters),
            None if motion is None else torch.from_numpy(motion),
            torch.from_numpy(drawn),
            torch.tensor(begins),
            self.margin,
        )

    def _sample(self, window: int, rng: np.random.Generator) -> tuple[Track, np.ndarray, np.ndarray, bool]:
        """A clip, a window's audio and values, and whether the window opens the clip."""
        track = self.tracks[int(np.searchsorted(self.ends, rng.random() * self.ends[-1], side="right"))]
        start = int(rng.integers(max(len(track.values) - window, 0) + 1))
        audio = track.audio(start - self.margin, start + window + self.margin)
        values = track.rows(start - self.history, start + window)
        if track.drawn and rng.random() < self.silent:
            values = values.copy()
            values[:, MOUTH] = 0
            values[:, COUNT:] = 0
            audio = self._nothing_said(len(audio), rng)
        elif self.augment is not None and not track.augmented and rng.random() < self.augment_share:
            audio = np.asarray(self.augment(audio, rng), np.float32)
        return track, audio, values, start < self.history

    def _nothing_said(self, samples: int, rng: np.random.Generator) -> np.ndarray:
        """Noise of -100 to -60 dB, or music of -45 to -12 dB."""
        if self.music is not None and rng.random() < 0.5:
            return (10 ** (rng.uniform(-45, -12) / 20) * self.music(samples, rng)).clip(-1, 1).astype(np.float32)
        return (10 ** (rng.uniform(-100, -60) / 20) * rng.standard_normal(samples)).astype(np.float32)


def track_loader(batches: TrackBatches, slices: Iterable[BatchSlice], workers: int = 0) -> torch.utils.data.DataLoader:
    """A batch for each slice; with workers > 0 made in other processes, in the same order."""
    ahead = 4 if workers else None
    return torch.utils.data.DataLoader(batches, None, sampler=slices, num_workers=workers, prefetch_factor=ahead)
