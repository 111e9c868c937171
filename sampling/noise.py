"""Noise that depends on the frame's index and not on the window."""

import torch
from torch import Tensor


def frame_noise(seed: int, start: int, count: int, width: int, step: int = 0) -> Tensor:
    """Noise (count, width) of frames start .. start + count, drawn on the CPU frame by frame.

    A frame's noise depends on the seed, its index and the solver step alone, not on device, window or length.
    """
    generator, mask = torch.Generator(), (1 << 64) - 1
    # The salt avoids seed 0, which initialised the motion space: its first 768 numbers are the direction of the jaw
    # parameter, so as noise of frame 0 they opened every mouth.
    salt = 0x2545F4914F6CDD1D
    rows = []
    for frame in range(start, start + count):
        key = (salt + seed * 0x9E3779B97F4A7C15 + frame * 0xBF58476D1CE4E5B9 + step * 0x94D049BB133111EB) & mask
        key = ((key ^ (key >> 31)) * 0xD6E8FEB86659FD93) & mask  # hash: neighbouring indices give unrelated seeds
        rows.append(torch.randn(width, generator=generator.manual_seed((key ^ (key >> 32)) >> 1)))
    return torch.stack(rows)
