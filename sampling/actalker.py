"""Sampling of ACTalker's latents: chained guidance over identity, voice and motion, in circular shifted windows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


@dataclass(frozen=True)
class GuidanceScales:
    """Guidance scale of each condition over the row before: identity, then voice, then motion (published values)."""

    identity: float = 2.0
    audio: float = 7.5
    motion: float = 3.0


class Row(NamedTuple):
    """One evaluation of the UNet: its conditions, and its guidance scale over the row before (None for the first)."""

    identity: bool
    audio: bool
    motion: bool
    scale: float | None


@dataclass(frozen=True, eq=False)
class DrivingConditions:
    """The conditions of T frames. Gates are already multiplied into voice and motion tokens, also the `no_` ones.

    identity (1, 1, D); audio (T, n, D), no_audio (1, n, D); motion (T, 1, D), no_motion (1, 1, D);
    image_latent (4, h, w), unscaled; face_feature (1, C0, h, w); masks (1, 1, H, W); time_ids (3,).
    """

    identity: Tensor
    audio: Tensor
    no_audio: Tensor
    motion: Tensor
    no_motion: Tensor
    image_latent: Tensor
    face_feature: Tensor
    audio_mask: Tensor
    motion_mask: Tensor
    time_ids: Tensor


def guidance_rows(audio_gate: float, motion_gate: float, scales: GuidanceScales) -> list[Row]:
    """The rows u, d1, d2, c of   u + s1 (d1 - u) + s2 (d2 - d1) + s3 (c - d2).

    A closed gate would make a row equal to the one before, which adds zero, so it is left out: three instead of four.
    """
    rows = [Row(False, False, False, None), Row(True, False, False, scales.identity)]
    if audio_gate:
        rows.append(Row(True, True, False, scales.audio))
    if motion_gate:
        rows.append(Row(True, bool(audio_gate), True, scales.motion))
    return rows


def guided(predictions: Tensor, rows: list[Row]) -> Tensor:
    """Combine the rows' predictions (rows, ...) along the chain."""
    result = predictions[0]
    for i in range(1, len(rows)):
        result = result + rows[i].scale * (predictions[i] - predictions[i - 1])
    return result


def circular_windows(length: int, window: int, overlap: int, shift: int) -> list[Tensor]:
    """Frame indices of windows that cover a circle of `length` frames, beginning `shift` frames before frame 0.

    Raises ValueError if the windows overlap entirely.
    """
    if not 0 <= overlap < window:
        raise ValueError(f"circular_windows: overlap {overlap} must be at least 0 and less than the window {window}.")
    return [(start - shift + torch.arange(window)) % length for start in range(0, length, window - overlap)]


@torch.no_grad()
def sample_latents(
    unet: torch.nn.Module,
    scheduler,
    conditions: DrivingConditions,
    start: Tensor,
    rows: list[Row],
    *,
    steps: int = 25,
    window: int = 25,
    overlap: int = 0,
    shift_step: int = 7,
    seed: int = 0,
    rows_at_once: int = 4,
    progress: Callable[[int, int], None] | None = None,
    preview: Callable[[Tensor], None] | None = None,
) -> Tensor:
    """Denoise T latent frames (T, 4, h, w), scaled as the VAE's scaling factor has it.

    start (4, h, w): the scaled latent of the portrait, to which the initial noise is added. scheduler: diffusers'
    EulerDiscreteScheduler. Every step the windows move by `shift_step` frames, so that no seam stays in place.
    rows_at_once bounds the memory: guidance rows evaluated in one call. progress(done, total) is called after every
    window and may raise to cancel; preview(latents) gets the step's estimate of the result.
    """
    length = conditions.audio.shape[0]
    scheduler.set_timesteps(steps, device=start.device)
    # drawn on the CPU, so that a seed gives the same noise on every device
    noise = torch.randn(length, *start.shape, generator=torch.Generator().manual_seed(seed))
    latents = start.float() + noise.to(start.device) * scheduler.sigmas[0].to(start.device)
    plan = [circular_windows(length, window, overlap, (i * shift_step) % window) for i in range(steps)]
    done, total = 0, sum(map(len, plan))
    for time, windows in zip(scheduler.timesteps, plan, strict=True):
        scaled = scheduler.scale_model_input(latents, time)
        velocity, count = torch.zeros_like(latents), torch.zeros(length, device=latents.device)
        for index in windows:
            frames = index.to(latents.device)
            parts = [
                _predict(unet, conditions, scaled[frames], frames, time, rows[i : i + rows_at_once])
                for i in range(0, len(rows), rows_at_once)
            ]
            velocity.index_add_(0, frames, guided(torch.cat(parts).float(), rows))
            count.index_add_(0, frames, torch.ones_like(count[frames]))
            done += 1
            if progress is not None:
                progress(done, total)
        # an Euler step is linear in v: the mean of the windows' steps is the step of their mean
        result = scheduler.step(velocity / count[:, None, None, None], time, latents)
        latents = result.prev_sample
        if preview is not None:
            preview(result.pred_original_sample)
    return latents


def _predict(
    unet, conditions: DrivingConditions, scaled: Tensor, frames: Tensor, time: Tensor, rows: list[Row]
) -> Tensor:
    """v (rows, F, 4, h, w) of one window for some guidance rows in one batch."""
    dtype, count = conditions.image_latent.dtype, len(frames)
    image = conditions.image_latent.expand(count, -1, -1, -1)
    audio, no_audio = conditions.audio[frames], conditions.no_audio.expand(count, -1, -1)
    motion, no_motion = conditions.motion[frames], conditions.no_motion.expand(count, -1, -1)
    identity = conditions.identity.expand(count, -1, -1)
    samples = [torch.cat([scaled.to(dtype), image if row.identity else torch.zeros_like(image)], 1) for row in rows]
    return unet(
        torch.stack(samples),
        time,
        identity=torch.cat([identity if row.identity else torch.zeros_like(identity) for row in rows]),
        audio=torch.cat([audio if row.audio else no_audio for row in rows]),
        motion=torch.cat([motion if row.motion else no_motion for row in rows]),
        face_feature=conditions.face_feature.expand(len(rows), count, -1, -1, -1),
        audio_mask=conditions.audio_mask,
        motion_mask=conditions.motion_mask,
        added_time_ids=conditions.time_ids.expand(len(rows), -1),
    )
