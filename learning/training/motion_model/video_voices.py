"""What voices say of motion learnt from video: motion sampled for voices held out, against what was filmed, and against
what is sampled for another clip's voice.

    python -m mamba_portrait.learning.training.motion_model.video_voices runs/voice.safetensors \\
        runs/free.safetensors data/held_out

reads clips without labels (a folder of `prepare`, or a corpus's painted clips without their labels). Motion need not
have names: it is compared along its own principal components within clips, and where it has names also by the lips'."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from ....model_loaders.checkpoint import load_motion_model, load_renderer
from ....networks.motion_model.model import MotionModel
from ....networks.renderer.model import Renderer
from ....sampling.settings import Range, SamplingSettings
from ....sampling.windows import sample_motion
from ....vocabulary import FPS, INDEX
from ...datasets.tracks import Track, load_tracks
from ...evaluation.method_findings import interval
from ...evaluation.metrics import best_lag
from .clips import encode_clips

COMPONENTS = 8
LAGS = 2  # frames either way
LIPS = ("jaw", "pucker", "spread", "press")


def components(motions: Sequence[Tensor], count: int = COMPONENTS) -> Tensor:
    """(768,count): principal components of motions (T,768) about each clip's mean."""
    about = torch.cat([motion - motion.mean(0) for motion in motions])
    return torch.linalg.svd(about.double(), full_matrices=False).Vh[:count].T.float()


def alike(sampled: Tensor, truth: Tensor) -> float:
    """Mean over columns of the best correlation within LAGS of (T,N) and (T,N)."""
    return sum(best_lag(a, b, LAGS)[0] for a, b in zip(sampled.T, truth.T, strict=True)) / truth.shape[1]


@torch.no_grad()
def voices_against_others(
    model: MotionModel, renderer: Renderer, tracks: Sequence[Track], seconds: float = 3.0
) -> dict[str, tuple[float, float, float]]:
    """Name -> mean and 95 % interval over clips, of correlations with the filmed motion: "components" and, where motion
    has names, "lips"; "... less another voice's" of the difference to what another clip's voice gives."""
    frames = min(round(seconds * FPS), *(len(track.values) for track in tracks))
    truth = [torch.from_numpy(track.values[:frames].copy()).float() for track in tracks]
    sampled = [_sampled(model, track, frames, seed) for seed, track in enumerate(tracks)]
    basis = components(truth)
    views = {"components": lambda motion: motion @ basis}
    if renderer.config.readout:
        columns = [INDEX[name] for name in LIPS]
        views["lips"] = lambda motion: renderer.read_parameters(motion)[:, columns]
    found = {}
    for name, view in views.items():
        true, said = [view(motion) for motion in truth], [view(motion) for motion in sampled]
        own = torch.tensor([alike(a, b) for a, b in zip(said, true, strict=True)])
        other = torch.tensor([alike(a, b) for a, b in zip(said[1:] + said[:1], true, strict=True)])
        found |= {name: interval(own), f"{name} less another voice's": interval(own - other)}
    return found


def _sampled(model: MotionModel, track: Track, frames: int, seed: int) -> Tensor:
    """Motion (frames,768) for a clip's voice."""
    audio = torch.from_numpy(track.audio(0, frames))[None]
    heard = model.extract_global(audio), model.extract_local(audio)
    return sample_motion(model, *heard, None, SamplingSettings(seed=seed), frames=frames).float()


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Measure voices on motion learnt from video.")
    parser.add_argument("model", type=Path, help="a motion model's file")
    parser.add_argument("renderer", type=Path, help="the renderer whose encoder saw the films")
    parser.add_argument("data", type=Path, help="clips with a video and a voice, held out of training")
    parser.add_argument("--clips", type=Range(2, 1_000_000).read, default=24, help="at most (%(default)s)")
    options = parser.parse_args(arguments)
    model, renderer = load_motion_model(options.model), load_renderer(options.renderer)
    tracks = load_tracks(options.data, None, encode_clips(options.data, renderer))[: options.clips]
    for name, (mean, low, high) in voices_against_others(model, renderer, tracks).items():
        print(f"{len(tracks)} clips, {name}: {mean:.3f} [{low:.3f}, {high:.3f}]")


if __name__ == "__main__":
    main()
