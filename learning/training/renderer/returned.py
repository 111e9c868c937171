"""Portraits as their own truth: what the decoder paints in mouths, held against photographs.

Of a portrait there is one picture. The renderer as it was closes its lips; the decoder, which alone learns, must bring
that picture back to the photograph, teeth included. The mouth's place and opening are the photograph's, so pixels and a
patch discriminator on crops (adversarial.py) compare like with like. Other motions of portraits are held to what they
were, mouths by what is coarse of them: their detail was a blur.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ....networks.renderer.layers import resize
from ....networks.renderer.model import Rendered, Renderer
from ....vocabulary import FRAMING, INDEX, LANDMARKS, MOTION, REGIONS
from ...datasets.batch_slice import BatchSlice, Draws
from ...datasets.face_groups import LOOKS, FaceGroups
from ...datasets.stills import StillSet
from .adversarial import Adversary, regions
from .augment import recoloured, vary
from .film_losses import likeness
from .losses import total
from .rendering import Batch, RenderingTask
from .stills_task import StillsTask

DRAWN = 0.25  # share of the steps that are of drawn people, with their labels
BROUGHT = 0.55  # share of the other samples that are portraits brought back; the rest is held
PARTED = 0.05  # opening of the lips, in distances of the eyes, from which on a portrait shows what is behind them
LEFT = 0.6  # of what opens a mouth so much is left at most where it is to be brought back
COARSE = (4, 8)  # pixels over which mouths that are held are averaged
SIDE = 80  # pixels of a crop
RATE = 1.5e-3  # of the discriminators, which must catch up with a trained decoder in a short run
FEATURES = 10.0  # weight of the discriminators' features for one of L_adv
NAME = "mouth"
MOUTH = tuple(INDEX[name] for name in REGIONS["mouth"])
OPENERS = (INDEX["jaw"], INDEX["blink_left"], INDEX["blink_right"])  # which only open, or close, where they are held
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
    held: float = 1.0  # pictures of motions that are held, but for mouths, in the same terms
    coarse: float = 20.0  # what is coarse of their mouths
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
    told: Tensor  # (G,) 1 where the target is a photograph, 0 where it is what the renderer made


class ReturnedTask(StillsTask):
    """Drawn groups with their labels in some steps; photographs in the others. The decoder alone learns.

    before: the renderer as it was. ValueError where no portrait shows what is behind its lips."""

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
        flat = (x[portraits].reshape(-1, *x.shape[2:]) for x in (faces.rgb, faces.mark, faces.looks))
        self.rgb, self.marks, looks = flat
        self.parted = np.flatnonzero(looks[:, LOOKS.index("opening")] > PARTED)
        if not len(self.parted):
            raise ValueError("No portrait shows what is behind its lips: give --faces with photographs of open mouths.")
        spread = torch.tensor([0.0 if i in FRAMING else parameter.spread for i, parameter in enumerate(MOTION)])
        self.spread = spread.to(self.device)
        self.adversary = Adversary(names=(NAME,), rate=RATE).to(self.device) if self.terms.adversarial else None

    def parameters(self) -> list[Tensor]:
        return self.drawn.parameters()

    def batches(self, slices: Iterator[BatchSlice]) -> Iterator[Batch | Pictures]:
        """Of either kind, by the step's number."""
        for part in slices:
            if part.rng_of_batch().random() < DRAWN:
                yield next(self.drawn.batches(iter([part])))
            else:
                yield self.pictures([part.rng(sample) for sample in part.samples])

    @torch.no_grad()
    def pictures(self, rngs: list[np.random.Generator]) -> Pictures:
        """A sample of each generator."""
        rows = []
        for rng in rngs:
            rows.append(self._brought_back(rng) if rng.random() < BROUGHT else self._held(rng))
        return Pictures(*(torch.cat(column) for column in zip(*rows, strict=True)))

    def _draws(self, rng: np.random.Generator) -> Draws:
        return Draws([torch.Generator(self.device).manual_seed(int(rng.integers(1 << 31)))])

    def _brought_back(self, rng: np.random.Generator) -> Pictures:
        """With its lips closed by the renderer, to the photograph; both in another camera's colours."""
        photo, marks = self._seen(int(rng.choice(self.parted)), rng.random() < 0.5)
        base = self.before.centred(self.before.encode_motion(photo))
        change = torch.zeros_like(self.spread)[None]
        change[:, MOUTH] = (LEFT * rng.random() - 1) * self.before.read_parameters(base)[:, MOUTH]
        closed, _ = self._moved(photo, base, change)
        given = self.before.centred(self.before.encode_motion(closed))
        closed, photo = recoloured(torch.cat([closed, photo]), self._draws(rng), shared=2).clamp(0, 1).split(1)
        return Pictures(closed, given, base, photo, marks, torch.ones(1, device=self.device))

    def _held(self, rng: np.random.Generator) -> Pictures:
        """Moved at random, to what the renderer made of it."""
        photo, _ = self._seen(int(rng.integers(len(self.rgb))), rng.random() < 0.5)
        photo = vary(photo, self._draws(rng))
        named = torch.from_numpy(rng.normal(size=len(self.spread))).to(self.spread) * self.spread
        named[list(OPENERS)] = 1.5 * named[list(OPENERS)].abs()
        base = self.before.centred(self.before.encode_motion(photo))
        target, marks = self._moved(photo, base, named[None])
        motion = base + self._written(named[None])
        return Pictures(photo, base, motion, target, marks, torch.zeros(1, device=self.device))

    def _seen(self, number: int, mirrored: bool) -> tuple[Tensor, Tensor]:
        """A portrait (1,3,R,R) and its landmarks (1,40,2)."""
        picture = torch.from_numpy(self.rgb[number]).to(self.device).permute(2, 0, 1)[None].float() / 255
        picture, marks = resize(picture, self.size), torch.from_numpy(self.marks[number]).to(self.device)[None]
        if not mirrored:
            return picture, marks
        return picture.flip(-1), marks[:, list(MIRRORED)] * marks.new_tensor([-1, 1]) + marks.new_tensor([1, 0])

    def _written(self, change: Tensor) -> Tensor:
        return self.before.motion_from_parameters(change) - self.before.rest_motion()

    def _moved(self, photo: Tensor, base: Tensor, change: Tensor) -> tuple[Tensor, Tensor]:
        """A photo (1,3,R,R) as the renderer moved it before, and where its landmarks seem to be (1,40,2)."""
        source = self.before.encode_source(photo, motion=base, size=self.size)
        appearance = self.before.extract_appearance(source)
        moved = self.before.decode(source, appearance, base + self._written(change)).image
        seen = resize(moved, self.before.config.motion_size)
        return moved, self.before.motion_encoder.encode_with_keypoints(seen).points

    def losses(self, batch: Batch | Pictures, progress: float = 0.0) -> dict[str, Tensor]:
        """Unweighted terms of one batch, and their weighted sum."""
        if isinstance(batch, Batch):
            losses = self.drawn.losses(batch, progress)
            return {name if name == "loss" else f"labelled/{name}": value for name, value in losses.items()}
        rendered = self.rendered(batch)
        losses = self._told(rendered, batch)
        losses |= self._held_losses(rendered, batch)
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
        """Terms of the mouths that photographs tell."""
        told = batch.told > 0
        if not told.any():
            return dict.fromkeys(("pixels", "pooled", "gradient", "synthesis"), rendered.image.sum() * 0)
        image, painted, truth = (
            regions(x[told], batch.marks[told], SIDE)[NAME]
            for x in (rendered.image, rendered.synthesis.image, batch.target)
        )
        terms = likeness(image, truth) | {"synthesis": F.l1_loss(painted, truth)}
        return {name: told.float().mean() * value for name, value in terms.items()}

    def _held_losses(self, rendered: Rendered, batch: Pictures) -> dict[str, Tensor]:
        """Of motions that are held: pictures but for mouths, and of those what is coarse."""
        held = batch.told == 0
        if not held.any():
            return dict.fromkeys(("held", "coarse"), rendered.image.sum() * 0)
        image, target, marks = rendered.image[held], batch.target[held], batch.marks[held]
        made, given = (regions(x, marks, SIDE)[NAME] for x in (image, target))
        coarse = [F.l1_loss(F.avg_pool2d(made, size), F.avg_pool2d(given, size)) for size in COARSE]
        losses = likeness(torch.lerp(image, target, _mouths(marks, self.size)), target)
        weights = {"pixels": 10.0, "pooled": 5.0, "gradient": 5.0}
        share = held.float().mean()
        whole = sum(weight * losses[name] for name, weight in weights.items())
        return {"held": share * whole, "coarse": share * torch.stack(coarse).mean()}

    def _judged(self, image: Tensor, batch: Pictures, progress: float) -> dict[str, Tensor]:
        """L_adv of the mouths; the discriminator learns from those that photographs tell alone."""
        made, given = (regions(x.float(), batch.marks, SIDE)[NAME] for x in (image, batch.target))
        return self.adversary.of_crops(made, given, batch.told > 0, progress)

    def measure(self, indices: np.ndarray, size: int) -> dict[str, float]:
        """Of drawn people held out, as `RenderingTask.measure`."""
        self.drawn.stills = self.stills
        return self.drawn.measure(indices, size)


def _mouths(marks: Tensor, size: int) -> Tensor:
    """(N,1,size,size): 1 in an ellipse around each mouth."""
    left, right, chin = (marks[:, LANDMARKS.index(name)] for name in ("mouth_left", "mouth_right", "chin"))
    middle, across = (left + right) / 2, (right - left).norm(dim=1)
    high = 0.5 * across.maximum((chin - middle).norm(dim=1))
    return _ellipse(middle + 0.25 * (chin - middle), 0.6 * across, high, size)[:, None]


def _ellipse(centre: Tensor, wide: Tensor, high: Tensor, size: int) -> Tensor:
    """(N,size,size) of ellipses with axes along the picture's, in shares of it."""
    at = (torch.arange(size, device=centre.device) + 0.5) / size
    x = (at - centre[:, :1]) / wide.clamp_min(1e-3)[:, None]
    y = (at - centre[:, 1:]) / high.clamp_min(1e-3)[:, None]
    return (x[:, None, :].square() + y[:, :, None].square() < 1).float()
