"""Frames of one person each, without labels, for stage 1: any films of a list of clips, and drawn stills as if they
were films.

A set gives `sample(rng, count)`: so many frames of a clip picked at random, and where there is one a twin, another
person who makes the same faces."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from ...media.video import probe_video, read_video
from .clip_files import clips_of, local_file
from .manifest import Entry, read_manifest
from .splits import check_training
from .stills import StillSet

FRAMES, RATE = 64, 8  # at most so many frames a clip, and so many a second: neighbours at 25 hardly differ
MEMORY = 1_500_000_000  # bytes of decoded clips that are kept


class Sample(NamedTuple):
    """Frames (N,S,S,3) uint8 of a clip; `twin`: another person's, who makes the same faces, or None."""

    frames: np.ndarray
    twin: np.ndarray | None = None


class FilmFrames:
    """The clips of a list (see `manifest.py`), or of a folder and its tar files, in squares of `size` pixels cut from
    their middles: `prepare` cuts films to their faces. People weigh the same, however many clips they have."""

    def __init__(self, path: str | Path, size: int, split: str = "train", memory: int = MEMORY):
        self.path, self.size, self.memory = Path(path), size, memory
        listed = _clips_in(self.path, split) if self.path.is_dir() else read_manifest(path, split)
        entries = [entry for entry in listed if entry.video is not None]
        if not entries:
            raise ValueError(f"{path} has no films, only sound, and the renderer learns from pictures.")
        self.people: dict[str, list[Entry]] = {}
        for entry in entries:
            self.people.setdefault(entry.speaker, []).append(entry)
        self._kept: OrderedDict[Entry, np.ndarray] = OrderedDict()
        self._used = 0

    def __len__(self) -> int:
        return sum(len(clips) for clips in self.people.values())

    def sample(self, rng: np.random.Generator, count: int) -> Sample:
        """`count` different frames in random order, with repetitions only of a clip that has fewer."""
        clips = self.people[sorted(self.people)[rng.integers(len(self.people))]]
        frames = self.frames(clips[rng.integers(len(clips))])
        return Sample(frames[rng.choice(len(frames), count, replace=len(frames) < count)])

    def frames(self, entry: Entry) -> np.ndarray:
        """(N,S,S,3) uint8 of a clip, N <= FRAMES, evenly spread over it. ValueError for a film that cannot be read."""
        if entry in self._kept:
            self._kept.move_to_end(entry)
            return self._kept[entry]
        frames = _decoded(entry, self.size)
        self._kept[entry] = frames
        self._used += frames.nbytes
        while self._used > self.memory and len(self._kept) > 1:
            self._used -= self._kept.popitem(last=False)[1].nbytes
        return frames


def _clips_in(folder: Path, split: str) -> list[Entry]:
    """The clips of a folder, or of tar files in it, that have a video: a corpus's painted ones, with the person in
    each, or those that `prepare` cut, of one split. Errors of `check_training` for who is held out."""
    entries = []
    for clip in clips_of(folder):
        video, meta = clip / "video.mp4", json.loads((clip / "meta.json").read_text("utf8"))
        if not video.exists():
            continue
        person = meta.get("person", clip.name)
        if "source" in meta:  # prepared from a film
            if meta["split"] != split:
                continue
            person = meta["speaker"]
            if split == "train":
                check_training(person, clip.name, folder)
        entries.append(Entry(video=video, speaker=person))
    return entries


def _decoded(entry: Entry, size: int) -> np.ndarray:
    with local_file(entry.video) as video:
        seconds = entry.seconds or max(probe_video(video).duration - entry.start, 1 / RATE)
        rate = Fraction(min(RATE, FRAMES / seconds)).limit_denominator(1000)
        count = max(1, min(FRAMES, int(seconds * rate)))
        pictures = read_video(video, rate or Fraction(1, 1000), entry.start, count)
        return np.stack([_square((picture.numpy() * 255).round().astype(np.uint8), size) for picture in pictures])


def _square(picture: np.ndarray, size: int) -> np.ndarray:
    """The middle of (H,W,3) uint8 at (size,size,3)."""
    side = min(picture.shape[:2])
    top, left = ((length - side) // 2 for length in picture.shape[:2])
    picture = np.ascontiguousarray(picture[top : top + side, left : left + side])
    return cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA if side > size else cv2.INTER_LINEAR)


class PlainStills:
    """Drawn stills with their labels hidden: the four pictures of a person are a film, with a twin."""

    def __init__(self, path: str | Path, size: int):
        self.stills, self.size = StillSet(path), size

    def __len__(self) -> int:
        return 2 * len(self.stills)

    def sample(self, rng: np.random.Generator, count: int) -> Sample:
        """As `FilmFrames.sample`; ValueError for more pictures than a person has."""
        pictures = self.pictures(int(rng.integers(len(self.stills))))
        if count > len(pictures[0]):
            raise ValueError(f"{count} frames of a drawn person are asked for, and there are {len(pictures[0])}")
        person, order = int(rng.integers(2)), rng.permutation(len(pictures[0]))[:count]
        return Sample(pictures[person][order], pictures[1 - person][order])

    def pictures(self, group: int) -> tuple[np.ndarray, np.ndarray]:
        """The frames (4,S,S,3) of both people of a group."""
        first, second = (np.stack([_square(frame, self.size) for frame in who]) for who in self.stills.pictures(group))
        return first, second


Frames = FilmFrames | PlainStills


def stacked(samples: Sequence[Sample]) -> tuple[np.ndarray, np.ndarray]:
    """Samples of N frames each -> (G,N,S,S,3) frames, and twins, where there is none the person's own."""
    frames = np.stack([sample.frames for sample in samples])
    return frames, np.stack([s.frames if s.twin is None else s.twin for s in samples])
