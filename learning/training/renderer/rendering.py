"""Second part of stage 1: motion becomes pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ....networks.renderer.layers import resize
from ....networks.renderer.model import Rendered, Renderer
from ....vocabulary import INDEX
from ...datasets.stills import Groups, StillSet
from .adversarial import Adversary
from .augment import vary
from .losses import Stage1Weights, Target, stage1_losses, threshold_mask_loss, total
from .motion_space import MotionSpaceWeights, motion_space_losses
from .perceptual import PerceptualLoss

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
    noise: Tensor  # (G,4,768) what stage 2 and the encoder get wrong must not break the picture; zeros when measuring


class RenderingTask:
    """Source, driver and target from drawn groups; the driver is the person, the twin, or the bare parameters.

    written: share of samples driven by parameters, so that images need not wait for the encoder. joint: the motion
    encoder learns on, held by its own losses; otherwise it was learnt before and is held still.
    """

    PICTURES = TARGETS

    def __init__(
        self,
        renderer: Renderer,
        stills: StillSet,
        weights: Stage1Weights | None = None,
        written: float = 0.5,
        joint: bool = False,
        adversarial: bool = False,
        vgg: str | Path | None = None,
    ):
        self.renderer, self.stills, self.weights = renderer, stills, weights or Stage1Weights()
        self.written, self.joint = written, joint
        device = next(renderer.parameters()).device
        self.perceptual = PerceptualLoss(vgg).to(device) if self.weights.perceptual else None
        self.adversary = Adversary().to(device) if adversarial and self.weights.adversarial else None

    def parameters(self) -> list[Tensor]:
        """All but the motion space, which stage 2 is trained on, and but for `joint` its encoder."""
        space = (self.renderer.parameters_of_motion, *(() if self.joint else (self.renderer.motion_encoder,)))
        held = {id(p) for module in space for p in module.parameters()}
        return [p for p in self.renderer.parameters() if id(p) not in held]

    def batch(self, indices, size: int, generator: torch.Generator | None, augment: bool = True) -> Batch:
        """Groups by number, one person of each as source and target, at `size` pixels."""
        groups = self.stills.get(indices)
        g, device = groups.rgb.shape[0], groups.rgb.device
        row, person = torch.arange(g, device=device), torch.randint(0, 2, (g,), generator=generator, device=device)
        twin = torch.rand(g, generator=generator, device=device) < 0.6
        driver = torch.where(twin, 1 - person, person)
        pictures = self._pictures(groups, person, size, generator, augment)
        noise = torch.zeros(g, 1 + TARGETS, self.renderer.config.motion_dim, device=device)
        if augment:
            noise = 0.05 * torch.randn(noise.shape, generator=generator, device=device)
            noise[:, 0] *= 2
        target = Target(
            pictures[:, 1:].flatten(0, 1),
            groups.displacement()[row, person].flatten(0, 1),
            groups.visible()[row, person].flatten(0, 1)[:, None],
            groups.part()[row, person].flatten(0, 1)[:, None],
            groups.mark[row, person, 1:].flatten(0, 1),
            (groups.param[row, person, 1:] - groups.param[row, person, :1])[..., BLINKS].flatten(0, 1),
        )
        return Batch(
            pictures[:, 0],
            target,
            groups.param[row, person],
            self._pictures(groups, driver, self.renderer.config.motion_size, generator, augment),
            groups.param[row, driver],
            torch.rand(g, 1, generator=generator, device=device) < self.written,
            noise,
        )

    @staticmethod
    def _pictures(groups: Groups, person: Tensor, size: int, generator, augment: bool) -> Tensor:
        """(G,4,3,size,size) of one person of each group, as one camera saw them."""
        chosen = groups.rgb[torch.arange(len(person), device=person.device), person].flatten(0, 1)
        pictures = resize(chosen.permute(0, 3, 1, 2).float() / 255, size)
        if augment:
            pictures = vary(pictures, generator, shared=1 + TARGETS)
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
                own = self.renderer.encode_motion(batch.source).to(written.dtype)
                base = torch.where(batch.written, base, own)
                motion = torch.where(batch.written[..., None], motion, seen.to(written.dtype))
            base = self.renderer.centred(base)
            motion = base[:, None] + motion[:, 1:] - motion[:, :1]
        noise = batch.noise * motion.detach().std()
        return base + noise[:, 0], (motion + noise[:, 1:]).flatten(0, 1), seen

    def render(self, source: Tensor, motion: Tensor, base: Tensor) -> Rendered:
        """Drive each of G sources by its three motions."""
        encoded = self.renderer.encode_source(source, motion=base, size=source.shape[-1])
        appearance = self.renderer.extract_appearance(encoded).repeat_interleave(TARGETS, 0)
        return self.renderer.decode(encoded.repeat(TARGETS) if source.shape[0] > 1 else encoded, appearance, motion)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Unweighted terms of one batch."""
        base, motion, seen = self.drive(batch, look=self.joint or self.written < 1)
        rendered = self.render(batch.source, motion, base)
        target, weights = batch.target, self.weights
        losses = stage1_losses(rendered, target)
        if weights.threshold_mask:
            with torch.no_grad():
                context = self.renderer.image_encoder.context(resize(target.image, self.renderer.config.motion_size))
                truth = self.renderer.depth(context[1]).flatten(1, 2)
            losses["threshold_mask"] = threshold_mask_loss(rendered.synthesis.warped_identity, truth)
        if self.perceptual is not None:
            losses["perceptual"] = self.perceptual(rendered.image, target.image)
        if self.adversary is not None:
            losses |= self.adversary.terms(rendered.image, target.image, target.landmarks)
        if self.joint:
            losses["motion_space"] = total(motion_space_losses(self.renderer, seen, batch.framed), MotionSpaceWeights())
        return losses

    def follow(self, progress: float) -> dict[str, Tensor]:
        """What learns after the renderer's step: the discriminators."""
        return {} if self.adversary is None else self.adversary.learn(progress)

    def state(self) -> dict[str, Any]:
        """What a checkpoint needs beside the renderer."""
        return {} if self.adversary is None else self.adversary.state()

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of `state`."""
        if self.adversary is not None and state:
            self.adversary.restore(state)

    @torch.no_grad()
    def measure(self, indices: np.ndarray, size: int) -> dict[str, float]:
        """On at most 16 groups held out: PSNR driven by pictures and by parameters, of copying the source, and at rest;
        flow error in pixels at 128, visibility, mouth error."""
        indices = indices[:16]
        generator = torch.Generator(self.renderer.rest_motion().device).manual_seed(5)
        batch = self.batch(indices, size, generator, augment=False)
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
