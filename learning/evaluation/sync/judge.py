"""The judge: a film's score, and by how many frames its sound lies beside its lips."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ....media.audio import load_audio
from ....media.video import read_video
from ....model_loaders.checkpoint import load_network
from ....pipelines.speaking import prepare_voice
from ....vocabulary import FPS, SAMPLES_A_FRAME
from .mouths import find_mouths
from .network import SyncConfig, SyncNetwork, by_shift

KIND = "sync_judge"
REACH = 15  # frames to either side that are compared, as SyncNet's protocol does


@dataclass(frozen=True)
class Sync:
    """What the judge says of a film. offset: frames by which the sound lies behind the lips (negative: before).
    score: mean cosine of lips and sound as they stand; confidence: the best shift's over the median of all shifts
    (as LSE-C is, on another scale). curve (2*REACH+1,): the mean cosine at each shift."""

    offset: int
    score: float
    confidence: float
    curve: Tensor


def load_sync_judge(path: str | Path) -> SyncNetwork:
    """The network of a sync judge's checkpoint, ready to judge. Errors as `load_network`."""
    return load_network(KIND, path, lambda config, _: SyncNetwork(SyncConfig.from_dict(config)))


@torch.inference_mode()
def judge(network: SyncNetwork, mouths: Tensor, waveform: Tensor, reach: int = REACH) -> Sync:
    """mouths (T,48,64) in [0,1] at 25 fps and their sound (640*T,) at 16 kHz."""
    frames = min(len(mouths), len(waveform) // SAMPLES_A_FRAME)
    reach = min(reach, frames - 1)
    cosines = network(mouths[None, :frames], waveform[None, : frames * SAMPLES_A_FRAME])
    curve = by_shift(cosines, reach)[0].nanmean(0)
    best = int(curve.argmax())
    return Sync(best - reach, float(curve[reach]), float(curve[best] - curve.median()), curve)


def judge_film(network: SyncNetwork, path: str | Path, seconds: float | None = None) -> Sync | None:
    """A film's first seconds, or all of it; None where no face is found. ValueError without a sound."""
    limit = None if seconds is None else round(seconds * FPS)
    mouths = find_mouths(read_video(path, FPS, max_frames=limit))
    if mouths is None:
        return None
    voice = prepare_voice(*load_audio(path))
    return judge(network, mouths, voice.waveform[0])
