"""Reading and writing single pictures with OpenCV: upright, sRGB, float, from any file format."""

import os
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from ..files import whole_file
from .heic import decode_heic
from .photo_profile import describe, to_srgb
from .picture_headers import has_overlong_chunk, header_size, is_heic

JPEG_2000 = (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")
SAFE_JPEG_2000 = (4, 12)  # version of OpenCV
LARGEST_FILE = 1 << 30
MOST_PIXELS = 1 << 28  # as float RGB 3 GiB; the largest photos of telephones have 200 million


def load_photo(path: str | os.PathLike, background: float = 1.0) -> Tensor:
    """Read a picture as (H,W,3) float32 sRGB in [0,1], turned upright by its EXIF orientation, its colours converted by
    its ICC profile.

    8-bit, 16-bit and float files, gray and colour, and HEIC where pillow-heif is installed; transparency is composited
    over a uniform `background` (0 black .. 1 white). Raises FileNotFoundError, or ValueError for a file that cannot be
    decoded and for more than 2^28 pixels.
    """
    colour, alpha = _read(Path(path))
    if alpha is not None:
        colour *= alpha
        colour += background * (1 - alpha)
    return torch.from_numpy(colour)


def load_cutout(path: str | os.PathLike) -> tuple[Tensor, Tensor | None]:
    """As `load_photo`, with the colours of what is half transparent as stored, and alpha (H,W), 1 opaque; None where
    all of it is opaque. What is not seen at all is white."""
    colour, alpha = _read(Path(path))
    if alpha is None or alpha.min() == 1:
        return torch.from_numpy(colour), None
    colour[alpha[..., 0] == 0] = 1.0
    return torch.from_numpy(colour), torch.from_numpy(alpha[..., 0])


def _read(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """Colour (H,W,3) and alpha (H,W,1), where there is one, float32 in [0,1]."""
    if not path.is_file():
        raise FileNotFoundError(f"Photo not found: {path}")
    if path.stat().st_size > LARGEST_FILE:
        raise ValueError(f"{path.name} is too large a file for a picture; save it as JPEG or PNG of a smaller size.")
    data = path.read_bytes()  # not cv2.imread: it cannot open names beyond the system code page on Windows
    _check_size(header_size(data), path.name)
    if is_heic(data):
        pixels, described = decode_heic(data, path.name)
    else:
        described = describe(data)
        pixels = _upright(_decoded(data, path.name), described.orientation)
    colour = _unit_range(pixels[..., 2::-1], path.name)  # BGR(A) -> RGB
    if described.profile is not None:
        colour = to_srgb(colour, described.profile)
    if colour.shape[2] == 1:
        colour = np.repeat(colour, 3, axis=2)
    return colour, _unit_range(pixels[..., 3:], path.name) if pixels.shape[2] == 4 else None


def _decoded(data: bytes, name: str) -> np.ndarray:
    """(H,W,C) as stored: C is 1, 3 (BGR) or 4 (BGRA). The caller has checked the size in the header."""
    if data.startswith(JPEG_2000) and _opencv() < SAFE_JPEG_2000:
        raise ValueError(
            f"{name} is a JPEG 2000, and OpenCV {cv2.__version__} crashes on a damaged one; save it as PNG, or install "
            "OpenCV 4.12 or later."
        )
    pixels = None
    with suppress(cv2.error, MemoryError):
        if data and not has_overlong_chunk(data):
            pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ValueError(f"{name} is not a picture OpenCV can read; save it as JPEG or PNG and try again.")
    _check_size(pixels.shape[1::-1], name)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or not pixels.size:
        raise ValueError(f"{name} holds an array of {pixels.shape}; save it as an RGB picture.")
    return pixels


def _opencv() -> tuple[int, ...]:
    """Major and minor version."""
    return tuple(int(part) for part in cv2.__version__.split(".")[:2])


def _check_size(size: tuple[int, int] | None, name: str) -> None:
    if size is not None and size[0] * size[1] > MOST_PIXELS:
        raise ValueError(
            f"{name} says it is {size[0]}x{size[1]}; pictures of more than {MOST_PIXELS // 10**6} million pixels are "
            "not read: make it smaller."
        )


def _unit_range(pixels: np.ndarray, name: str) -> np.ndarray:
    """Any depth OpenCV decodes -> float32 in [0,1], a contiguous copy."""
    if pixels.dtype == np.uint8 or pixels.dtype == np.uint16:
        scaled = pixels.astype(np.float32, order="C")
        scaled /= np.iinfo(pixels.dtype).max
        return scaled
    if np.issubdtype(pixels.dtype, np.floating):
        return np.nan_to_num(pixels).clip(0, 1).astype(np.float32, order="C")
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
    """Write (H,W,3) RGB or (H,W,4) with alpha, float in [0,1] or uint8, in the format of the suffix; JPEG keeps no
    alpha. The file appears only when complete."""
    path = Path(path)
    if not cv2.haveImageWriter(f"x{path.suffix.lower()}"):
        raise ValueError(f"Cannot write '{path.suffix}' pictures; use .png, .jpg or .webp.")
    pixels = to_uint8(image)
    if pixels.ndim != 3 or pixels.shape[2] not in (3, 4):
        raise ValueError(f"save_image needs one picture (H,W,3) or (H,W,4), got shape {tuple(pixels.shape)}.")
    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if path.suffix.lower() in (".jpg", ".jpeg") else []
    if options:
        pixels = pixels[..., :3]
    encoded = cv2.imencode(path.suffix, np.concatenate([pixels[..., 2::-1], pixels[..., 3:]], -1), options)[1]
    with whole_file(path) as partial:
        partial.write_bytes(encoded.tobytes())
    return path
