"""Second part of stage 1: motion becomes pixels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..datasets.stills import Groups, StillSet
from ..networks.implicit_motion.layers import resize
from ..networks.implicit_motion.renderer import Rendered, Renderer
from .photometric import vary
from .stage1_losses import Stage1Weights, Target, stage1_losses, threshold_mask_loss

TARGETS = 3  # frames a source is driven to: they share its pass


class RenderingTask:
    """Source, driver and target from drawn groups; the driver is the person, the twin, or the bare parameters."""

    def __init__(self, renderer: Renderer, stills: StillSet, weights: Stage1Weights | None = None, written: float = 0.5):
        self.renderer, self.stills, self.weights = renderer, stills, weights or Stage1Weights()
        self.written = written  # share of samples driven by written motion, so that images need not wait for the encoder

    def parameters(self) -> list[Tensor]:
        """All but the motion space, which is learnt first and then held still (stage 2 is trained on it)."""
        held = {id(p) for m in (self.renderer.motion_encoder, self.renderer.parameters_of_motion) for p in m.parameters()}
        return [p for p in self.renderer.parameters() if id(p) not in held]

    def batch(self, indices, size: int, generator: torch.Generator | None, augment: bool = True):
        """(source (G,3,R,R), driving motion (3G,768), source motion (G,768), Target) for G groups."""
        groups = self.stills.get(indices)
        g, device = groups.rgb.shape[0], groups.rgb.device
        person = torch.randint(0, 2, (g,), generator=generator, device=device)
        row = torch.arange(g, device=device)
        pictures = resize(groups.rgb[row, person].flatten(0, 1).permute(0, 3, 1, 2).float() / 255, size)
        if augment:
            pictures = vary(pictures, generator, shared=1 + TARGETS)
        pictures = pictures.unflatten(0, (g, 1 + TARGETS))
        base, motion = self._motion(groups, person, pictures[:, 0], generator, augment)
        target = Target(
            pictures[:, 1:].flatten(0, 1),
            groups.displacement()[row, person].flatten(0, 1),
            groups.visible()[row, person].flatten(0, 1)[:, None],
            groups.part()[row, person].flatten(0, 1)[:, None],
        )
        return pictures[:, 0], motion, base, target

    @torch.no_grad()
    def _motion(self, groups: Groups, person: Tensor, source: Tensor, generator, augment: bool) -> tuple[Tensor, Tensor]:
        """M_0 (G,768) and the driving motions (3G,768): written from the parameters, or seen in the pictures of a driver."""
        g, row, device = person.shape[0], torch.arange(person.shape[0], device=person.device), person.device
        motion = self.renderer.motion_from_parameters(groups.param[row, person])
        base = motion[:, 0]
        if self.written < 1:
            use_written = torch.rand(g, 1, generator=generator, device=device) < self.written
            seen_base, seen = self._seen(groups, person, source, generator, augment)
            base = torch.where(use_written, base, seen_base.to(base.dtype))
            motion = torch.where(use_written[..., None], motion, seen.to(motion.dtype))
        motion = base[:, None] + motion[:, 1:] - motion[:, :1]
        if augment:  # what stage 2 and the encoder get wrong must not break the picture
            noise = 0.05 * motion.std()
            base = base + 2 * noise * torch.randn(base.shape, generator=generator, device=device)
            motion = motion + noise * torch.randn(motion.shape, generator=generator, device=device)
        return base, motion.flatten(0, 1)

    def _seen(self, groups: Groups, person: Tensor, source: Tensor, generator, augment: bool) -> tuple[Tensor, Tensor]:
        """The encoder's view of the source, and of the driver's four frames: the same person, or more often the twin."""
        g, row = person.shape[0], torch.arange(person.shape[0], device=person.device)
        twin = torch.rand(g, generator=generator, device=person.device) < 0.6
        driver = torch.where(twin, 1 - person, person)
        frames = resize(groups.rgb[row, driver].flatten(0, 1).permute(0, 3, 1, 2).float() / 255, self.renderer.config.motion_size)
        if augment:
            frames = vary(frames, generator, shared=1 + TARGETS)
        return self.renderer.encode_motion(source), self.renderer.encode_motion(frames).view(g, 1 + TARGETS, -1)

    def render(self, source: Tensor, motion: Tensor, base: Tensor) -> Rendered:
        """Drive each of G sources by its three motions."""
        encoded = self.renderer.encode_source(source, motion=base, size=source.shape[-1])
        appearance = self.renderer.extract_appearance(encoded)
        return self.renderer.decode(encoded.repeat(TARGETS) if source.shape[0] > 1 else encoded, appearance.repeat_interleave(TARGETS, 0), motion)

    def losses(self, source: Tensor, motion: Tensor, base: Tensor, target: Target) -> dict[str, Tensor]:
        """Unweighted terms of one batch."""
        rendered = self.render(source, motion, base)
        losses = stage1_losses(rendered, target)
        if self.weights.threshold_mask:
            with torch.no_grad():
                truth = self.renderer.depth(self.renderer.image_encoder.context(resize(target.image, self.renderer.config.motion_size))[1])
            losses["threshold_mask"] = threshold_mask_loss(rendered.synthesis.warped_identity, truth.flatten(1, 2))
        return losses

    @torch.no_grad()
    def measure(self, indices, size: int) -> dict[str, float]:
        """On groups held out: PSNR of the render, of copying the source, flow error in pixels at 128, mouth error, PSNR at rest."""
        generator = torch.Generator(self.stills.get(indices[:1]).rgb.device).manual_seed(5)
        source, motion, base, target = self.batch(indices, size, generator, augment=False)
        rendered = self.render(source, motion, base)
        still = self.render(source, base.repeat_interleave(TARGETS, 0), base)
        copied = source.repeat_interleave(TARGETS, 0)
        losses = stage1_losses(rendered, target)
        mouth = resize(target.mouth, size)
        return {
            "psnr": _psnr(rendered.image, target.image),
            "psnr_copy": _psnr(copied, target.image),
            "psnr_rest": _psnr(still.image, copied),
            "flow": float(losses["flow"]),
            "visible": float(losses["visible"]),
            "mouth_l1": float(((rendered.image - target.image).abs() * mouth).sum() / (3 * mouth.sum()).clamp_min(1)),
        }


def _psnr(a: Tensor, b: Tensor) -> float:
    """Mean over pictures, decibels."""
    error = F.mse_loss(a.float(), b.float(), reduction="none").mean((1, 2, 3)).clamp_min(1e-10)
    return float((-10 * error.log10()).mean())
