"""ACTalker's task: windows of clips, and the denoising error on them.

From the papers: AdamW at 1e-5, frozen VAE and identity encoder (and the pretrained voice and motion encoders), gate
states drawn at random, masks by gate. Not published, chosen here: the loss (EDM's weighted denoising error, which for
v-prediction is the plain error of v), SVD's noise levels (log-normal, mean 0.7, deviation 1.6), equal chances for the
three gate states, and that the published tenth of dropped conditions is drawn apart for identity, voice and motion.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ....networks.actalker.model import ACTalker, cast
from ....pipelines.actalker.masks import control_masks
from ....vocabulary import ACTALKER_FPS
from ...datasets.batch_slice import BatchSlice, Draws
from ...datasets.clip_files import ClipFiles
from .data import Window, read_window

log = logging.getLogger("mamba_portrait")

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


class Noise(NamedTuple):
    """What a training step adds to a window, and what it hides from the network."""

    gates: tuple[float, float]  # of voice and motion
    sigma: float
    eps: Tensor  # (F, 4, h, w)
    identity: bool  # whether the network is given it
    voice: bool
    motion: bool

    @classmethod
    def draw(cls, draws: Draws, like: Tensor, settings: TrainingSettings) -> Noise:
        """For one window with latents `like`, on the CPU: a seed means the same on every device."""
        mean, deviation = settings.log_sigma
        given = draws.uniform(3)[0] >= settings.drop
        offset = settings.noise_offset * draws.normal(1, like.shape[1], 1, 1)[0]
        return cls(
            GATES[int(draws.integers(len(GATES)))],
            float(torch.exp(mean + deviation * draws.normal())),
            (draws.normal(*like.shape)[0] + offset).to(like.device),
            *given.tolist(),
        )


class ACTalkerTask:
    """Samples are windows of random clips; clips that cannot be used are passed over with a warning.

    Weights are trained in float32, all parts but TRAINED are frozen. Raises RuntimeError for absent parts.
    """

    def __init__(
        self,
        model: ACTalker,
        settings: TrainingSettings | None = None,
        clips: Sequence[ClipFiles] = (),
        image_size: int | None = None,
    ):
        model.require(TRAINED, "be trained")
        self.model, self.settings = model, settings or TrainingSettings()
        self.clips, self.image_size = clips, image_size
        self.seen: list[str] = []  # names of the last batch's clips
        self.unusable: set[ClipFiles] = set()  # clips that the log names already
        model.requires_grad_(False)
        for name in TRAINED:
            cast(getattr(model, name), torch.float32)
            getattr(model, name).requires_grad_(True)

    def optimizer(self) -> torch.optim.AdamW:
        """Of the trained parts."""
        s, parameters = self.settings, [p for name in TRAINED for p in getattr(self.model, name).parameters()]
        return torch.optim.AdamW(parameters, s.rate, s.betas, eps=1e-8, weight_decay=s.weight_decay)

    def rate(self, step: int, progress: float) -> float:
        """Factor of the learning rate: a linear warm-up, then 1."""
        return min(1.0, (step + 1) / self.settings.warmup)

    def batches(self, slices: Iterator[BatchSlice]) -> Iterator[list[tuple[Window, Noise]]]:
        """A window of each sample, and its noise."""
        for part in slices:
            found = [self._window(part.rng(sample)) for sample in part.samples]
            self.seen = [name for _, name in found]
            draws = [Draws([generator]) for generator in part.draws().generators]  # windows differ in size
            yield [(w, Noise.draw(d, w.latents, self.settings)) for (w, _), d in zip(found, draws, strict=True)]

    def _window(self, random: np.random.Generator) -> tuple[Window, str]:
        """A window of a random clip that can be used, and the clip's name."""
        for i in random.permutation(len(self.clips)):
            clip = self.clips[i]
            try:
                return self.window_of(clip, random), clip.name
            except ValueError as fault:
                if clip not in self.unusable:
                    log.warning("%s is left out: %s", clip.name, fault)
                    self.unusable.add(clip)
        raise ValueError("No clip is long enough and shows a face from beginning to end.")

    def window_of(self, clip: ClipFiles, random: np.random.Generator) -> Window:
        """A random window of a clip, as training sees it. ValueError where the clip cannot be used."""
        return read_window(self.model, clip, random, self.image_size)

    def losses(self, batch: list[tuple[Window, Noise]], progress: float = 0.0) -> dict[str, Tensor]:
        """The mean over windows, of which each is a pass of its own."""
        return {"loss": torch.stack([self.loss(window, noise) for window, noise in batch]).mean()}

    def loss(self, window: Window, noise: Noise) -> Tensor:
        """Mean squared error of v at the noise's level, under its gates."""
        noisy, target = noised(window.latents, noise.eps, noise.sigma)
        return (self._predict(window, noisy, noise).float() - target).square().mean()

    def _predict(self, window: Window, noisy: Tensor, noise: Noise) -> Tensor:
        model, frames, gates = self.model, len(noisy), noise.gates
        identity = model.identity_projector(window.face)[None] * noise.identity
        speech = window.speech if noise.voice else torch.zeros_like(window.speech)
        expression, rotation = (
            x if noise.motion else torch.zeros_like(x) for x in (window.expression, window.rotation)
        )
        audio_mask, motion_mask = (m[None, None] for m in control_masks(window.masks, *gates, "paper"))
        face_mask = window.masks.face.expand(1, 3, -1, -1).to(noisy)
        buckets = [float(ACTALKER_FPS), model.config.motion_bucket, model.config.expression_bucket]
        image = (window.reference * noise.identity).expand(frames, -1, -1, -1)
        return model.unet(
            torch.cat([noisy, image], 1)[None],
            0.25 * torch.log(torch.tensor(noise.sigma)),
            identity=identity.expand(frames, -1, -1),
            audio=model.audio_projector(speech) * gates[0],
            motion=model.motion_projector(expression, rotation).unsqueeze(1) * gates[1],
            face_feature=model.face_mask_encoder(face_mask)[None].expand(1, frames, -1, -1, -1),
            audio_mask=audio_mask,
            motion_mask=motion_mask,
            added_time_ids=torch.tensor([buckets], device=noisy.device),
        )[0]

    def state(self) -> dict[str, Any]:
        """The trained parts; the others are those of the weights that the run began with."""
        return {"model": nn.ModuleDict({name: getattr(self.model, name) for name in TRAINED}).state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of `state`."""
        nn.ModuleDict({name: getattr(self.model, name) for name in TRAINED}).load_state_dict(state["model"])


def noised(clean: Tensor, noise: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
    """The UNet's input c_in x of x = x0 + sigma n, and its target v, which gives x0 = c_in^2 x - sigma c_in v."""
    scale = (sigma**2 + 1) ** -0.5
    return (clean + sigma * noise) * scale, scale * (noise - sigma * clean)
