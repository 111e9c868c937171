"""What every stage needs of the device it runs on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import torch

Progress = Callable[[int, int], None]
"""(done, total), called at every solver step and every batch of frames; it may raise to cancel."""


def device_of(module: torch.nn.Module) -> torch.device:
    """Where its weights are."""
    return next(module.parameters()).device


def autocast(device: torch.device, bf16: bool) -> contextlib.AbstractContextManager:
    """torch.autocast to bfloat16 if `bf16`, else nothing."""
    return torch.autocast(device.type, torch.bfloat16) if bf16 else contextlib.nullcontext()
