"""The loss on clips that are not trained on: always the same windows, noise and gates."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import torch

from ...datasets.batch_slice import BatchSlice
from ...datasets.clip_files import ClipFiles
from .data import Window
from .task import GATES, ACTalkerTask, Noise

WINDOWS = 6  # each at one level of noise, at the levels' quantiles, and under one of the three pairs of gates


@dataclass(frozen=True)
class HeldOut:
    """Windows with what is added to them; all conditions are given."""

    samples: list[tuple[Window, Noise]]

    @classmethod
    def of(cls, task: ACTalkerTask, clips: Sequence[ClipFiles], seed: int) -> HeldOut | None:
        """Of clips that can be used, one after the other, again where there are few; None where none can be."""
        random, windows = np.random.default_rng(seed), []
        for i in range(WINDOWS):
            with contextlib.suppress(ValueError):  # too short, or no face
                windows.append(task.window_of(clips[i % len(clips)], random))
        samples = [(window, _noise(task, window, i, seed)) for i, window in enumerate(windows)]
        return cls(samples) if samples else None

    @torch.no_grad()
    def loss(self, task: ACTalkerTask) -> float:
        """Their mean loss."""
        return float(task.losses(self.samples)["loss"])


def _noise(task: ACTalkerTask, window: Window, number: int, seed: int) -> Noise:
    mean, deviation = task.settings.log_sigma
    level = mean + deviation * NormalDist().inv_cdf((number + 0.5) / WINDOWS)
    draws = BatchSlice(seed, 0, range(number, number + 1), WINDOWS).draws()
    drawn = Noise.draw(draws, window.latents, task.settings)
    gates = GATES[number % len(GATES)]
    return drawn._replace(gates=gates, sigma=float(np.exp(level)), identity=True, voice=True, motion=True)
