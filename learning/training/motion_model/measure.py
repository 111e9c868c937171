"""How well a motion model follows voices held out of training: a few figures; `evaluate` has all of them."""

from __future__ import annotations

import torch

from ....networks.motion_model.model import MotionModel
from ....sampling.settings import SamplingSettings
from ....sampling.windows import sample_motion
from ....visemes.table import lips_of
from ....vocabulary import FPS, INDEX
from ...datasets.tracks import Track
from ...evaluation.metrics import best_lag, reach_ratios

LAGS = 2  # frames either way
SHOWN = ("jaw", "pucker", "spread", "press")


@torch.no_grad()
def measure_voices(model: MotionModel, renderer, tracks: list[Track], clips: int = 8, seconds: float = 6.0) -> dict:
    """Sample motion for drawn clips and read it: correlations of the mouth; the jaw's lag, amplitude and speed.

    `amplitude` and `speed` are standard deviations of the jaw and of its frame differences over those of the truth,
    `reach` and `width_reach` how far opening and width of the lips go of how far the true ones do.
    """
    device = model.motion_mean.device
    sums: dict[str, list[float]] = {}
    drawn = [track for track in tracks if track.drawn]
    for seed, track in enumerate(drawn[:: max(1, len(drawn) // clips)][:clips]):
        frames = min(len(track.values), round(seconds * FPS))
        audio = torch.from_numpy(track.audio(0, frames))[None].to(device)
        features = model.extract_global(audio), model.extract_local(audio)
        motion = sample_motion(model, *features, None, SamplingSettings(seed=seed), frames=frames)
        read = renderer.read_parameters(motion).cpu()
        true = torch.from_numpy(track.values[:frames].copy())
        for name in SHOWN:
            value, lag = best_lag(read[:, INDEX[name]], true[:, INDEX[name]], LAGS)
            sums.setdefault(name, []).append(value)
            if name == "jaw":
                sums.setdefault("lag", []).append(lag)
        jaw, truth = read[:, INDEX["jaw"]], true[:, INDEX["jaw"]]
        sums.setdefault("amplitude", []).append((jaw.std() / truth.std().clamp_min(1e-3)).item())
        sums.setdefault("speed", []).append((jaw.diff().std() / truth.diff().std().clamp_min(1e-3)).item())
        lips = (torch.from_numpy(lips_of(values.numpy())) for values in (read, true))
        for name, value in reach_ratios(*lips).items():
            sums.setdefault(name, []).append(value)
    return {name: round(sum(values) / len(values), 3) for name, values in sums.items()}
