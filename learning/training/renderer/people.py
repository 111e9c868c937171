"""F_A learns who somebody is: pictures of one person in two scenes against other people's (InfoNCE)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ....networks.renderer.layers import resize
from ....networks.renderer.model import Renderer
from ...datasets.batch_slice import BatchSlice
from ...datasets.stills import StillSet
from .augment import jostle, vary
from .stills_task import StillsTask

TEMPERATURE = 0.1
CENTRED = 256  # people whose mean F_A is zero when they have been told apart
FASTER = 10.0  # rate of what scales and shifts by F_A, as a multiple of the others'
BESIDE = 12  # people told apart beside each step of rendering; the part "appearance" has a batch of its own


class Scenes:
    """Where the people of drawn stills are: a person's pictures in several scenes."""

    def __init__(self, stills: StillSet):
        self.stills = stills
        self._read()

    def _read(self) -> None:
        people = self.stills.people()
        if people is None:
            raise ValueError(
                f"{self.stills.root} shows each person in one scene, which cannot teach who somebody is: draw stills "
                "with `corpus --scenes 2`."
            )
        places: dict[int, list[tuple[int, int]]] = {}
        for group, pair in enumerate(people.tolist()):
            for twin, person in enumerate(pair):
                places.setdefault(person, []).append((group, twin))
        self.people, self.of_person = people, places
        self.several = [found for found in places.values() if len(found) > 1]

    def pairs(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """(2,N,S,S,3) uint8: a picture each of N people, or of all that there are, in two of their scenes."""
        who = rng.permutation(len(self.several))[:count]
        chosen = [[self.several[i][k] for k in rng.permutation(len(self.several[i]))[:2]] for i in who]
        return np.stack([[self._frame(*pair[scene], rng) for pair in chosen] for scene in range(2)])

    def other(self, group: int, twin: int, rng: np.random.Generator) -> np.ndarray:
        """(S,S,3) uint8: a picture of the person of a group in another of their scenes; in the same one, where there is
        no other."""
        if group >= len(self.people):  # drawn meanwhile
            self._read()
        places = self.of_person[int(self.people[group, twin])]
        others = [place for place in places if place[0] != group] or [(group, twin)]
        return self._frame(*others[int(rng.integers(len(others)))], rng)

    def _frame(self, group: int, twin: int, rng: np.random.Generator) -> np.ndarray:
        pictures = self.stills.pictures(group)[twin]
        return np.asarray(pictures[int(rng.integers(len(pictures)))])


def told_apart_loss(first: Tensor, second: Tensor) -> Tensor:
    """InfoNCE of vectors (N,A) of N people in two scenes: each is nearer to its own person's other one than to anyone
    else's, by cosine, in both directions. Their mean is taken off first: vectors begin nearly alike, and those of a toy
    size became one and the same within ten steps."""
    first, second = first.float(), second.float()
    middle = (first.mean(0) + second.mean(0)) / 2
    first, second = (F.normalize(vectors - middle, dim=-1, eps=1e-6) for vectors in (first, second))
    alike = first @ second.T / TEMPERATURE
    own = torch.arange(len(alike), device=alike.device)
    return (F.cross_entropy(alike, own) + F.cross_entropy(alike.T, own)) / 2


def pairs_of(scenes: Scenes, part: BatchSlice, count: int, size: int, device: torch.device) -> Tensor:
    """Photos (2N,3,S,S) in [0,1] of N people of one step in two scenes, those of the second last: each in colours, at a
    place and a scale of its own, so that neither tells who it is."""
    rng = part.rng_of_batch()
    pictures = torch.from_numpy(scenes.pairs(rng, count)).to(device).flatten(0, 1).permute(0, 3, 1, 2).float() / 255
    seeds = BatchSlice(int(rng.integers(1 << 31)), part.step, range(len(pictures)), len(pictures))
    draws = seeds.draws(device)
    photos = vary(resize(pictures, size), draws)
    return jostle(photos, photos.new_zeros(len(photos), 1, 2), draws)[0]


def pairs_loss(renderer: Renderer, photos: Tensor) -> Tensor:
    """InfoNCE of a step's people, as of `pairs_of`; the image encoder learns nothing by it."""
    own = renderer.config.appearance_pyramid
    with torch.no_grad():
        features = None if own else renderer.image_encoder.context(photos)[-1]
    return told_apart_loss(*renderer.appearance(features, photos).chunk(2))


@torch.no_grad()
def centre(renderer: Renderer, scenes: Scenes) -> None:
    """Let F_A be zero on the mean of CENTRED people: what scales and shifts by it then begins and stays with what tells
    people apart, and not with a constant that any other weight could have."""
    device, norm = next(renderer.parameters()).device, renderer.appearance.norm
    pictures = torch.from_numpy(scenes.pairs(np.random.default_rng(0), CENTRED)).to(device).flatten(0, 1)
    photos = resize(pictures.permute(0, 3, 1, 2).float() / 255, renderer.config.motion_size)
    means = [renderer.appearance_of(part).mean(0) * len(part) for part in photos.split(32)]
    norm.bias -= torch.stack(means).sum(0) / len(photos)


def others_of(scenes: Scenes, groups: Sequence[int], twins: Sequence[int], seeds: Sequence[int]) -> Tensor:
    """Pictures (G,3,S,S) in [0,1] of the groups' people in other scenes."""
    chosen = zip(groups, twins, seeds, strict=True)
    pictures = [scenes.other(group, twin, np.random.default_rng(seed)) for group, twin, seed in chosen]
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255


class AppearanceTask(StillsTask):
    """The Appearance Extractor alone, on `size` pixels of the people of drawn stills."""

    PICTURES = 2

    def __init__(self, renderer: Renderer, stills: StillSet, size: int = 128):
        super().__init__(renderer, stills, size)
        self.scenes = Scenes(stills)

    def parameters(self) -> list[Tensor]:
        """The extractor's."""
        return list(self.renderer.appearance.parameters())

    def batches(self, slices: Iterator[BatchSlice]) -> Iterator[Tensor]:
        """A slice's people are told apart from one another."""
        for part in slices:
            yield pairs_of(self.scenes, part, len(part), self.renderer.config.motion_size, self.device)

    def losses(self, batch: Tensor, progress: float = 0.0) -> dict[str, Tensor]:
        """InfoNCE."""
        loss = pairs_loss(self.renderer, batch)
        return {"appearance": loss, "loss": loss}

    def measure(self, indices: np.ndarray, size: int) -> dict[str, Any]:
        """Held-out people found again in another scene, by F_A and by chance."""
        from ...evaluation.appearance import found_again

        return found_again(self.renderer, self.stills)


def begin_from_context(renderer: Renderer) -> None:
    """A new pyramid of the extractor begins as the image encoder's, which has the same widths and can already see."""
    renderer.appearance.pyramid.load_state_dict(renderer.image_encoder.context.state_dict())
