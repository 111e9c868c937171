"""ACTalker's training step.

From the papers: AdamW at 1e-5, frozen VAE and identity encoder (and the pretrained voice and motion encoders), gate
states drawn at random, masks by gate. Not published, chosen here: the loss (EDM's weighted denoising error, which for
v-prediction is the plain error of v), SVD's noise levels (log-normal, mean 0.7, deviation 1.6), equal chances for the
three gate states, and that the published tenth of dropped conditions is drawn apart for identity, voice and motion.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ....networks.actalker.model import ACTalker, cast
from ....pipelines.actalker.masks import Masks, control_masks
from ....vocabulary import ACTALKER_FPS

TRAINED = ("unet", "face_mask_encoder", "identity_projector", "audio_projector", "motion_projector")
GATES = ((1.0, 0.0), (0.0, 1.0), (1.0, 1.0))


@dataclass(frozen=True)
class TrainingSettings:
    rate: float = 1e-5
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 1e-2
    warmup: int = 10
    clip: float = 1.0
    drop: float = 0.1
    noise_offset: float = 0.05
    log_sigma: tuple[float, float] = (0.7, 1.6)


class Window(NamedTuple):
    """One window of F frames of a clip, seen by the frozen encoders; everything the loss needs.

    latents (F, 4, h, w), scaled; reference (4, h, w), unscaled; face (1, 512); speech (F, 10, layers + 1, channels);
    expression (F, 512); rotation (F, 3); masks of (H, W) = 8 (h, w).
    """

    latents: Tensor
    reference: Tensor
    face: Tensor
    speech: Tensor
    expression: Tensor
    rotation: Tensor
    masks: Masks


class ACTalkerTrainer:
    """Holds the optimiser; `step(window)` is one update and returns the loss. Raises RuntimeError for absent parts.

    Weights are trained in float32; bf16 has matrix products done in bfloat16 (autocast).
    """

    def __init__(self, model: ACTalker, settings: TrainingSettings | None = None, seed: int = 0, bf16: bool = False):
        model.require(TRAINED, "be trained")
        self.model, self.settings, self.bf16 = model, settings or TrainingSettings(), bf16
        self.random = torch.Generator().manual_seed(seed)
        model.requires_grad_(False)
        for name in TRAINED:
            cast(getattr(model, name), torch.float32)
            getattr(model, name).requires_grad_(True)
        s = self.settings
        self.parameters = [p for name in TRAINED for p in getattr(model, name).parameters()]
        self.optimiser = torch.optim.AdamW(self.parameters, s.rate, s.betas, eps=1e-8, weight_decay=s.weight_decay)
        self.warmup = torch.optim.lr_scheduler.LambdaLR(self.optimiser, lambda i: min(1.0, (i + 1) / s.warmup))

    def step(self, window: Window) -> float:
        with torch.autocast(window.latents.device.type, torch.bfloat16, enabled=self.bf16):
            loss = self.loss(window)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, self.settings.clip)
        self.optimiser.step()
        self.warmup.step()
        return loss.item()

    def loss(self, window: Window, gates: tuple[float, float] | None = None) -> Tensor:
        """Mean squared error of v at a random noise level, under random (or the given) gates."""
        gates = gates or GATES[int(torch.randint(len(GATES), (), generator=self.random))]
        clean, device = window.latents, window.latents.device
        mean, deviation = self.settings.log_sigma
        sigma = float(torch.exp(mean + deviation * torch.randn((), generator=self.random)))
        noise = torch.randn(clean.shape, generator=self.random)
        noise = noise + self.settings.noise_offset * torch.randn(1, clean.shape[1], 1, 1, generator=self.random)
        noisy, target = noised(clean, noise.to(device), sigma)
        predicted = self._predict(window, noisy, sigma, gates)
        return (predicted.float() - target).square().mean()

    def _predict(self, window: Window, noisy: Tensor, sigma: float, gates: tuple[float, float]) -> Tensor:
        model, frames = self.model, len(noisy)
        known, heard, moved = (torch.rand(3, generator=self.random) >= self.settings.drop).tolist()
        identity = model.identity_projector(window.face)[None] * known
        speech = window.speech if heard else torch.zeros_like(window.speech)
        expression, rotation = (x if moved else torch.zeros_like(x) for x in (window.expression, window.rotation))
        audio_mask, motion_mask = (m[None, None] for m in control_masks(window.masks, *gates, "paper"))
        face_mask = window.masks.face.expand(1, 3, -1, -1).to(noisy)
        buckets = [float(ACTALKER_FPS), model.config.motion_bucket, model.config.expression_bucket]
        image = (window.reference * known).expand(frames, -1, -1, -1)
        return model.unet(
            torch.cat([noisy, image], 1)[None],
            0.25 * torch.log(torch.tensor(sigma)),
            identity=identity.expand(frames, -1, -1),
            audio=model.audio_projector(speech) * gates[0],
            motion=model.motion_projector(expression, rotation).unsqueeze(1) * gates[1],
            face_feature=model.face_mask_encoder(face_mask)[None].expand(1, frames, -1, -1, -1),
            audio_mask=audio_mask,
            motion_mask=motion_mask,
            added_time_ids=torch.tensor([buckets], device=noisy.device),
        )[0]


def noised(clean: Tensor, noise: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
    """The UNet's input c_in x of x = x0 + sigma n, and its target v, which gives x0 = c_in^2 x - sigma c_in v."""
    scale = (sigma**2 + 1) ** -0.5
    return (clean + sigma * noise) * scale, scale * (noise - sigma * clean)
