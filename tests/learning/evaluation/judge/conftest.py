"""Weights and inputs that any implementation of a network can be given, so that its numbers can be compared."""

import zlib
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn


def seeded(name: str, shape: tuple[int, ...]) -> Tensor:
    """Standard normal values that depend on a name and a shape only, in every version of NumPy."""
    return torch.from_numpy(np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape)).float()


def fill(network: nn.Module) -> nn.Module:
    """Random weights by the names of the parameters, scaled so that signals keep their size."""
    with torch.no_grad():
        for name, values in network.state_dict().items():
            if name.endswith("num_batches_tracked"):
                continue
            noise = seeded(name, tuple(values.shape))
            if values.ndim > 1:
                noise *= (2 / values[0].numel()) ** 0.5
            elif name.endswith("running_var"):
                noise = 1 + 0.1 * noise.abs()
            elif name.endswith(".weight"):
                noise = 1 + 0.1 * noise
            else:
                noise *= 0.1
            values.copy_(noise)
    return network.eval()


@pytest.fixture(scope="session")
def filled() -> Callable[[nn.Module], nn.Module]:
    return fill


@pytest.fixture(scope="session")
def noise() -> Callable[[str, tuple[int, ...]], Tensor]:
    return seeded
