"""HEIC photographs, as many telephones take them, by pillow-heif where it is installed."""

import io

import numpy as np

from .photo_profile import Described, sound_profile


def decode_heic(data: bytes, name: str) -> tuple[np.ndarray, Described]:
    """(H,W,3 or 4) uint8 BGR(A), turned upright as the file says, and what else it says.

    ValueError where pillow-heif is missing, or cannot read the file. The caller has checked the size in its header."""
    try:
        import pillow_heif
    except ImportError as error:
        raise ValueError(
            f"{name} is a HEIC photograph, which needs pillow-heif: pip install pillow-heif, or save it as JPEG."
        ) from error
    try:
        picture = pillow_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=True)
        image = picture.to_pillow()
        pixels = np.asarray(image.convert("RGBA" if "A" in image.getbands() else "RGB"))
    except Exception as error:  # of a damaged file: it has no class of its own for them
        raise ValueError(
            f"{name} is a damaged HEIC photograph or not one at all; save it as JPEG and try again."
        ) from error
    profile = picture.info.get("icc_profile")
    return pixels[..., [2, 1, 0, 3][: pixels.shape[2]]], Described(1, profile if sound_profile(profile) else None)
