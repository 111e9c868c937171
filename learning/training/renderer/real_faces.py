"""Real faces for the motion encoder: photographs and frames of films, with what MediaPipe's face mesh says of them.

    python -m mamba_portrait.learning.training.renderer.real_faces --drawn data/train --photographs DIR --films DIR \\
        --out data/faces

Photographs are a folder; films are folders with landmarks (learning/datasets/films.py) or lists of clips. Who is held
out of every training (learning/datasets/splits.py) is left out, or with --held-out is what is written, to measure on.
The mesh also looks at drawn stills, whose labels are exact: that is how its points become the corpus's labels
(mesh_labels.py). MediaPipe lies beside the pack or in the environment of `make judge`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from ....media.faces import NoFaceError
from ....media.photo import load_photo, to_uint8
from ....media.video import read_video
from ....pipelines.framing import frame_portrait
from ....sampling.settings import Range
from ...datasets.face_groups import FaceGroups
from ...datasets.films import SUFFIXES, read_landmarks, speaker_of
from ...datasets.manifest import SUFFIXES as LISTS
from ...datasets.manifest import read_manifest
from ...datasets.splits import held_out, split_of
from ...datasets.stills import StillSet
from ...evaluation.face_mesh import FaceMesh, media_pipe
from .mesh_labels import MeshLabels, seen

SIDE = 192  # pixels of the pictures, where nothing else is asked for
WIDER = 1.15  # than a portrait's crop, so that training can move the crop
DRAWN = 1200  # drawn pictures that the mesh looks at
SMALLEST = 200  # of them, with a face that the mesh sees
PICTURES = (".jpg", ".jpeg", ".png", ".webp")
AGAIN = 3  # groups in which each portrait stands, each time with other people


@dataclass(frozen=True)
class Clip:
    """A film, its person, and its meshes (T,478,2) in pixels of its pictures."""

    video: Path
    speaker: str
    split: str
    landmarks: np.ndarray


def fit_labels(drawn: str | Path, mesh: FaceMesh, pictures: int = DRAWN) -> MeshLabels:
    """What the mesh says of drawn stills against their labels. ValueError where it sees too few faces."""
    stills = StillSet(drawn)
    rows: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for index in tqdm(range(min(len(stills), pictures // 8)), desc="drawn faces", unit="group"):
        group = stills.get(np.array([index]))
        for rgb, mark, parameters in zip(
            group.rgb.flatten(0, 2), group.mark.flatten(0, 2), group.param.flatten(0, 2), strict=True
        ):
            found = mesh(rgb.numpy())
            if found is not None:
                rows.append((found, mark.numpy(), parameters.numpy()))
    if len(rows) < SMALLEST:
        raise ValueError(
            f"The face mesh sees {len(rows)} of the drawn faces of {drawn}, and needs {SMALLEST}: draw more of them, "
            "256 pixels wide (corpus --stills 150 --size 256)."
        )
    return MeshLabels.fit(*(np.stack(column) for column in zip(*rows, strict=True)))


def photographs(
    folder: Path, mesh: FaceMesh, judged: bool, side: int = SIDE
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Crops (S,S,3) uint8 around the face of each photograph, and its mesh (478,2) in [0,1]; those held out of every
    training for `judged`, else the others. Photographs without a face are left out."""
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in PICTURES)
    if not files:
        raise FileNotFoundError(f"{folder} holds no photographs ({', '.join(PICTURES)}).")
    for file in tqdm(files, desc="photographs", unit="photo"):
        if held_out(f"portraits/{file.stem}") != judged:
            continue
        try:
            portrait = frame_portrait(load_photo(file), scale=1.86 * WIDER).picture
        except NoFaceError:
            continue
        picture = _sized(to_uint8(portrait), side)
        found = mesh(picture)
        if found is not None:
            yield picture, found


def read_clips(folders: Sequence[str | Path], judged: bool) -> list[Clip]:
    """The clips with landmarks of folders and lists, of the split test for `judged`, else of train."""
    wanted, clips = "test" if judged else "train", []
    for folder in map(Path, folders):
        if folder.suffix.lower() in LISTS:
            entries = (e for e in read_manifest(folder) if e.video and e.landmarks and not e.start)
            clips += [Clip(e.video, e.speaker, e.split, read_landmarks(e)) for e in entries]
            continue
        with np.load(folder / "landmarks.npz") as landmarks:
            for file in sorted(f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES and f.stem in landmarks):
                speaker = speaker_of(file)
                clips.append(Clip(file, speaker, split_of(speaker, file.stem), landmarks[file.stem]))
    return [clip for clip in clips if clip.split == wanted]


def film_frames(clip: Clip, rng: np.random.Generator, side: int = SIDE) -> tuple[np.ndarray, np.ndarray]:
    """Four frames of a clip (4,S,S,3) uint8 in random order, the mouth widest open and most closed among them, and
    their meshes (4,478,2) in [0,1]."""
    pictures = [to_uint8(picture) for picture in read_video(clip.video)]
    count = min(len(pictures), len(clip.landmarks))
    meshes = clip.landmarks[:count, :, :2].astype(np.float32) / pictures[0].shape[0]
    opening = seen(meshes).opening
    others = rng.choice(count, 2, replace=count < 2)
    chosen = rng.permutation([int(opening.argmax()), int(opening.argmin()), *others])
    return np.stack([_sized(pictures[i], side) for i in chosen]), meshes[chosen]


def write_faces(
    drawn: str | Path,
    portraits: Path | None,
    films: Sequence[str | Path],
    out: Path,
    judged: bool,
    clips: int,
    side: int = SIDE,
) -> FaceGroups:
    """Make out/faces.npz of pictures of so many pixels a side; of each person on film at most `clips` clips."""
    mesh, rng = media_pipe(), np.random.default_rng(0)
    labels = fit_labels(drawn, mesh)
    rgb, meshes, people = [], [], []
    if portraits:
        pictures, found = (np.stack(column) for column in zip(*photographs(portraits, mesh, judged, side), strict=True))
        for _ in range(1 if judged else AGAIN):
            order = rng.permutation(len(pictures))
            order = order[: len(order) // 4 * 4].reshape(-1, 4)
            rgb += list(pictures[order])
            meshes += list(found[order])
            people += [-1] * len(order)
    every = read_clips(films, judged)
    names = sorted({clip.speaker for clip in every})
    for number, name in enumerate(names):
        own = [clip for clip in every if clip.speaker == name]
        for i in tqdm(rng.permutation(len(own))[:clips], desc=name, unit="clip"):
            frames, found = film_frames(own[i], rng, side)
            rgb.append(frames)
            meshes.append(found)
            people.append(number)
    if not rgb:
        raise ValueError("There is nobody to learn from: give --photographs or --films with people of this split.")
    flat = np.stack(meshes).reshape(-1, *meshes[0].shape[1:])
    looks, marks = seen(flat), labels.marks(flat)
    columns = [looks.opening, looks.width, *looks.lids.T]
    columns += [np.polyval(labels.yaw, looks.turn), np.polyval(labels.roll, looks.roll)]
    table = np.stack(columns, 1).astype(np.float32)
    shape = (len(rgb), 4)
    groups = FaceGroups(
        np.stack(rgb),
        marks.reshape(*shape, *marks.shape[1:]),
        table.reshape(*shape, -1),
        np.array(people),
        labels.lips.astype(np.float32),
    )
    groups.save(out)
    return groups


def _sized(picture: np.ndarray, side: int) -> np.ndarray:
    interpolation = cv2.INTER_AREA if len(picture) > side else cv2.INTER_LINEAR
    return cv2.resize(np.ascontiguousarray(picture), (side, side), interpolation=interpolation)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Real faces with landmarks, for the motion encoder.")
    parser.add_argument("--drawn", required=True, metavar="DIR", help="drawn stills, 256 pixels wide")
    parser.add_argument("--photographs", type=Path, metavar="DIR", help="photographs of one face each")
    parser.add_argument("--films", nargs="*", default=[], metavar="FOLDER", help="films with landmarks; or lists")
    parser.add_argument(
        "--clips",
        type=Range(1, 1_000_000).read,
        default=150,
        metavar="N",
        help="of a person on film at most (%(default)s)",
    )
    parser.add_argument(
        "--side",
        type=Range(16, 2048).read,
        default=SIDE,
        metavar="PIXELS",
        help="of the pictures (%(default)s); 256 to learn mouths from them",
    )
    parser.add_argument("--held-out", action="store_true", help="write those who judge, instead of those who teach")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR")
    options = parser.parse_args(arguments)
    groups = write_faces(
        options.drawn, options.photographs, options.films, options.out, options.held_out, options.clips, options.side
    )
    films = int((groups.person >= 0).sum())
    print(f"{len(groups.rgb)} groups in {options.out}, {films} of them from films")


if __name__ == "__main__":
    main()
