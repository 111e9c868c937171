"""Stills of people of photos, in the layout of `corpus.stills`: groups of two people who make the same faces.

A pair of photos makes `rounds` consecutive groups. Expressions are those of drawn people. The pose that the photo shows
is added to that of every frame, as for a drawn twin: so sources look much like the photo, and changes are the same for
both. Frames show a window of the photo, another one for each group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ....vocabulary import COUNT, INDEX, LANDMARKS
from ..acting.expressions import random_group
from ..drawing.rasterizer import LABEL_SIZE
from ..stills import FIELDS, parts_of, write_change, write_shard
from .drawing import PhotoRasterizer, Window
from .fitting import fit_face
from .mesh_places import MeshPlaces
from .person import PhotoPerson

_TURNS = [INDEX[name] for name in ("yaw", "pitch", "roll")]
_FURTHEST = np.array([0.62, 0.40, 0.35], np.float32)  # of a frame's turn: photos do not show the sides of heads
_BESIDE = np.array([0.05, 0.03, 0.02], np.float32)  # deviation of a group's turn from the photo's
_SMALLEST = 0.8  # window
_SEED = 71  # tells the seeds of photos from those of drawn people


class Photos(NamedTuple):
    """N photos: rgb (N,S,S,3) uint8, matte (N,S,S) uint8, mesh (N,478,2) float32 in [0,1]."""

    rgb: np.ndarray
    matte: np.ndarray
    mesh: np.ndarray

    def person(self, number: int, places: MeshPlaces) -> PhotoPerson:
        """The person of a photo."""
        rgb, matte, mesh = (field[number] for field in self)
        return PhotoPerson(places, fit_face(places, mesh), rgb, matte.astype(np.float32) / 255, mesh)


def pairs(photos: int, seed: int) -> np.ndarray:
    """(photos // 2, 2): which photos make groups together."""
    order = np.random.default_rng([_SEED, seed]).permutation(photos)
    return order[: photos // 2 * 2].reshape(-1, 2)


def draw_pair(
    rasterizer: PhotoRasterizer, photos: Photos, places: MeshPlaces, pair: np.ndarray, rounds: int, seed: Sequence[int]
) -> Iterator[dict[str, np.ndarray]]:
    """The arrays (2,...) of each of a pair's groups, keyed as `corpus.stills.FIELDS`."""
    groups = [_empty(rasterizer.size) for _ in range(rounds)]
    for twin, number in enumerate(pair):
        person = photos.person(int(number), places)
        rasterizer.set_person(person)
        for k, group in enumerate(groups):
            states = random_group(np.random.default_rng([_SEED, *seed, k]))
            rng = np.random.default_rng([_SEED, *seed, k, twin])
            turns = states[:, _TURNS] + person.parameters[_TURNS] + rng.normal(size=3) * _BESIDE
            states[:, _TURNS] = np.clip(turns, -_FURTHEST, _FURTHEST)
            side = rng.uniform(_SMALLEST, 1)
            window = (*rng.uniform(0, 1 - side, 2), side)
            _draw_frames(rasterizer, states, window, {name: array[twin] for name, array in group.items()})
    yield from groups


def _empty(size: int) -> dict[str, np.ndarray]:
    n = LABEL_SIZE
    return {
        "flow": np.empty((2, 3, n, n, 2), np.int16), "label": np.empty((2, 3, n, n), np.uint8),
        "part0": np.empty((2, n, n), np.uint8), "param": np.empty((2, 4, COUNT), np.float32),
        "mark": np.empty((2, 4, len(LANDMARKS), 2), np.float32), "rgb": np.empty((2, 4, size, size, 3), np.uint8),
    }  # fmt: skip


def _draw_frames(rasterizer: PhotoRasterizer, states: np.ndarray, window: Window, into: dict[str, np.ndarray]) -> None:
    """Draw the four frames and labels of the rasterizer's person into views of a group's arrays."""
    into["param"][...] = states
    source_label = source = None
    for frame, state in enumerate(states):
        into["rgb"][frame], label, clip, into["mark"][frame] = rasterizer.draw(state, source, window)
        if frame == 0:
            source_label, source = label, clip
            into["part0"][...] = parts_of(label)
            continue
        write_change(into, frame, label, source_label)


def draw_photo_stills(
    out: str | Path,
    photos: Photos,
    places: MeshPlaces,
    rounds: int = 2,
    seed: int = 0,
    size: int = 128,
    shard: int = 32,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Draw all pairs of the photos to `out`/stills, `shard` groups a file, those that are there already left out; the
    number of groups. `progress(done, total)` is called in groups. ValueError for fewer than two photos."""
    together = pairs(len(photos.rgb), seed)
    if not len(together):
        raise ValueError(f"groups are of two people, and there are {len(photos.rgb)} photos")
    folder = Path(out) / "stills"
    folder.mkdir(parents=True, exist_ok=True)
    a_shard, rasterizer = max(1, shard // rounds), None
    for start in range(0, len(together), a_shard):
        paths = {name: folder / f"{start // a_shard:06d}_{name}.npy" for name in FIELDS}
        chosen = range(start, min(start + a_shard, len(together)))
        if not all(path.exists() for path in paths.values()):
            rasterizer = rasterizer or PhotoRasterizer(size)
            groups = []
            for number in chosen:
                groups += draw_pair(rasterizer, photos, places, together[number], rounds, (seed, number))
            write_shard(paths, {name: np.stack([group[name] for group in groups]) for name in paths})
        if progress:
            progress(chosen.stop * rounds, len(together) * rounds)
    return len(together) * rounds
