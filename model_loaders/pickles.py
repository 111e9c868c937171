"""Reading of PyTorch's own files without running what is in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ..messages import shown


def read_pickle(path: Path, device: torch.device | str = "cpu", mmap: bool = False) -> dict[str, Any]:
    """What torch.save wrote, as a dict, on a device. mmap: leave tensors on disk until they are used.

    Raises FileNotFoundError, or ValueError for a file that is damaged, would run code, or holds something else."""
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        try:
            state = torch.load(path, map_location=device, weights_only=True, mmap=mmap)
        except RuntimeError:  # files from before torch 1.6 cannot be mapped
            if not mmap:
                raise
            state = torch.load(path, map_location=device, weights_only=True)
    except MemoryError:
        raise
    except Exception as fault:  # the reader raises whatever its input leads it to
        raise ValueError(
            f"{path.name} cannot be read safely ({type(fault).__name__}): it is damaged, no checkpoint, or would run "
            "code. Fetch it again."
        ) from fault
    return named(state, path, "it")


def named(state: Any, path: Path, what: str) -> dict[str, Any]:
    """The state, if it is a dict with texts as names; else ValueError."""
    if not isinstance(state, dict) or not all(isinstance(name, str) for name in state):
        raise ValueError(f"{path.name} is no checkpoint: {what} holds {shown(state)} in the place of named tensors.")
    return state
