"""The part of a batch that one process computes, and the random numbers that belong to its samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class BatchSlice:
    """Some samples of the batch of one training step, by their numbers in the whole batch.

    What is random in a sample comes from (seed, step, number) alone, and what is drawn for a batch as a whole from
    (seed, step): so a sample is the same on whichever process it falls, and a resumed run needs no generator's state.
    """

    seed: int
    step: int
    samples: range
    batch: int  # samples of the whole batch, over all processes

    def __len__(self) -> int:
        return len(self.samples)

    def rng(self, sample: int) -> np.random.Generator:
        """The source of one sample's numbers."""
        return np.random.default_rng(self._seed(sample))

    def rng_of_batch(self) -> np.random.Generator:
        """The source of what all samples of the batch share."""
        return np.random.default_rng(self._seed())

    def permutation(self) -> np.ndarray:
        """(len,) of a random order of the whole batch: the numbers of these samples."""
        return self.rng_of_batch().permutation(self.batch)[self.samples.start : self.samples.stop]

    def draws(self, device: torch.device | str = "cpu") -> Draws:
        """Random tensors with a row for each of these samples."""
        seeds = [int(self._seed(sample).generate_state(1, np.uint64)[0]) for sample in self.samples]
        return Draws([torch.Generator(device).manual_seed(seed) for seed in seeds])

    def _seed(self, *sample: int) -> np.random.SeedSequence:
        return np.random.SeedSequence(self.seed, spawn_key=(self.step, *sample))


class Draws:
    """Random tensors whose rows belong to samples, `rows` consecutive ones to each: every sample has a generator."""

    def __init__(self, generators: list[torch.Generator], rows: int = 1):
        self.generators, self.rows = generators, rows

    def each(self, rows: int) -> Draws:
        """The same generators, with `rows` rows for every row of these."""
        return Draws(self.generators, self.rows * rows)

    def normal(self, *shape: int) -> Tensor:
        """(N, *shape) of standard normal numbers."""
        return self._fill(torch.Tensor.normal_, shape)

    def uniform(self, *shape: int) -> Tensor:
        """(N, *shape) of numbers in [0, 1)."""
        return self._fill(torch.Tensor.uniform_, shape)

    def integers(self, high: int, *shape: int) -> Tensor:
        """(N, *shape) of whole numbers 0 .. high - 1."""
        return self._fill(lambda rows, generator: rows.random_(0, high, generator=generator), shape, torch.int64)

    def _fill(self, draw: Callable[..., Tensor], shape: tuple[int, ...], dtype: torch.dtype | None = None) -> Tensor:
        device = self.generators[0].device
        drawn = torch.empty(len(self.generators), self.rows, *shape, dtype=dtype, device=device)
        for rows, generator in zip(drawn, self.generators, strict=True):
            draw(rows, generator=generator)
        return drawn.flatten(0, 1)
