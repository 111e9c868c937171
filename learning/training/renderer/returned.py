"""Portraits as their own truth: what the decoder paints in mouths and on lids, held against photographs.

Of a portrait there is one picture. The renderer as it was closes its lips; the decoder, which alone learns, must bring
that picture back to the photograph, teeth included. The mouth's place and opening are the photograph's, so pixels and
patch discriminators on crops (adversarial.py) compare like with like. Films do the same with lids: an open eye is
brought to a real closed one. Other motions of portraits are held to what they were, but for irises that show through
closed lids.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ....networks.renderer.layers import resize
from ....networks.renderer.model import Rendered, Renderer
from ....networks.renderer.warp import warp
from ....vocabulary import FRAMING, INDEX, LANDMARKS, MOTION, REGIONS
from ...datasets.batch_slice import BatchSlice, Draws
from ...datasets.face_groups import LOOKS, FaceGroups
from ...datasets.stills import StillSet
from .adversarial import Adversary, regions
from .augment import recoloured, vary
from .film_losses import picture_losses
from .films import features_of
from .losses import total
from .rendering import Batch, RenderingTask
from .stills_task import StillsTask

DRAWN = 0.25  # share of the steps that are of drawn people, with their labels
KINDS = (0.45, 0.15)  # shares of the other samples: portraits brought back, frames of films; the rest is held
PARTED = 0.05  # opening of the lips, in distances of the eyes, from which on a portrait shows what is behind them
LEFT = 0.6  # of what opens a mouth so much is left at most where it is to be brought back
COARSE = (4, 8)  # pixels over which mouths and eyes that are held are averaged: their detail was a blur
SHUT = 0.8  # of a blink, from which on no iris may show
SIDE = 80  # pixels of a crop
RATE = 1.5e-3  # of the discriminators, which must catch up with a trained decoder in a short run
FEATURES = 10.0  # weight of the discriminators' features for one of L_adv
NAMES = ("mouth", "eyes")
MOUTH = tuple(INDEX[name] for name in REGIONS["mouth"])
BLINKS = (INDEX["blink_left"], INDEX["blink_right"])
OPENERS = (INDEX["jaw"], *BLINKS)  # which only open, or close, where they are held
APERTURES = tuple(
    tuple(LANDMARKS.index(f"{side}_{point}") for point in ("eye_outer", "eye_inner", "lid_upper", "lid_lower"))
    for side in ("left", "right")
)
MIRRORED = tuple(
    LANDMARKS.index(name.replace("left", "*").replace("right", "left").replace("*", "right")) for name in LANDMARKS
)


@dataclass(frozen=True)
class ReturnedWeights:
    """Of each term; pixels are those of crops, by the weights that films have for whole pictures."""

    pixels: float = 10.0
    pooled: float = 5.0
    gradient: float = 5.0
    synthesis: float = 3.0
    held: float = 1.0  # pictures of motions that are held, but for mouths and eyes, in the same terms
    coarse: float = 20.0  # what is coarse of their mouths and eyes
    iris: float = 1.0  # share of the eyes' openings that shows through closed lids
    lids: float = 3.0  # colour of closed lids, which is that of the skin around them
    perceptual: float = 0.0  # L_per of crops
    adversarial: float = 0.0  # L_adv of crops
    features: float = 0.0  # distance of the discriminators' features

    def with_adversary(self, weight: float) -> ReturnedWeights:
        """The same with L_adv of such a weight; 0 is none."""
        return replace(self, adversarial=weight, features=FEATURES * weight)


class Pictures(NamedTuple):
    """G samples, each a source that is driven to a target."""

    source: Tensor  # (G,3,R,R)
    base: Tensor  # (G,768) M_0
    motion: Tensor  # (G,768)
    target: Tensor  # (G,3,R,R)
    marks: Tensor  # (G,40,2) of the target, in [0,1]
    own: Tensor  # (G,40,2) of the source
    told: Tensor  # (G,2) 1 where the target's mouth, and eyes, are a photograph's, 0 where they are the renderer's
    shut: Tensor  # (G,2) 1 where a left and a right eye must be closed


class ReturnedTask(StillsTask):
    """Drawn groups with their labels in some steps; photographs and films in the others. The decoder alone learns.

    before: the renderer as it was. faces: portraits, and frames of films where there are some. ValueError where no
    portrait shows what is behind its lips."""

    PICTURES = 1

    def __init__(
        self,
        renderer: Renderer,
        before: Renderer,
        stills: StillSet,
        faces: FaceGroups,
        size: int = 256,
        weights: ReturnedWeights | None = None,
    ):
        super().__init__(renderer, stills, size)
        self.drawn = RenderingTask(renderer, stills, size, written=1.0, learn=("decoder",))
        self.before, self.terms = before, weights or ReturnedWeights()
        portraits = faces.person == -1
        self.portraits = tuple(x[portraits].reshape(-1, *x.shape[2:]) for x in (faces.rgb, faces.mark, faces.looks))
        self.parted = np.flatnonzero(self.portraits[2][:, LOOKS.index("opening")] > PARTED)
        if not len(self.parted):
            raise ValueError("No portrait shows what is behind its lips: give --faces with photographs of open mouths.")
        films = ~portraits
        self.films = tuple(x[films] for x in (faces.rgb, faces.mark, faces.looks))
        spread = torch.tensor([0.0 if i in FRAMING else parameter.spread for i, parameter in enumerate(MOTION)])
        self.spread = spread.to(self.device)
        self.of_features = features_of(None) if self.terms.perceptual else None
        self.adversary = Adversary(names=NAMES, rate=RATE).to(self.device) if self.terms.adversarial else None

    def parameters(self) -> list[Tensor]:
        return self.drawn.parameters()

    def batches(self, slices: Iterator[BatchSlice]) -> Iterator[Batch | Pictures]:
        """Of either kind, by the step's number."""
        for part in slices:
            if part.rng_of_batch().random() < DRAWN:
                yield next(self.drawn.batches(iter([part])))
            else:
                yield self.pictures([part.rng(sample) for sample in part.samples], part.draws(self.device))

    @torch.no_grad()
    def pictures(self, rngs: list[np.random.Generator], draws: Draws) -> Pictures:
        """A sample of each generator; what is varied as cameras do has a row of draws."""
        rows = []
        for rng in rngs:
            lot = rng.random() - KINDS[0]
            if lot < 0:
                rows.append(self._recoloured(self._brought_back(rng), rng))
            elif lot < KINDS[1] and len(self.films[0]):
                rows.append(self._recoloured(self._filmed(rng), rng))
            else:
                rows.append(self._held(rng, draws))
        return Pictures(*(torch.cat(column) for column in zip(*rows, strict=True)))

    def _recoloured(self, pair: Pictures, rng: np.random.Generator) -> Pictures:
        """As another camera's colours: films are of three people, and their lids must not be everybody's."""
        draws = Draws([torch.Generator(self.device).manual_seed(int(rng.integers(1 << 31)))])
        both = recoloured(torch.cat([pair.source, pair.target]), draws, shared=2).clamp(0, 1)
        return pair._replace(source=both[:1], target=both[1:])

    def _brought_back(self, rng: np.random.Generator) -> Pictures:
        photo, marks, _ = self._seen(self.portraits, [int(rng.choice(self.parted))], rng.random() < 0.5)
        base = self.before.centred(self.before.encode_motion(photo))
        change = torch.zeros_like(self.spread)[None]
        change[:, MOUTH] = (LEFT * rng.random() - 1) * self.before.read_parameters(base)[:, MOUTH]
        closed, own = self._moved(photo, base, change)
        given = self.before.centred(self.before.encode_motion(closed))
        return Pictures(closed, given, base, photo, marks, own, *self._flags(told=(1, 0)))

    def _filmed(self, rng: np.random.Generator) -> Pictures:
        number = int(rng.integers(len(self.films[0])))
        pictures, marks, looks = self._seen([x[number] for x in self.films], range(4), rng.random() < 0.5)
        lids = looks[:, [LOOKS.index("left_lid"), LOOKS.index("right_lid")]].sum(1)
        source = int(lids.argmax()) if rng.random() < 0.7 else int(rng.integers(4))
        others = [i for i in range(4) if i != source]
        target = min(others, key=lambda i: lids[i]) if rng.random() < 0.6 else int(rng.choice(others))
        seen = self.before.encode_motion(pictures[[source, target]])
        base = self.before.centred(seen[:1])
        motion = base + seen[1:] - seen[:1]
        pair = pictures[[source]], base, motion, pictures[[target]], marks[[target]], marks[[source]]
        return Pictures(*pair, *self._flags(told=(1, 1)))

    def _held(self, rng: np.random.Generator, draws: Draws) -> Pictures:
        photo, own, _ = self._seen(self.portraits, [int(rng.integers(len(self.portraits[0])))], rng.random() < 0.5)
        photo = vary(photo, Draws([torch.Generator().manual_seed(int(rng.integers(1 << 31)))]))
        named = torch.from_numpy(rng.normal(size=len(self.spread))).to(self.spread) * self.spread
        named[list(OPENERS)] = 1.5 * named[list(OPENERS)].abs()
        shut = rng.random() < 0.4
        if shut:
            named[list(BLINKS)] = float(rng.uniform(SHUT, 1.1))
        base = self.before.centred(self.before.encode_motion(photo))
        target, marks = self._moved(photo, base, named[None])
        if shut:
            target = _covered(target, marks)
        motion = base + self._written(named[None])
        return Pictures(photo, base, motion, target, marks, own, *self._flags(told=(0, 0), shut=shut))

    def _seen(self, kept: Any, numbers: Any, mirrored: bool) -> tuple[Tensor, Tensor, np.ndarray]:
        """Pictures (N,3,R,R), their landmarks (N,40,2) and looks (N,6)."""
        rgb, marks, looks = (np.asarray(x)[list(numbers)] for x in kept)
        pictures = torch.from_numpy(rgb).to(self.device).permute(0, 3, 1, 2).float() / 255
        pictures, marks = resize(pictures, self.size), torch.from_numpy(marks).to(self.device)
        if mirrored:
            pictures, marks = pictures.flip(-1), marks[:, list(MIRRORED)] * marks.new_tensor([-1, 1])
            marks = marks + marks.new_tensor([1, 0])
        return pictures, marks, looks

    def _written(self, change: Tensor) -> Tensor:
        return self.before.motion_from_parameters(change) - self.before.rest_motion()

    def _moved(self, photo: Tensor, base: Tensor, change: Tensor) -> tuple[Tensor, Tensor]:
        """A photo (1,3,R,R) as the renderer moved it before, and where its landmarks seem to be (1,40,2)."""
        source = self.before.encode_source(photo, motion=base, size=self.size)
        appearance = self.before.extract_appearance(source)
        moved = self.before.decode(source, appearance, base + self._written(change)).image
        seen = resize(moved, self.before.config.motion_size)
        return moved, self.before.motion_encoder.encode_with_keypoints(seen).points

    def _flags(self, told: tuple[int, int], shut: bool = False) -> tuple[Tensor, Tensor]:
        return torch.tensor([told], device=self.device).float(), torch.full((1, 2), float(shut), device=self.device)

    def losses(self, batch: Batch | Pictures, progress: float = 0.0) -> dict[str, Tensor]:
        """Unweighted terms of one batch, and their weighted sum."""
        if isinstance(batch, Batch):
            losses = self.drawn.losses(batch, progress)
            return {name if name == "loss" else f"labelled/{name}": value for name, value in losses.items()}
        rendered = self.rendered(batch)
        losses = self._told(rendered, batch)
        losses |= self._held_losses(rendered, batch)
        losses |= {"iris": self.iris(rendered, batch), "lids": self.lids(rendered, batch)}
        losses |= self._judged(rendered.image, batch, progress) if self.adversary is not None else {}
        mistakes = losses.pop("discriminator", None)
        loss = total(losses, self.terms)
        if mistakes is None:
            return losses | {"loss": loss}
        return losses | {"discriminator": mistakes, "loss": loss + (mistakes - mistakes.detach())}

    def rendered(self, batch: Pictures) -> Rendered:
        """The targets as they come out now; all but the decoder is without gradient."""
        with torch.no_grad():
            source = self.renderer.encode_source(batch.source, motion=batch.base, size=self.size)
            appearance = self.renderer.extract_appearance(source)
            field, deviation = self.renderer.motion_field(source, appearance, batch.motion)
            warped = self.renderer.warp_photo(source, field.field)
        return self.renderer.paint(source, appearance, field, deviation, warped)

    def _told(self, rendered: Rendered, batch: Pictures) -> dict[str, Tensor]:
        """Terms of the crops that photographs tell."""
        zero = rendered.image.sum() * 0
        terms = {name: zero for name in ("pixels", "pooled", "gradient", "synthesis")}
        if self.of_features is not None:
            terms["perceptual"] = zero
        made, painted, given = (
            regions(x, batch.marks, SIDE) for x in (rendered.image, rendered.synthesis.image, batch.target)
        )
        for number, name in enumerate(NAMES):
            told = batch.told[:, number] > 0
            if not told.any():
                continue
            share = told.float().mean() / len(NAMES)
            image, truth = made[name][told], given[name][told]
            terms["pixels"] = terms["pixels"] + share * F.l1_loss(image, truth)
            pooled = sum(F.l1_loss(F.avg_pool2d(image, s), F.avg_pool2d(truth, s)) for s in (2, 4, 8))
            terms["pooled"] = terms["pooled"] + share * pooled
            gradient = sum(F.l1_loss(image.diff(dim=d), truth.diff(dim=d)) for d in (-1, -2))
            terms["gradient"] = terms["gradient"] + share * gradient
            terms["synthesis"] = terms["synthesis"] + share * F.l1_loss(painted[name][told], truth)
            if self.of_features is not None:
                terms["perceptual"] = terms["perceptual"] + share * self.of_features(image, truth)
        return terms

    def _held_losses(self, rendered: Rendered, batch: Pictures) -> dict[str, Tensor]:
        """Of motions that are held: whole pictures but for mouths and eyes, and of those what is coarse."""
        held = batch.told.sum(1) == 0
        if not held.any():
            return dict.fromkeys(("held", "coarse"), rendered.image.sum() * 0)
        image, target, marks = rendered.image[held], batch.target[held], batch.marks[held]
        free = _free(marks, self.size)
        made, given = (regions(x, marks, SIDE) for x in (image, target))
        coarse = [
            F.l1_loss(F.avg_pool2d(made[name], size), F.avg_pool2d(given[name], size))
            for name in NAMES
            for size in COARSE
        ]
        image = torch.lerp(image, target, free)
        part = rendered._replace(
            image=image, warped=target, synthesis=rendered.synthesis._replace(image=rendered.synthesis.image[held])
        )
        losses = picture_losses(part, target)
        weights = {"pixels": 10.0, "pooled": 5.0, "gradient": 5.0}
        share = held.float().mean()
        whole = sum(weight * losses[name] for name, weight in weights.items())
        return {"held": share * whole, "coarse": share * torch.stack(coarse).mean()}

    def iris(self, rendered: Rendered, batch: Pictures) -> Tensor:
        """Share of the source's eyes between their lids that shows where lids are to be shut."""
        opening = _openings(batch.own, rendered.keep.shape[-1]) * batch.shut[:, :, None, None]
        shown = rendered.keep * warp(opening, rendered.motion.field).amax(1, keepdim=True)
        return shown.sum() / opening.sum().clamp_min(1)

    def lids(self, rendered: Rendered, batch: Pictures) -> Tensor:
        """Mean distance of closed lids' colours, in the frame and in what U paints, from those of the target."""
        inside = _closed(batch.marks, self.size) * batch.shut[:, :1, None, None]
        apart = [
            (F.avg_pool2d(image, 5, 1, 2) - F.avg_pool2d(batch.target, 5, 1, 2)).abs().mean(1, keepdim=True)
            for image in (rendered.image, resize(rendered.synthesis.image, self.size))
        ]
        return (sum(apart) * inside).sum() / inside.sum().clamp_min(1) * batch.shut[:, 0].mean()

    def _judged(self, image: Tensor, batch: Pictures, progress: float) -> dict[str, Tensor]:
        """L_adv of the crops; discriminators learn from those that photographs tell alone."""
        made, given = (regions(x.float(), batch.marks, SIDE) for x in (image, batch.target))
        told = {name: batch.told[:, number] > 0 for number, name in enumerate(NAMES)}
        free = batch.told.sum(1) == 0
        judged = {"mouth": told["mouth"] | free, "eyes": told["eyes"]}
        return self.adversary.of_crops(made, given, told, judged, progress)

    def measure(self, indices: np.ndarray, size: int) -> dict[str, float]:
        """Of drawn people held out, as `RenderingTask.measure`."""
        self.drawn.stills = self.stills
        return self.drawn.measure(indices, size)

    def state(self) -> dict[str, Any]:
        """The renderer, and the discriminators where they take part."""
        return super().state() | ({} if self.adversary is None else {"adversary": self.adversary.state_dict()})

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of `state`."""
        super().restore(state)
        if self.adversary is not None:
            self.adversary.load_state_dict(state["adversary"])


def _free(marks: Tensor, size: int) -> Tensor:
    """(N,1,size,size): 1 in ellipses around mouth and eyes."""
    points = {name: marks[:, i] for i, name in enumerate(LANDMARKS)}
    left, right, chin = points["mouth_left"], points["mouth_right"], points["chin"]
    middle, across = (left + right) / 2, (right - left).norm(dim=1)
    down = (chin - middle).norm(dim=1)
    shapes = [_ellipse(middle + 0.25 * (chin - middle), 0.6 * across, 0.5 * across.maximum(down), size)]
    for side in ("left", "right"):
        outer, inner = points[f"{side}_eye_outer"], points[f"{side}_eye_inner"]
        wide = (outer - inner).norm(dim=1)
        shapes.append(_ellipse((outer + inner) / 2, 0.8 * wide, 0.5 * wide, size))
    return torch.stack(shapes, 1).amax(1, keepdim=True)


def _closed(marks: Tensor, size: int, wide: float = 0.55, high: float = 0.3, down: float = 0.0) -> Tensor:
    """(N,1,size,size): 1 on both eyes, in ellipses of so many widths of an eye."""
    eyes = []
    for outer, inner, *_ in (marks[:, list(points)].unbind(1) for points in APERTURES):
        across = (outer - inner).norm(dim=1)
        below = torch.stack([torch.zeros_like(across), down * across], 1)
        eyes.append(_ellipse((outer + inner) / 2 + below, wide * across, high * across, size))
    return torch.stack(eyes, 1).amax(1, keepdim=True)


def _covered(picture: Tensor, marks: Tensor) -> Tensor:
    """The picture (N,3,S,S) with the skin below its eyes over them."""
    size = picture.shape[-1]
    eyes = _closed(marks, size)
    around = _closed(marks, size, 0.8, 0.4, 0.35) * (1 - eyes)

    def spread(x: Tensor, reach: int) -> Tensor:
        return F.avg_pool2d(x, 2 * reach + 1, 1, reach)

    skin = spread(picture * around, size // 12) / spread(around, size // 12).clamp_min(1e-3)
    return torch.lerp(picture, skin, spread(eyes, size // 64))


def _openings(marks: Tensor, size: int) -> Tensor:
    """(N,2,size,size): 1 between the lids of the left and the right eye."""
    eyes = []
    for outer, inner, upper, lower in (marks[:, list(points)].unbind(1) for points in APERTURES):
        across, high = (outer - inner).norm(dim=1) / 2, (upper - lower).norm(dim=1) / 2
        eyes.append(_ellipse((outer + inner + upper + lower) / 4, 0.8 * across, high, size))
    return torch.stack(eyes, 1)


def _ellipse(centre: Tensor, wide: Tensor, high: Tensor, size: int) -> Tensor:
    """(N,size,size) of ellipses with axes along the picture's, in shares of it."""
    at = (torch.arange(size, device=centre.device) + 0.5) / size
    x = (at - centre[:, :1]) / wide.clamp_min(1e-3)[:, None]
    y = (at - centre[:, 1:]) / high.clamp_min(1e-3)[:, None]
    return (x[:, None, :].square() + y[:, :, None].square() < 1).float()
