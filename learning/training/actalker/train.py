"""ACTalker's training as a run: windows of clips, an update each, and a file that describes itself."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from ....model_loaders.actalker.load import load_actalker, save_actalker
from ....model_loaders.actalker.reduced import reduced_actalker
from ...datasets.tracks import clip_folders
from ..loop import Log
from .data import read_window
from .step import ACTalkerTrainer, TrainingSettings

log = logging.getLogger("mamba_portrait")

SAVE_EVERY = 500  # updates


def train_actalker(
    data: str | Path,
    out: str | Path,
    *,
    weights: str | Path | None = None,
    steps: int = 100,
    rate: float = TrainingSettings.rate,
    image_size: int | None = None,
    device: str | torch.device = "cpu",
    bf16: bool = False,
    seed: int = 0,
) -> Path:
    """Train on the clips of a corpus that have a video, and return the file out/actalker.safetensors.

    weights: published files' folder or a converted file to go on from; None is a network of reduced size with random
    weights. image_size: the pictures' short side, the config's own by default. Every update is a line of out/log.jsonl.
    Clips that are too short or show no face are passed over with a warning. Raises FileNotFoundError if the corpus has
    no clip with a video, ValueError if none of them can be used.
    """
    clips, out = painted_clips(data), Path(out)
    model = reduced_actalker(seed) if weights is None else load_actalker(weights, dtype=torch.float32)
    trainer = ACTalkerTrainer(model.to(device), TrainingSettings(rate=rate), seed, bf16)
    random, written, path = np.random.default_rng(seed), Log(out), out / "actalker.safetensors"
    for step in tqdm(range(1, steps + 1), desc="ACTalker", unit="step", disable=None):
        window, clip = _next_window(model, clips, random, image_size)
        written.write(step, loss=trainer.step(window), clip=clip)
        if step % SAVE_EVERY == 0 or step == steps:
            save_actalker(model, path)
    return path


def painted_clips(data: str | Path) -> list[Path]:
    """The corpus's training clips that have a video; FileNotFoundError says how to make some."""
    clips = [
        clip
        for clip in clip_folders(data)
        if (clip / "video.mp4").exists()
        and json.loads((clip / "meta.json").read_text("utf8")).get("split", "train") == "train"
    ]
    if not clips:
        raise FileNotFoundError(
            f"{data} holds no training clips with a video: draw some with "
            f"`python -m mamba_portrait corpus --out {data} --clips 40 --painted 40`."
        )
    return clips


def _next_window(model, clips: list[Path], random: np.random.Generator, image_size: int | None):
    """A window of a random clip, and the clip's name; clips that cannot be used leave the list."""
    while clips:
        clip = clips[int(random.integers(len(clips)))]
        try:
            return read_window(model, clip, random, image_size), clip.name
        except ValueError as fault:
            log.warning("%s is left out: %s", clip.name, fault)
            clips.remove(clip)
    raise ValueError("No clip is long enough and shows a face from beginning to end.")
