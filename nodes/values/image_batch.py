"""Allocation of image batches."""

import torch

from ...host import free_memory, intermediate_device


def image_batch(count: int, height: int, width: int) -> torch.Tensor:
    """An uninitialised IMAGE batch (count,H,W,3) on the host's intermediate device. ValueError if it does not fit."""
    device = intermediate_device()
    needed, free = count * height * width * 12, free_memory(device)
    if needed > free:
        raise ValueError(
            f"{count} frames of {width}x{height} take {needed / 1e9:.1f} GB as images, but {free / 1e9:.1f} GB are "
            "free: use Assemble Video, which keeps no frames, or make them smaller."
        )
    return torch.empty(count, height, width, 3, device=device)
