"""Allocation of image batches."""

import torch

from ...host import free_memory, intermediate_device


def check_memory(needed: int, what: str, remedy: str, form: str = "") -> None:
    """Refuse what does not fit the host's intermediate device: ValueError."""
    free = free_memory(intermediate_device())
    if needed > free:
        raise ValueError(f"{what} take {needed / 1e9:.1f} GB{form}, but {free / 1e9:.1f} GB are free: {remedy}.")


def image_batch(count: int, height: int, width: int, planes: int = 3) -> torch.Tensor:
    """An uninitialised IMAGE batch (count,H,W,3) on the host's intermediate device. ValueError if it does not fit, with
    as many planes as there are in all."""
    remedy = "use Assemble Video, which keeps no frames, or make them smaller"
    check_memory(count * height * width * 4 * planes, f"{count} frames of {width}x{height}", remedy, " as images")
    return torch.empty(count, height, width, 3, device=intermediate_device())
