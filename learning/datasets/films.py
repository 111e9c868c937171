"""Films of people who speak, with landmarks and phones: a folder of

    NAME.mkv or NAME.mp4    picture and sound
    NAME.TextGrid           its phones
    landmarks.npz           one array (T, K, 2 or 3) for each NAME: MediaPipe's face mesh, a row for each frame
    doubtful.txt            where there is one: names of clips to leave out, each at the start of a line

What stands before the first "_" of a name is the speaker; without one, the folder's name is. Or a list of clips
(manifest.py), whose lines name landmarks and TextGrids.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...media.mesh_parameters import CORNERS, EYES, LIPS
from .manifest import SUFFIXES as LISTS
from .manifest import Entry, clip_of, read_manifest
from .splits import split_of

SUFFIXES = (".mkv", ".mp4", ".mov", ".avi")


@dataclass(frozen=True)
class Film:
    """One clip: opening between the inner lips and width of the mouth, (T,) float32, in distances of the outer corners
    of the eyes (the clip's median)."""

    speaker: str
    path: Path
    opening: np.ndarray
    width: np.ndarray
    textgrid: Path | None = None  # where it does not lie beside the film
    listed: str = ""  # the split that a list gives

    @property
    def phones(self) -> Path:
        """Its TextGrid."""
        return self.textgrid or self.path.with_suffix(".TextGrid")

    @property
    def name(self) -> str:
        """The clip's name."""
        return clip_of(self.path)

    @property
    def split(self) -> str:
        """train, val, or test for what is held out of every training."""
        return self.listed or split_of(self.speaker, self.name)


def speaker_of(path: Path) -> str:
    """The speaker of a film, from its name or its folder's."""
    return path.stem.split("_")[0] if "_" in path.stem else path.parent.name


def read_films(folders: Sequence[str | Path], leave_out: Sequence[str] = (), training: bool = False) -> list[Film]:
    """All films of the folders and lists that have a TextGrid and landmarks, in the order of their names, but for the
    speakers `leave_out` and, for `training`, all that is not of the split train. FileNotFoundError for a folder or a
    list that holds none, ValueError for a list that is not right."""
    films = []
    for folder in map(Path, folders):
        found = _read_list(folder) if folder.suffix.lower() in LISTS else _read_folder(folder)
        if not found:
            raise FileNotFoundError(f"{folder} holds no film with a TextGrid beside it and a row in landmarks.npz")
        films += [film for film in found if film.speaker not in leave_out]
    return [film for film in films if not training or film.split == "train"]


def _read_folder(folder: Path) -> list[Film]:
    if not (folder / "landmarks.npz").is_file():
        return []
    left_out, films = _doubtful(folder), []
    with np.load(folder / "landmarks.npz") as landmarks:
        for path in sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES):
            if path.stem in left_out or path.stem not in landmarks or not path.with_suffix(".TextGrid").is_file():
                continue
            films.append(Film(speaker_of(path), path, *measure_lips(landmarks[path.stem][..., :2].astype(np.float32))))
    return films


def _doubtful(folder: Path) -> set[str]:
    """The names in doubtful.txt."""
    file = folder / "doubtful.txt"
    lines = file.read_text("utf8").splitlines() if file.is_file() else []
    return {line.split()[0] for line in lines if line.split()}


def _read_list(path: Path) -> list[Film]:
    films = []
    for entry in read_manifest(path):
        if entry.video and entry.textgrid and entry.landmarks:
            lips = measure_lips(read_landmarks(entry)[..., :2].astype(np.float32))
            films.append(Film(entry.speaker, entry.video, *lips, textgrid=entry.textgrid, listed=entry.split))
    return films


def read_landmarks(entry: Entry) -> np.ndarray:
    """Landmarks (T,K,2 or 3) of a list's clip. ValueError where its file has none of that name."""
    loaded = np.load(entry.landmarks)
    if isinstance(loaded, np.ndarray):
        return loaded
    with loaded:
        if entry.clip not in loaded:
            raise ValueError(f"{entry.landmarks} holds no landmarks named {entry.clip}.")
        return loaded[entry.clip]


def measure_lips(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Landmarks (T,K,2) -> opening and width (T,) in the median distance of the eyes' outer corners."""

    def apart(pair: tuple[int, int]) -> np.ndarray:
        return np.linalg.norm(points[:, pair[0]] - points[:, pair[1]], axis=1)

    eyes = np.median(apart(EYES))
    return apart(LIPS) / eyes, apart(CORNERS) / eyes


def rest_of(films: Sequence[Film], before: Sequence[float]) -> tuple[float, float]:
    """A person's rest: the median opening and width over the frames before the first sound of each of the films (which
    begins after `before` seconds), of which the last .1 s are left out, since lips part to breathe in."""
    opening, width = [], []
    for film, seconds in zip(films, before, strict=True):
        stop = max(1, round((seconds - 0.1) * 25))
        opening.append(film.opening[:stop])
        width.append(film.width[:stop])
    return float(np.median(np.concatenate(opening))), float(np.median(np.concatenate(width)))
