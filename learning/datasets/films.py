"""Films of people who speak, with landmarks and phones: a folder of

    NAME.mkv or NAME.mp4    picture and sound
    NAME.TextGrid           its phones
    landmarks.npz           one array (T, K, 2 or 3) for each NAME: MediaPipe's face mesh, a row for each frame
    doubtful.txt            where there is one: names of clips to leave out, each at the start of a line

What stands before the first "_" of a name is the speaker; without one, the folder's name is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SUFFIXES = (".mkv", ".mp4", ".mov", ".avi")
EYES, LIPS, CORNERS = (33, 263), (13, 14), (61, 291)  # in the mesh's numbering


@dataclass(frozen=True)
class Film:
    """One clip: opening between the inner lips and width of the mouth, (T,) float32, in distances of the outer corners
    of the eyes (the clip's median)."""

    speaker: str
    path: Path
    opening: np.ndarray
    width: np.ndarray

    @property
    def phones(self) -> Path:
        """Its TextGrid."""
        return self.path.with_suffix(".TextGrid")


def speaker_of(path: Path) -> str:
    """The speaker of a film, from its name or its folder's."""
    return path.stem.split("_")[0] if "_" in path.stem else path.parent.name


def read_films(folders: Sequence[str | Path], leave_out: Sequence[str] = ()) -> list[Film]:
    """All films of the folders that have a TextGrid and landmarks, in the order of their names, but for the speakers
    `leave_out`. FileNotFoundError for a folder that holds none."""
    films = []
    for folder in map(Path, folders):
        found = _read_folder(folder)
        if not found:
            raise FileNotFoundError(f"{folder} holds no film with a TextGrid beside it and a row in landmarks.npz")
        films += [film for film in found if film.speaker not in leave_out]
    return films


def _read_folder(folder: Path) -> list[Film]:
    if not (folder / "landmarks.npz").is_file():
        return []
    doubtful = folder / "doubtful.txt"
    left_out = (
        {line.split()[0] for line in doubtful.read_text("utf8").splitlines() if line.split()}
        if (doubtful.is_file())
        else set()
    )
    films = []
    with np.load(folder / "landmarks.npz") as landmarks:
        for path in sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES):
            if path.stem in left_out or path.stem not in landmarks or not path.with_suffix(".TextGrid").is_file():
                continue
            points = landmarks[path.stem][..., :2].astype(np.float32)
            films.append(Film(speaker_of(path), path, *measure_lips(points)))
    return films


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
