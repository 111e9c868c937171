"""The motion encoder's losses on real faces, beside those on drawn ones (motion_space.py).

Landmarks place the encoder's keypoints. What they determine of the parameters is asked for as measures, not as
parameters, since faces differ in what opens a mouth: the opening that the drawn mesh shows for the parameters read must
be the opening that the mesh sees. Width and lids differ between people, so only their changes within a film count. Of
pictures without a face nothing outside of the corpus's ranges should be read.

    python -m mamba_portrait.learning.training.renderer.faces_task FILE ... --faces DIR --drawn DIR

measures renderers on faces that were held out.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ....model_loaders.checkpoint import load_renderer
from ....networks.renderer.layers import resize
from ....networks.renderer.model import Renderer
from ....vocabulary import INDEX
from ...datasets.batch_slice import BatchSlice, Draws
from ...datasets.face_groups import LOOKS, FaceGroups, read_face_groups
from ...datasets.stills import StillSet
from .augment import jostle, vary
from .losses import total
from .mesh_labels import KNOWN, WIDE_MOUTH, mouth_terms
from .motion_space import MotionSpaceTask, MotionSpaceWeights, off, off_each
from .strange import strange_pictures, strangeness

ZOOM, SHIFT = 0.12, 0.05  # of the pictures' scale and place: real crops are less even than drawn ones
PORTRAITS = 0.5  # of the groups, the rest are films'
CLOSED = 0.03  # of a wide mouth: the mesh's own error
BLINKS, YAW, ROLL = [INDEX["blink_left"], INDEX["blink_right"]], INDEX["yaw"], INDEX["roll"]


@dataclass(frozen=True)
class FaceWeights:
    """Of each term, beside `MotionSpaceWeights`."""

    marks: float = 40.0
    mark_moves: float = 40.0
    opening: float = 4.0
    width: float = 2.0
    lids: float = 1.0
    turn: float = 2.0
    strange: float = 1.0


class Faces(NamedTuple):
    """N groups of real faces as the losses take them."""

    images: Tensor  # (N,4,3,S,S) in [0,1]
    marks: Tensor  # (4N,40,2)
    looks: Tensor  # (N,4,6)
    same: Tensor  # (N,) float, 1 for four frames of one person
    strange: Tensor | None = None  # (N,3,S,S) pictures without a face


class FacesTask(MotionSpaceTask):
    """Beside every drawn group, which has two people, stands a real one."""

    def __init__(
        self, renderer: Renderer, stills: StillSet, faces: FaceGroups, weights: MotionSpaceWeights | None = None
    ):
        super().__init__(renderer, stills, weights)
        self.adversary = None
        self.faces, self.face_weights = faces, FaceWeights()
        self.lips = torch.from_numpy(faces.lips).to(self.device)
        people = sorted(set(faces.person.tolist()) - {-1})
        films = [np.flatnonzero(faces.person == person) for person in people]
        portraits = np.flatnonzero(faces.person == -1)
        self.kinds = [kind for kind in ([portraits] if len(portraits) else [], films) if kind]

    def batches(self, slices: Iterator[BatchSlice]) -> Iterator[tuple[tuple[Tensor, Tensor, Tensor], Faces]]:
        """(drawn, real): people on film weigh the same."""
        for part in slices:
            drawn = next(super().batches(iter([part])))
            picks = [self._pick(part.rng(sample)) for sample in part.samples]
            draws = part.draws(self.device)
            yield drawn, self.real(np.array(picks), draws)._replace(strange=strange_pictures(draws, self.size))

    def _pick(self, rng: np.random.Generator) -> int:
        kind = self.kinds[0 if len(self.kinds) == 1 or rng.random() < PORTRAITS else 1]
        who = kind[rng.integers(len(kind))]
        return int(who[rng.integers(len(who))])

    def real(self, indices: np.ndarray, draws: Draws | None) -> Faces:
        """Groups by number; with draws, as other cameras would have them: those of one film in the same way."""
        faces = self.faces
        images = torch.from_numpy(faces.rgb[indices]).to(self.device).flatten(0, 1).permute(0, 3, 1, 2).float() / 255
        marks = torch.from_numpy(faces.mark[indices]).to(self.device).flatten(0, 1)
        if draws is not None:
            images, marks = jostle(images, marks, draws, shared=4, zoom=ZOOM, move=SHIFT)
            images = vary(images, draws, shared=4)
        images = resize(images, self.size).unflatten(0, (-1, 4))
        looks = torch.from_numpy(faces.looks[indices]).to(self.device)
        same = torch.from_numpy((faces.person[indices] >= 0).astype(np.float32)).to(self.device)
        return Faces(images, marks, looks, same)

    def losses(self, batch: tuple[Any, Faces], progress: float = 0.0) -> dict[str, Tensor]:
        """A batch -> unweighted terms of both, and their weighted sum."""
        drawn = super().losses(batch[0], progress)
        terms = self.face_terms(batch[1])
        loss = drawn.pop("loss") + total(terms, self.face_weights)
        return drawn | {f"faces/{name}": value for name, value in terms.items()} | {"loss": loss}

    def face_terms(self, faces: Faces) -> dict[str, Tensor]:
        """The terms of `FaceWeights`, unweighted."""
        seen = self.renderer.motion_encoder.encode_with_keypoints(faces.images.flatten(0, 1))
        read = self.renderer.read_parameters(seen.motion)
        lips = (mouth_terms(read) @ self.lips).unflatten(0, (-1, 4)) / WIDE_MOUTH
        read = read.unflatten(0, (-1, 4))
        looks = {name: faces.looks[..., i] for i, name in enumerate(LOOKS)}
        error = (seen.points - faces.marks)[:, list(KNOWN)].unflatten(0, (-1, 4))
        same = faces.same / (1 - PORTRAITS)
        wide = lips[..., 1] - looks["width"] / WIDE_MOUTH
        lids = torch.stack([looks["left_lid"], looks["right_lid"]], -1)
        shut = 1 - lids / lids.amax(1, keepdim=True).clamp_min(0.05)
        blinks = read[..., BLINKS]
        turn = torch.stack([read[..., YAW] - looks["yaw"], read[..., ROLL] - looks["roll"]], -1)
        strange = read.new_zeros(())
        if faces.strange is not None:
            strange = strangeness(self.renderer.read_parameters(self.renderer.motion_encoder(faces.strange)))
        return {
            "strange": strange,
            "marks": off(error),
            "mark_moves": (off_each(error[:, 1:] - error[:, :1]) * same).mean(),
            "opening": _small(lips[..., 0] - looks["opening"] / WIDE_MOUTH).mean(),
            "width": (_small(wide[:, 1:] - wide[:, :1]).mean(1) * same).mean(),
            "lids": (_small((blinks - shut)[:, 1:] - (blinks - shut)[:, :1]).mean((1, 2)) * same).mean(),
            "turn": _small(4 * turn).mean(),
        }

    @torch.no_grad()
    def measure_faces(self, chunk: int = 8) -> dict[str, float]:
        """Of all its faces, unchanged: error of the opening (mean, of a wide mouth, and of closed ones), its
        correlation, the error of landmarks in hundredths of the picture."""
        opening, wanted, off_marks = [], [], []
        for first in range(0, len(self.faces.rgb), chunk):
            indices = np.arange(first, min(first + chunk, len(self.faces.rgb)))
            faces = self.real(indices, None)
            seen = self.renderer.motion_encoder.encode_with_keypoints(faces.images.flatten(0, 1))
            read = self.renderer.read_parameters(seen.motion)
            opening.append((mouth_terms(read) @ self.lips)[:, 0] / WIDE_MOUTH)
            wanted.append(faces.looks[..., 0].flatten() / WIDE_MOUTH)
            off_marks.append((seen.points - faces.marks)[:, list(KNOWN)].norm(dim=-1).mean(1))
        told, truth = torch.cat(opening), torch.cat(wanted)
        closed = truth < CLOSED
        return {
            "opening": float((told - truth).abs().mean()),
            "opening_closed": float(told[closed].abs().mean()) if closed.any() else float("nan"),
            "correlation": float(torch.corrcoef(torch.stack([told, truth]))[0, 1]),
            "landmarks": 100 * float(torch.cat(off_marks).mean()),
        }


def _small(error: Tensor) -> Tensor:
    return F.smooth_l1_loss(error, torch.zeros_like(error), beta=0.05, reduction="none")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="What a motion encoder reads from real faces and from drawn ones.")
    parser.add_argument("renderers", nargs="+", metavar="FILE")
    parser.add_argument("--faces", required=True, metavar="DIR", help="of people who were not trained on")
    parser.add_argument("--drawn", required=True, metavar="DIR", help="likewise")
    options = parser.parse_args(arguments)
    stills, faces = StillSet(options.drawn), read_face_groups(options.faces)
    for file in options.renderers:
        task = FacesTask(load_renderer(file), stills, faces)
        print(file)
        print("  real faces:", {name: round(value, 4) for name, value in task.measure_faces().items()})
        print("  drawn, R2 of changes:", task.measure(np.arange(min(len(stills), 64)), task.size))


if __name__ == "__main__":
    main()
