"""The sync judge's task: of the sounds of one clip, which one belongs to a mouth."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ....vocabulary import SAMPLES_A_FRAME
from ...datasets.batch_slice import BatchSlice
from ...evaluation.sync.network import SyncNetwork, by_shift
from .clips import MouthClip, window

REACH = 12  # frames to either side that are told apart
SPREADS = (1, 9, 25)  # frames over which similarities are averaged before they are compared


@dataclass(frozen=True)
class SyncSchedule:
    """Sizes and rates of a run. frames: of a window, two seconds as in judging."""

    batch: int = 12
    frames: int = 50
    rate: float = 1e-3
    decay: float = 1e-2


class SyncTask:
    """Clips of `groups` of people; every group has the same part of the samples, every speaker of a group too."""

    def __init__(self, network: SyncNetwork, groups: Sequence[Sequence[MouthClip]], schedule: SyncSchedule):
        self.network, self.schedule = network, schedule
        self.groups = [_by_speaker(group, schedule.frames) for group in groups]
        if not all(self.groups):
            raise ValueError(f"There is no clip of {schedule.frames} frames in one of the groups of films.")

    def batches(self, slices: Iterator[BatchSlice]) -> Iterator[tuple[Tensor, Tensor]]:
        """mouths (B,T,48,64) and sounds (B,640*T), altered as other films would be."""
        for part in slices:
            samples = [self._sample(part.rng(number), number) for number in part.samples]
            yield tuple(torch.stack(column) for column in zip(*samples, strict=True))

    def _sample(self, rng: np.random.Generator, number: int) -> tuple[Tensor, Tensor]:
        speakers = self.groups[number % len(self.groups)]
        clips = speakers[int(rng.integers(len(speakers)))]
        clip = clips[int(rng.integers(len(clips)))]
        start = int(rng.integers(len(clip.mouths) - self.schedule.frames + 1))
        mouths, sound = window(clip, start, self.schedule.frames)
        return _filmed(mouths.numpy(), rng), _recorded(sound, rng)

    def losses(self, batch: tuple[Tensor, Tensor], progress: float = 0.0) -> dict[str, Tensor]:
        """Cross-entropy over the shifts, averaged over the spreads, of mouths among sounds and sounds among mouths."""
        device = next(self.network.parameters()).device
        mouths, sounds = (part.to(device) for part in batch)
        cosines = self.network(mouths, sounds).float()
        terms = {}
        for spread in SPREADS:
            both = [_among_shifts(way, spread, self.network.sharpness) for way in (cosines, cosines.mT)]
            terms[f"of_{spread}"] = sum(both) / 2
        with torch.no_grad():
            curve = by_shift(cosines, REACH).nanmean(1)
            terms["right"] = ((curve.argmax(1) - REACH).abs() <= 1).float().mean()
        return terms | {"loss": sum(terms[f"of_{spread}"] for spread in SPREADS) / len(SPREADS)}

    def state(self) -> dict[str, Any]:
        """The network."""
        return {"network": self.network.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of `state`."""
        self.network.load_state_dict(state["network"])


def _by_speaker(clips: Sequence[MouthClip], frames: int) -> list[list[MouthClip]]:
    long = [clip for clip in clips if len(clip.mouths) >= frames]
    names = sorted({clip.speaker for clip in long})
    return [[clip for clip in long if clip.speaker == name] for name in names]


def _among_shifts(cosines: Tensor, spread: int, sharpness: Tensor) -> Tensor:
    """Mean cross-entropy (nats) of shift 0 among all shifts that stay inside the clip, for runs of `spread` frames."""
    return shift_entropy(by_shift(cosines, REACH)[:, REACH:-REACH], spread, sharpness)


def shift_entropy(inner: Tensor, spread: int, sharpness: Tensor) -> Tensor:
    """The same of cosines (B,T,2*REACH+1) by shift."""
    averaged = F.avg_pool1d(inner.transpose(1, 2), min(spread, inner.shape[1]), 1).transpose(1, 2)
    logits = averaged.flatten(0, 1) * sharpness.exp()
    return F.cross_entropy(logits, torch.full_like(logits[:, 0], REACH, dtype=torch.long))


def _filmed(mouths: np.ndarray, rng: np.random.Generator) -> Tensor:
    """(T,48,64): the same in all frames: place, scale, tilt, mirrored or not, light, sharpness; noise of its own in
    each."""
    rows, columns = mouths.shape[1:]
    scale, tilt = math.exp(rng.normal(0, 0.1)), rng.normal(0, 0.06)
    cos, sin = scale * math.cos(tilt), scale * math.sin(tilt)
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    middle = np.array([columns / 2, rows / 2])
    turn = np.array([[mirror * cos, sin, 0.0], [-mirror * sin, cos, 0.0]], np.float32)
    turn[:, 2] = middle + rng.normal(0, (3.0, 2.5)) - turn[:, :2] @ middle
    blur = abs(rng.normal(0, 0.8))
    gamma, gain, lift = math.exp(rng.normal(0, 0.25)), math.exp(rng.normal(0, 0.2)), rng.normal(0, 0.08)
    noise = abs(rng.normal(0, 0.02))
    made = np.empty_like(mouths)
    for number, mouth in enumerate(mouths):
        moved = cv2.warpAffine(mouth, turn, (columns, rows), borderMode=cv2.BORDER_REPLICATE)
        made[number] = cv2.GaussianBlur(moved, (0, 0), blur) if blur > 0.3 else moved
    made = gain * np.power(np.clip(made, 0, 1), gamma) + lift
    return torch.from_numpy(made + noise * rng.standard_normal(made.shape, np.float32)).float()


def _recorded(sound: Tensor, rng: np.random.Generator) -> Tensor:
    """(N,): another loudness, another tilt of the spectrum, noise, and up to 10 ms of delay either way."""
    tilt = rng.uniform(-0.4, 0.6)
    shift = int(rng.integers(-SAMPLES_A_FRAME // 4, SAMPLES_A_FRAME // 4 + 1))
    tilted = sound - tilt * F.pad(sound, (1, 0))[:-1]
    tilted = torch.roll(tilted, shift)
    level = tilted.square().mean().sqrt().clamp_min(1e-4)
    below = 10 ** (-rng.uniform(8, 45) / 20)
    noise = torch.from_numpy(rng.standard_normal(len(sound), np.float32))
    if rng.random() < 0.5:  # rumble rather than hiss
        noise = F.avg_pool1d(F.pad(noise, (4, 4))[None], 9, 1)[0] * 3
    return (tilted + level * below * noise) * (10 ** (rng.uniform(-12, 6) / 20) * 0.05 / level)
