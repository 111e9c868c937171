"""A small Stable Video Diffusion for trials of the training: in diffusers' layout, with encoders beside it.

The VAE is the real one's design at a small width, and learns the frames of the given clips, so that latents are of
faces and can be seen; the UNet is random, and so are the encoders (`reduced_actalker`). What is trained on it shows
that every step works, and no more.

python -m mamba_portrait.learning.training.actalker.small_svd --data data/grid_s1 --out data/small_svd --steps 400
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import trange

from ....media.video import read_video
from ....model_loaders.actalker.load import save_actalker
from ....model_loaders.actalker.reduced import reduced_actalker
from ....networks.actalker.config import ACTalkerConfig
from ....networks.actalker.svd_parts import (
    AutoencoderKLTemporalDecoder,
    EulerDiscreteScheduler,
    UNetSpatioTemporalConditionModel,
)
from ....pipelines.actalker.crops import lanczos, prepared_size
from ....pipelines.settings import Range
from ....vocabulary import ACTALKER_FPS
from ...datasets.clip_files import ClipFiles, local_file
from .data import painted_clips

FRAMES = 4  # in a row, in one step: the decoder's layers over time learn as well
RATE = 2e-3
DIVERGENCE = 1e-4  # weight of the latents' distance from a normal distribution


def small_svd(data: str | Path, out: str | Path, steps: int = 400, size: int = 128, seed: int = 0) -> Path:
    """Write out/unet, out/vae, out/scheduler and out/encoders.safetensors; returns `out`. size: short side of the
    pictures. FileNotFoundError where `data` holds no training clip with a video."""
    out, config = Path(out), ACTalkerConfig.reduced()
    films = [_frames(clip, size) for clip in painted_clips(data)]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        vae = AutoencoderKLTemporalDecoder(**config.vae)
        unet = UNetSpatioTemporalConditionModel(**config.unet)
        _learn(vae, films, steps, np.random.default_rng(seed))
    with torch.no_grad():
        latents = torch.cat([vae.encode(film[:1] * 2 - 1).latent_dist.mode() for film in films])
    vae.register_to_config(scaling_factor=1 / float(latents.std()))
    vae.save_pretrained(out / "vae")
    unet.save_pretrained(out / "unet")
    EulerDiscreteScheduler(**config.scheduler).save_pretrained(out / "scheduler")
    save_actalker(reduced_actalker(seed), out / "encoders.safetensors")
    return out


def _frames(clip: ClipFiles, size: int) -> Tensor:
    """(T, 3, H, W) in [0,1] of a clip at 12.5 frames a second."""
    with local_file(clip / "video.mp4") as film:
        frames = list(read_video(film, ACTALKER_FPS))
    shape = prepared_size(*frames[0].shape[:2], size)
    return torch.stack([lanczos(frame, shape).movedim(-1, 0) for frame in frames])


def _learn(vae: AutoencoderKLTemporalDecoder, films: Sequence[Tensor], steps: int, random: np.random.Generator) -> None:
    optimizer = torch.optim.Adam(vae.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    bar = trange(steps, desc="VAE", leave=False)
    for _ in bar:
        film = films[int(random.integers(len(films)))]
        start = int(random.integers(max(1, len(film) - FRAMES)))
        pictures = film[start : start + FRAMES] * 2 - 1
        found = vae.encode(pictures).latent_dist
        error = (vae.decode(found.sample(), num_frames=len(pictures)).sample - pictures).square().mean()
        optimizer.zero_grad()
        (error + DIVERGENCE * found.kl().mean() / pictures[0].numel()).backward()
        optimizer.step()
        schedule.step()
        bar.set_postfix(error=f"{error.item():.4f}")


def main(arguments: list[str] | None = None) -> None:
    """Command line of the module."""
    parser = argparse.ArgumentParser(description="Write a small Stable Video Diffusion for trials of the training.")
    parser.add_argument("--data", required=True, metavar="DIR", help="clips with a video, as `prepare` writes them")
    parser.add_argument("--out", required=True, metavar="DIR", help="gets unet, vae, scheduler, encoders.safetensors")
    parser.add_argument("--steps", type=Range(1, 1_000_000).read, default=400, help="of the VAE (%(default)s)")
    parser.add_argument("--size", type=Range(64, 1024).read, default=128, help="short side (%(default)s)")
    options = parser.parse_args(arguments)
    print(small_svd(options.data, options.out, options.steps, options.size))


if __name__ == "__main__":
    main()
