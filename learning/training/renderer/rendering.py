"""Second part of stage 1: motion becomes pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ....networks.renderer.layers import resize
from ....networks.renderer.model import Rendered, Renderer
from ....vocabulary import INDEX, LANDMARKS
from ...datasets.batch_slice import BatchSlice, Draws
from ...datasets.stills import StillSet
from .. import processes
from .adversarial import Adversary
from .augment import vary
from .film_losses import printed_mask_loss
from .losses import Stage1Weights, Target, stage1_losses, threshold_mask_loss, total
from .motion_space import MotionSpaceWeights, motion_space_losses
from .people import BESIDE, FASTER, Scenes, others_of, pairs_loss, pairs_of
from .perceptual import PerceptualLoss
from .stills_task import StillsTask

BLINKS = [INDEX["blink_left"], INDEX["blink_right"]]
TARGETS = 3  # frames a source is driven to: they share its pass


class Batch(NamedTuple):
    """G sources with three targets each, and what may drive them there."""

    source: Tensor  # (G,3,R,R)
    target: Target  # of 3G frames
    parameters: Tensor  # (G,4,24) of the person, source first
    frames: Tensor  # (G,4,3,S,S) a driver's pictures: the person, or more often the twin
    framed: Tensor  # (G,4,24) parameters of those pictures
    written: Tensor  # (G,1) bool: driven by the parameters, not by the pictures
    noise: Tensor  # (G,4,768) added to motion, against errors of encoder and stage 2; zeros when measuring
    other: Tensor | None = None  # (G,3,S,S) the person in another scene, for F_A; None: F_A is the source's
    otherwise: Tensor | None = None  # (G,1) bool: F_A is of that picture
    armed: Tensor | None = None  # (G,3,R,R) sources of half bodies with arms; `source` and `target` are without
    pairs: Tensor | None = None  # (2N,3,S,S) other people in two scenes, told apart by F_A


class RenderingTask(StillsTask):
    """Source, driver and target from drawn groups; the driver is the person, the twin, or the bare parameters.

    written: share of samples driven by parameters, so that images need not wait for the encoder. joint: the motion
    encoder learns on, held by its own losses; otherwise it was learnt before and is held still. other_scene: share of
    samples whose F_A is of the person in another scene, so that it must say who it is, not how he is lit. learn: the
    modules that learn, () for all.
    """

    PICTURES = TARGETS

    def __init__(
        self,
        renderer: Renderer,
        stills: StillSet,
        size: int = 128,
        weights: Stage1Weights | None = None,
        written: float = 0.5,
        joint: bool = False,
        adversarial: bool = False,
        vgg: str | Path | None = None,
        other_scene: float = 0.0,
        learn: Sequence[str] = (),
    ):
        super().__init__(renderer, stills, size)
        self.weights, self.written, self.joint = weights or Stage1Weights(), written, joint
        self.other_scene, self.learn = other_scene, tuple(f"{name}." for name in learn)
        if learn:  # no gradients for the others
            for name, p in renderer.named_parameters():
                p.requires_grad_(name.startswith(self.learn))
        self.scenes = Scenes(stills) if other_scene or self.weights.appearance else None
        self.perceptual = PerceptualLoss(vgg).to(self.device) if self.weights.perceptual else None
        self.adversary = Adversary().to(self.device) if adversarial and self.weights.adversarial else None

    def parameters(self) -> list[Tensor]:
        """All but the motion space, which stage 2 is trained on, and but for `joint` its encoder."""
        space = (self.renderer.parameters_of_motion, *(() if self.joint else (self.renderer.motion_encoder,)))
        held = {id(p) for module in space for p in module.parameters()}
        named = self.renderer.named_parameters()
        return [p for name, p in named if id(p) not in held and (not self.learn or name.startswith(self.learn))]

    def parameter_groups(self, rate: float) -> list[dict[str, Any]]:
        """Where F_A takes part in the learning, what scales and shifts by it learns FASTER: at the rate of the others
        it had no say after a trial of 148 steps."""
        parameters = self.parameters()
        if self.scenes is None or not self.renderer.config.use_appearance:
            return super().parameter_groups(rate)
        reads = ("decoder.appearance.", "decoder.appearance_finer.")
        quick = {id(p) for name, p in self.renderer.named_parameters() if name.startswith(reads)}
        fast = [p for p in parameters if id(p) in quick]
        usual = [p for p in parameters if id(p) not in quick]
        return [{"params": usual, "lr": rate}, {"params": fast, "lr": FASTER * rate}]

    def batches(self, slices: Iterator[BatchSlice]) -> Iterator[Batch]:
        """As of all stills; where F_A learns to tell people apart, other people come with each."""
        for part in slices:
            batch = next(super().batches(iter([part])))
            if self.weights.appearance:
                size = self.renderer.config.motion_size
                batch = batch._replace(pairs=pairs_of(self.scenes, part, BESIDE, size, self.device))
            yield batch

    def batch(self, indices: Sequence[int], size: int, draws: Draws, augment: bool = True) -> Batch:
        """Groups by number, one person of each as source and target, at `size` pixels."""
        groups = self.stills.get(np.asarray(indices))
        g, device = groups.rgb.shape[0], groups.rgb.device
        row, person = torch.arange(g, device=device), draws.integers(2)
        driver = torch.where(draws.uniform() < 0.6, 1 - person, person)
        half = groups.bare is not None
        pictures = self._pictures(groups.bare if half else groups.rgb, person, size, draws, augment)
        noise = torch.zeros(g, 1 + TARGETS, self.renderer.config.motion_dim, device=device)
        if augment:
            noise = 0.05 * draws.normal(*noise.shape[1:])
            noise[:, 0] *= 2
        marks = groups.mark[row, person]
        target = Target(
            pictures[:, 1:].flatten(0, 1),
            groups.displacement()[row, person].flatten(0, 1),
            groups.visible()[row, person].flatten(0, 1)[:, None],
            groups.part()[row, person].flatten(0, 1)[:, None],
            marks[:, 1:, : len(LANDMARKS)].flatten(0, 1),
            (groups.param[row, person, 1:] - groups.param[row, person, :1])[..., BLINKS].flatten(0, 1),
        )
        batch = Batch(
            pictures[:, 0],
            target,
            groups.param[row, person],
            self._pictures(groups.rgb, driver, self.renderer.config.motion_size, draws, augment),
            groups.param[row, driver],
            draws.uniform(1) < self.written,
            noise,
        )
        if half:
            batch = batch._replace(armed=self._pictures(groups.rgb, person, size, draws, augment)[:, 0])
        if not (self.other_scene and augment):
            return batch
        seeds = draws.integers(1 << 31).tolist()
        other = resize(others_of(self.scenes, indices, person.tolist(), seeds).to(device), batch.frames.shape[-1])
        return batch._replace(other=vary(other, draws), otherwise=draws.uniform(1) < self.other_scene)

    @staticmethod
    def _pictures(rgb: Tensor, person: Tensor, size: int, draws: Draws, augment: bool) -> Tensor:
        """(G,4,3,size,size) of one person of each group of rgb (G,2,4,S,S,3), as one camera saw them."""
        chosen = rgb[torch.arange(len(person), device=person.device), person].flatten(0, 1)
        pictures = resize(chosen.permute(0, 3, 1, 2).float() / 255, size)
        if augment:
            pictures = vary(pictures, draws, shared=1 + TARGETS)
        return pictures.unflatten(0, (-1, 1 + TARGETS))

    def drive(self, batch: Batch, look: bool = True) -> tuple[Tensor, Tensor, Tensor]:
        """M_0 (G,768), the driving motions (3G,768), and the motion seen in the driver's pictures (G,4,768).

        Without `look` the pictures are not encoded, and all is as written.
        """
        with torch.no_grad():
            written = self.renderer.motion_from_parameters(batch.parameters)
        with torch.set_grad_enabled(self.joint and torch.is_grad_enabled()):
            seen, base, motion = written, written[:, 0], written
            if look:
                seen = self.renderer.encode_motion(batch.frames.flatten(0, 1)).unflatten(0, (-1, 1 + TARGETS))
                own = self.renderer.encode_motion(batch.source if batch.armed is None else batch.armed)
                base = torch.where(batch.written, base, own.to(written.dtype))
                motion = torch.where(batch.written[..., None], motion, seen.to(written.dtype))
            base = self.renderer.centred(base)
            motion = base[:, None] + motion[:, 1:] - motion[:, :1]
        noise = batch.noise * processes.deviation(motion.detach())
        return base + noise[:, 0], (motion + noise[:, 1:]).flatten(0, 1), seen

    def render(self, source: Tensor, motion: Tensor, base: Tensor, batch: Batch | None = None) -> Rendered:
        """Drive each of G sources by its three motions; the batch says whose F_A, where not the source's."""
        encoded = self.renderer.encode_source(source, motion=base, size=source.shape[-1], armed=False)
        appearance = self.renderer.extract_appearance(encoded)
        if batch is not None and batch.other is not None:
            appearance = torch.where(batch.otherwise, self.renderer.appearance_of(batch.other), appearance)
        appearance = appearance.repeat_interleave(TARGETS, 0)
        return self.renderer.decode(encoded.repeat(TARGETS) if source.shape[0] > 1 else encoded, appearance, motion)

    def losses(self, batch: Batch, progress: float = 0.0) -> dict[str, Tensor]:
        """Unweighted terms of one batch, and their weighted sum."""
        base, motion, seen = self.drive(batch, look=self.joint or self.written < 1)
        rendered = self.render(batch.source, motion, base, batch)
        target, weights = batch.target, self.weights
        losses = stage1_losses(rendered, target)
        if weights.threshold_mask or weights.printed_mask:
            losses |= self._mask_losses(rendered.synthesis.warped_identity, target.image)
        if self.perceptual is not None:
            losses["perceptual"] = self.perceptual(rendered.image, target.image)
        if batch.pairs is not None:
            losses["appearance"] = pairs_loss(self.renderer, batch.pairs)
        if self.joint:
            losses["motion_space"] = total(motion_space_losses(self.renderer, seen, batch.framed), MotionSpaceWeights())
        if self.adversary is None:
            return losses | {"loss": total(losses, weights)}
        pair = rendered.image, target.image, target.landmarks
        losses |= self.adversary.terms(*pair, progress)
        mistakes = self.adversary.mistakes(*pair)
        loss = total(losses, weights) + (mistakes - mistakes.detach())  # its gradient, for the discriminators, alone
        return losses | {"discriminator": mistakes, "loss": loss}

    def _mask_losses(self, deviated: Tensor, image: Tensor) -> dict[str, Tensor]:
        """L_pg of phi' (N,C,h,w) against F_id of the true pictures, with a gate a place or as printed."""
        with torch.no_grad():
            context = self.renderer.image_encoder.context(resize(image, self.renderer.config.motion_size))
            truth = self.renderer.depth(context[1]).flatten(1, 2)
        losses = {"threshold_mask": threshold_mask_loss, "printed_mask": printed_mask_loss}
        return {name: loss(deviated, truth) for name, loss in losses.items() if getattr(self.weights, name)}

    @torch.no_grad()
    def measure(self, indices: np.ndarray, size: int) -> dict[str, float]:
        """On at most 16 groups held out: PSNR driven by pictures and by parameters, of copying the source, and at rest;
        flow error in pixels at 128, visibility, mouth error."""
        indices = indices[:16]
        draws = BatchSlice(5, 0, range(len(indices)), len(indices)).draws(self.device)
        batch = self.batch(indices, size, draws, augment=False)
        copied = batch.source.repeat_interleave(TARGETS, 0)
        seen, written = (
            self._measured(batch._replace(written=torch.full_like(batch.written, w))) for w in (False, True)
        )
        base = self.drive(batch)[0]
        still = self.render(batch.source, base.repeat_interleave(TARGETS, 0), base)
        losses = stage1_losses(seen, batch.target)
        mouth = resize(batch.target.mouth, size)
        error = (seen.image - batch.target.image).abs() * mouth
        return {
            "psnr": _psnr(seen.image, batch.target.image),
            "psnr_written": _psnr(written.image, batch.target.image),
            "psnr_copy": _psnr(copied, batch.target.image),
            "psnr_rest": _psnr(still.image, copied),
            "flow": float(losses["flow"]),
            "visible": float(losses["visible"]),
            "mouth_l1": float(error.sum() / (3 * mouth.sum()).clamp_min(1)),
        }

    def _measured(self, batch: Batch) -> Rendered:
        base, motion, _ = self.drive(batch)
        return self.render(batch.source, motion, base)


def _psnr(a: Tensor, b: Tensor) -> float:
    """Mean over pictures, decibels."""
    error = F.mse_loss(a.float(), b.float(), reduction="none").mean((1, 2, 3)).clamp_min(1e-10)
    return float((-10 * error.log10()).mean())
