"""Stage 1 from plain films: a clip's frame is brought to another one's motion, and pixels alone say how well.

The motion encoder learns through the reconstruction. So that it tells motion and not who moves, it sees the driving
frames in other colours, at another place and scale than the renderer's, and of drawn people often a twin's."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ....networks.renderer.layers import resize
from ....networks.renderer.model import Rendered, Renderer
from ...datasets.batch_slice import BatchSlice, Draws
from ...datasets.film_frames import Frames, stacked
from .. import processes
from .adversarial import Adversary
from .augment import jostle, vary
from .efficientnet import EfficientNetLoss, installed_weights
from .film_losses import FilmWeights, identity_loss, picture_losses, printed_mask_loss
from .losses import threshold_mask_loss, total
from .optical_flow import FoundFlow, find_flow, found_flow_loss
from .perceptual import PerceptualLoss

TARGETS = 3  # frames a source is driven to: they share its pass
TWINS = 0.5  # of the samples that have a twin are driven by it


@dataclass(frozen=True)
class Withheld:
    """Shares of the samples of a "semi" space that are driven by one part of the motion alone."""

    named: float = 0.25  # without it the free part would stay what the renderer can do without
    free: float = 0.25  # voices and edits have none


class FilmBatch(NamedTuple):
    """G sources with three targets each, and the pictures that drive them there."""

    source: Tensor  # (G,3,R,R)
    target: Tensor  # (3G,3,R,R)
    driving: Tensor  # (G,4,3,S,S) as the encoder sees them, the source's first
    named: Tensor  # (G,1,1) 1, or 0 where the named part is withheld
    free: Tensor  # (G,1,1) likewise
    noise: Tensor  # (G,4,768) added to motion
    flow: FoundFlow | None = None  # of the targets, where it is learnt from


def features_of(vgg: str | Path | None) -> nn.Module | None:
    """L_per in VGG-19's features by a given file, else in EfficientNet-Lite0's where that is installed, else None."""
    if vgg:
        return PerceptualLoss(vgg)
    return EfficientNetLoss(file) if (file := installed_weights()) else None


class FilmTask:
    """Films of one source at `size` pixels. held: the encoder whose reading of names is kept, None for none."""

    PICTURES = TARGETS

    def __init__(
        self,
        renderer: Renderer,
        frames: Frames,
        size: int = 128,
        weights: FilmWeights | None = None,
        withheld: Withheld | None = None,
        held: Renderer | None = None,
        vgg: str | Path | None = None,
    ):
        self.renderer, self.frames, self.size = renderer, frames, size
        self.weights, self.withheld = weights or FilmWeights(), withheld or Withheld()
        self.device = next(renderer.parameters()).device
        self.held = held.to(self.device) if held is not None else None
        self.perceptual = features_of(vgg) if self.weights.perceptual else None
        if self.perceptual is not None:
            self.perceptual.to(self.device)
        self.adversary = Adversary(names=("picture",)).to(self.device) if self.weights.adversarial else None

    def batches(self, slices: Iterator[BatchSlice]) -> Iterator[FilmBatch]:
        """Every clip and its frames are picked at random."""
        for part in slices:
            samples = [self.frames.sample(part.rng(sample), 1 + TARGETS) for sample in part.samples]
            yield self.batch(*stacked(samples), part.draws(self.device))

    def batch(self, frames: np.ndarray, twins: np.ndarray, draws: Draws) -> FilmBatch:
        """Frames and those of twins (G,4,S,S,3) uint8, the source first, augmented."""
        pictures, others = (torch.from_numpy(x).to(self.device) for x in (frames, twins))
        driving = torch.where(draws.uniform(1, 1, 1, 1) < TWINS, others, pictures)
        pictures, driving = (x.flatten(0, 1).permute(0, 3, 1, 2).float() / 255 for x in (pictures, driving))
        flip = (draws.uniform(1, 1, 1) < 0.5).repeat_interleave(1 + TARGETS, 0)
        pictures, driving = (torch.where(flip, x.flip(-1), x) for x in (pictures, driving))
        flow = None
        if self.weights.flow:
            plain = resize(pictures, self.renderer.config.motion_size)
            flow = find_flow(plain.unflatten(0, (-1, 1 + TARGETS)))
        pictures = vary(resize(pictures, self.size), draws, shared=1 + TARGETS).unflatten(0, (-1, 1 + TARGETS))
        driving = resize(driving, self.renderer.config.motion_size)
        driving = jostle(driving, driving.new_zeros(len(driving), 1, 2), draws, shared=1 + TARGETS)[0]
        driving = vary(driving, draws, shared=1 + TARGETS).unflatten(0, (-1, 1 + TARGETS))
        lot, shares = draws.uniform(1, 1), self.withheld
        semi = self.renderer.config.motion_space == "semi"
        named = (lot >= shares.named * semi).float()
        free = ((lot < 1 - shares.free * semi) | (lot < shares.named)).float()
        noise = 0.05 * draws.normal(1 + TARGETS, self.renderer.config.motion_dim)
        return FilmBatch(pictures[:, 0], pictures[:, 1:].flatten(0, 1), driving, named, free, noise, flow)

    def drive(self, batch: FilmBatch) -> tuple[Tensor, Tensor, Tensor]:
        """M_0 (G,768), the driving motions (3G,768), and the motion seen in the driving pictures (G,4,768)."""
        renderer = self.renderer
        seen = renderer.encode_motion(batch.driving.flatten(0, 1)).unflatten(0, (-1, 1 + TARGETS))
        base = renderer.centred(renderer.encode_motion(batch.source))
        change = seen[:, 1:] - seen[:, :1]
        free = renderer.free_part(change)
        change = batch.named * (change - free) + batch.free * free if renderer.config.readout else change
        noise = batch.noise * processes.deviation(seen.detach())
        return base + 2 * noise[:, 0], (base[:, None] + change + noise[:, 1:]).flatten(0, 1), seen

    def render(self, source: Tensor, motion: Tensor, base: Tensor) -> Rendered:
        """Drive each of G sources by its motions (N*G,768)."""
        encoded = self.renderer.encode_source(source, motion=base, size=source.shape[-1])
        count = len(motion) // len(base)
        appearance = self.renderer.extract_appearance(encoded).repeat_interleave(count, 0)
        return self.renderer.decode(encoded.repeat(count) if len(base) > 1 else encoded, appearance, motion)

    def losses(self, batch: FilmBatch, progress: float = 0.0) -> dict[str, Tensor]:
        """Unweighted terms of one batch, and their weighted sum."""
        base, motion, seen = self.drive(batch)
        rendered, weights = self.render(batch.source, motion, base), self.weights
        losses = picture_losses(rendered, batch.target)
        if weights.threshold_mask or weights.printed_mask:
            with torch.no_grad():
                context = self.renderer.image_encoder.context(resize(batch.target, self.renderer.config.motion_size))
                truth = self.renderer.depth(context[1]).flatten(1, 2)
            pair = rendered.synthesis.warped_identity, truth
            losses |= {"threshold_mask": threshold_mask_loss(*pair), "printed_mask": printed_mask_loss(*pair)}
        if batch.flow is not None:
            fields = rendered.motion.coarse, rendered.motion.field
            losses["flow"] = (1 - progress) * sum(found_flow_loss(field, batch.flow) for field in fields)
        if self.perceptual is not None:
            losses["perceptual"] = self.perceptual(rendered.image, batch.target)
        if self.renderer.config.motion_space == "semi":
            losses["identity"] = identity_loss(self.renderer.free_part(seen))
        if self.held is not None:
            losses["names"] = self._names(batch.driving, seen)
        if self.adversary is None:
            return losses | {"loss": total(losses, weights)}
        losses |= self.adversary.terms(rendered.image, batch.target, None, progress)
        mistakes = self.adversary.mistakes(rendered.image, batch.target, None)
        loss = total(losses, weights) + (mistakes - mistakes.detach())  # its gradient, for the discriminator, alone
        return losses | {"discriminator": mistakes, "loss": loss}

    def _names(self, driving: Tensor, seen: Tensor) -> Tensor:
        """Mean square of what the read-out says otherwise than it did."""
        with torch.no_grad():
            named = self.held.read_parameters(self.held.encode_motion(driving.flatten(0, 1)))
        return F.mse_loss(self.renderer.read_parameters(seen.flatten(0, 1)), named)

    def state(self) -> dict[str, Any]:
        """The renderer, and the discriminator where it takes part."""
        adversary = {} if self.adversary is None else {"adversary": self.adversary.state_dict()}
        return {"renderer": self.renderer.state_dict()} | adversary

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of `state`."""
        self.renderer.load_state_dict(state["renderer"])
        if self.adversary is not None and "adversary" in state:
            self.adversary.load_state_dict(state["adversary"])


def holder(renderer: Renderer) -> Renderer | None:
    """A copy that holds what names mean, None for a space without names."""
    return copy.deepcopy(renderer).eval().requires_grad_(False) if renderer.config.readout else None
