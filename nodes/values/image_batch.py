"""Room for frames that are all held in memory."""

import torch

from ...host import free_memory, intermediate_device


def image_batch(count: int, height: int, width: int) -> torch.Tensor:
    """An IMAGE batch (count,H,W,3), still empty, where results wait. ValueError, before any work, if it cannot fit."""
    device = intermediate_device()
    needed, free = count * height * width * 12, free_memory(device)
    if needed > free:
        raise ValueError(
            f"{count} frames of {width}x{height} take {needed / 1e9:.1f} GB as images, but {free / 1e9:.1f} GB are "
            "free: use Assemble Video, which keeps no frames, or make them smaller."
        )
    return torch.empty(count, height, width, 3, device=device)
