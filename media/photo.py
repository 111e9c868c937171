"""Reading and writing single pictures with OpenCV: upright, RGB, float, whatever the file held."""

import os
import struct
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from ..files import whole_file

ORIENTATION_TAG = 0x0112  # Exif 2.3, table 4


def load_photo(path: str | os.PathLike, background: float = 1.0) -> Tensor:
    """Read a picture as (H,W,3) float32 RGB in [0,1], turned upright by its EXIF orientation.

    8-bit, 16-bit and float files, gray and colour alike; transparency is laid over a uniform `background` (0 black ..
    1 white: cut-out portraits are made for white pages). Raises FileNotFoundError, or ValueError for a file OpenCV
    cannot decode.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"Photo not found: {path}")
    data = path.read_bytes()  # not cv2.imread: it cannot open names beyond the system code page on Windows
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    if pixels is None:
        raise ValueError(f"{path.name} is not a picture OpenCV can read; save it as JPEG or PNG and try again.")
    pixels = _upright(_unit_range(pixels, path.name), exif_orientation(data))
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    colour = pixels[..., 2::-1]  # BGR(A) -> RGB
    if pixels.shape[2] == 4:
        alpha = pixels[..., 3:]
        colour = colour * alpha + background * (1 - alpha)
    return torch.from_numpy(np.ascontiguousarray(colour, dtype=np.float32))


def _unit_range(pixels: np.ndarray, name: str) -> np.ndarray:
    """Any depth OpenCV decodes -> float32 in [0,1]."""
    if pixels.dtype == np.uint8 or pixels.dtype == np.uint16:
        return pixels.astype(np.float32) / np.iinfo(pixels.dtype).max
    if np.issubdtype(pixels.dtype, np.floating):
        return np.nan_to_num(pixels).clip(0, 1).astype(np.float32)
    raise ValueError(f"{name} stores {pixels.dtype} pixels; save it as an 8-bit or 16-bit picture.")


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Undo the camera's orientation (1..8, as Exif numbers them)."""
    if orientation in (5, 6, 7, 8):
        pixels = np.swapaxes(pixels, 0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def exif_orientation(data: bytes) -> int:
    """The orientation (1..8) of an encoded picture; 1 where none is stored. Reads JPEG, PNG and WebP Exif blocks."""
    start = data.find(b"Exif\0\0", 0, 1 << 20)
    start = start + 6 if start >= 0 else -1
    if start < 0:
        for chunk, skip in ((b"eXIf", 4), (b"EXIF", 8)):  # PNG: tag then data; WebP: tag, size, data
            found = data.find(chunk)
            start = found + skip if found >= 0 else start
    if start < 0 or data[start : start + 2] not in (b"II", b"MM"):
        return 1
    order = "<" if data[start : start + 2] == b"II" else ">"
    try:
        directory = start + struct.unpack_from(order + "I", data, start + 4)[0]
        for entry in range(struct.unpack_from(order + "H", data, directory)[0]):
            tag, _, _, value = struct.unpack_from(order + "HHIH", data, directory + 2 + 12 * entry)
            if tag == ORIENTATION_TAG:
                return value if 1 <= value <= 8 else 1
    except struct.error:  # a truncated block says nothing about the picture
        pass
    return 1


def to_uint8(image: Tensor | np.ndarray) -> np.ndarray:
    """(..., H, W, C) float in [0,1] or uint8, tensor or array -> uint8 array, rounded to nearest."""
    if isinstance(image, Tensor):
        image = image.detach()
        if image.dtype != torch.uint8:
            image = image.float().mul(255).add_(0.5).clamp_(0, 255.5).to(torch.uint8)  # one copy, not four
        return image.cpu().numpy()
    if image.dtype == np.uint8:
        return image
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)


def save_image(path: str | os.PathLike, image: Tensor | np.ndarray, quality: int = 92) -> Path:
    """Write (H,W,3) RGB, float in [0,1] or uint8, in the format of the suffix; the file appears only when complete."""
    path = Path(path)
    if not cv2.haveImageWriter(f"x{path.suffix.lower()}"):
        raise ValueError(f"Cannot write '{path.suffix}' pictures; use .png, .jpg or .webp.")
    pixels = to_uint8(image)
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(f"save_image needs one picture (H,W,3), got shape {tuple(pixels.shape)}.")
    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if path.suffix.lower() in (".jpg", ".jpeg") else []
    encoded = cv2.imencode(path.suffix, np.ascontiguousarray(pixels[..., ::-1]), options)[1]
    with whole_file(path) as partial:
        partial.write_bytes(encoded.tobytes())
    return path
