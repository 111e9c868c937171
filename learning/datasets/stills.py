"""Drawn stills: groups of two people making the same four faces, with exact labels.

`learning/corpus/stills.py` writes them."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...vocabulary import INSIDE_MOUTH, landmarks

FLOW_SCALE = 8192.0  # stored int16 = grid coordinate * 8192
FIELDS = ("rgb", "flow", "label", "param", "mark")
HALF_FIELDS = (*FIELDS, "bare", "bone", "part0")  # of half bodies
MOUTH_CORNERS = landmarks("mouth_left", "mouth_right")
EYE_CORNERS = landmarks("left_eye_outer", "right_eye_outer")


class Groups(NamedTuple):
    """N groups in the layout of the files: 2 people, frame 0 the source and frames 1..3 its targets."""

    rgb: Tensor  # (N,2,4,S,S,3) uint8
    flow: Tensor  # (N,2,3,128,128,2) int16 backward flow: source coordinates of each target pixel
    label: Tensor  # (N,2,3,128,128) uint8, visible | part << 1
    param: Tensor  # (N,2,4,24) float32
    mark: Tensor  # (N,2,4,40,2) float32 landmarks in [0,1]
    bare: Tensor | None = None  # as rgb: half bodies without arms, which flow and label describe
    bone: Tensor | None = None  # (N,2,4,128,128) uint8: 0, or 1 + the place in `ARM_BONES` of what rgb shows
    part0: Tensor | None = None  # (N,2,128,128) uint8 part of the source, of half bodies without arms

    def each(self, change: Callable[[Tensor], Tensor]) -> Groups:
        """What `change` makes of each array that is there."""
        return Groups(*(None if array is None else change(array) for array in self))

    def displacement(self) -> Tensor:
        """(N,2,3,2,128,128) float32 backward displacement in grid coordinates, in which the picture is 2 wide."""
        n = self.flow.shape[-2]
        centres = (torch.arange(n, device=self.flow.device) + 0.5) / n * 2 - 1
        y, x = torch.meshgrid(centres, centres, indexing="ij")
        return (self.flow.float() / FLOW_SCALE - torch.stack([x, y], -1)).movedim(-1, -3)

    def visible(self) -> Tensor:
        """(N,2,3,128,128) float32: 1 where the target's pixel can be seen in the source."""
        return (self.label & 1).float()

    def part(self) -> Tensor:
        """(N,2,3,128,128) uint8 part of the target (vocabulary.py numbers them)."""
        return self.label >> 1


def inside_mouth(part: Tensor) -> Tensor:
    """Part numbers (...) -> (...) float32: 1 on teeth, tongue and cavity."""
    return torch.isin(part, torch.tensor(INSIDE_MOUTH, device=part.device, dtype=part.dtype)).float()


class StillSet:
    """Groups from a folder of shards, read from disk when needed, or held in a GPU's memory."""

    def __init__(self, root: str | Path, device: str | torch.device | None = None):
        self.root = Path(root)
        self.folder = self.root / "stills" if (self.root / "stills").is_dir() else self.root
        self.shards: list[tuple[np.ndarray, ...]] = []
        self.stems: list[str] = []  # of the shards, in their order
        self.device = None if device is None or torch.device(device).type == "cpu" else torch.device(device)
        self.resident: Groups | None = None
        self.refresh()
        if not self.shards:
            raise FileNotFoundError(
                f"{self.root} holds no drawn stills: make some with `python -m mamba_portrait corpus --out {self.root}`"
            )

    def refresh(self) -> int:
        """Add shards finished since the last call (the corpus may be drawn during training); the number of groups."""
        new, self.fields = [], HALF_FIELDS if any(self.folder.glob("*_bare.npy")) else FIELDS
        for path in sorted(self.folder.glob("*_rgb.npy")):
            stem = path.name[: -len("_rgb.npy")]
            files = [self.folder / f"{stem}_{field}.npy" for field in self.fields]
            if stem not in self.stems and all(f.exists() for f in files):
                self.stems.append(stem)
                new.append(tuple(np.load(f, mmap_mode="r") for f in files))
        self.shards += new
        if self.device is not None and new:
            self._keep(new)
        return len(self)

    def _keep(self, shards: list[tuple[np.ndarray, ...]]) -> None:
        """Copy shards to the device field by field, so that at most one field is there twice during the copy."""
        fields = []
        for i in range(len(self.fields)):
            parts = [torch.from_numpy(np.array(shard[i])).to(self.device) for shard in shards]
            fields.append(torch.cat(parts if self.resident is None else [self.resident[i], *parts]))
        self.resident = Groups(*fields)

    def __len__(self) -> int:
        return sum(len(s[0]) for s in self.shards)

    def parameters(self) -> Tensor:
        """(N,24) of all pictures, on the device that holds them."""
        return self._all("param").flatten(0, 2)

    def landmarks(self) -> Tensor:
        """(N,40,2) of all pictures, likewise."""
        return self._all("mark").flatten(0, 2)

    def people(self) -> np.ndarray | None:
        """(groups,2) numbers of the people, where the corpus was drawn with several scenes of each, else None."""
        files = [self.folder / f"{stem}_person.npy" for stem in self.stems]
        return np.concatenate([np.load(file) for file in files]) if all(file.exists() for file in files) else None

    def _all(self, field: str) -> Tensor:
        """A whole field, (groups,2,4,...)."""
        if self.resident is not None:
            return getattr(self.resident, field)
        return torch.from_numpy(np.concatenate([shard[FIELDS.index(field)] for shard in self.shards]))

    def pictures(self, index: int) -> np.ndarray:
        """(2,4,S,S,3) uint8 of one group, without its labels, which need not be read."""
        for shard in self.shards:
            if index < len(shard[0]):
                return np.asarray(shard[0][index])
            index -= len(shard[0])
        raise IndexError("there are not so many groups")

    def get(self, indices: np.ndarray) -> Groups:
        """Groups by number, 0 <= index < len(self)."""
        if self.resident is not None:
            at = torch.as_tensor(indices, device=self.resident.rgb.device)
            return self.resident.each(itemgetter(at))
        starts = np.cumsum([0] + [len(s[0]) for s in self.shards])
        shard = np.searchsorted(starts, indices, side="right") - 1
        rows = [
            [self.shards[s][f][i - starts[s]] for s, i in zip(shard, indices, strict=True)]
            for f in range(len(self.fields))
        ]
        return Groups(*(torch.from_numpy(np.stack(r)) for r in rows))
