"""The convention for pictures inside the pack: (H,W,3) RGB, floats in [0,1], from reading to writing.

Readers convert with `unit_range`; code between does not check the dtype. Bytes used as floats would be 255 times too
bright for a network without any error, so the stages check their input with `checked`.
"""

import numpy as np
import torch
from torch import Tensor

TOLERANCE = 0.01  # interpolation and half precision exceed the range by less


def unit_range(pixels: np.ndarray) -> Tensor:
    """Bytes (...,H,W,C) as decoders give them -> float32 in [0,1]."""
    if pixels.dtype != np.uint8:
        raise TypeError(f"unit_range takes uint8 pixels, not {pixels.dtype}")
    return torch.from_numpy(np.ascontiguousarray(pixels)).float().div_(255)


def checked(pictures: Tensor | np.ndarray, name: str) -> Tensor | np.ndarray:
    """The pictures (...,C) as they came. ValueError that names them for anything but floats in [0,1].

    name: what the sentence calls them, such as "the photo"."""
    tensor = isinstance(pictures, Tensor)
    if not (pictures.is_floating_point() if tensor else np.issubdtype(pictures.dtype, np.floating)):
        raise ValueError(
            f"{_capital(name)} has {str(pictures.dtype).removeprefix('torch.')} pixels, but floats in [0,1] are "
            "needed: divide bytes by 255."
        )
    if 0 in pictures.shape:
        raise ValueError(f"{_capital(name)} is empty: its shape is {tuple(pictures.shape)}.")
    low, high = float(pictures.min()), float(pictures.max())
    if not (low >= -TOLERANCE and high <= 1 + TOLERANCE):  # so that NaN fails too
        raise ValueError(
            f"{_capital(name)} has pixels from {low:.3g} to {high:.3g}, but they must lie in [0,1]: divide bytes by "
            "255, and give a picture without NaN."
        )
    return pictures


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]
