"""What a photograph says beside its pixels, read by Pillow: which way is up (Exif) and what its colours mean (ICC)."""

import io
import struct
import warnings
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageCms

ORIENTATION_TAG = 0x0112  # Exif 2.3, table 4
FORMATS = ("JPEG", "PNG", "TIFF")  # those that Pillow opens without decoding, which OpenCV does
LARGEST_PROFILE = 1 << 20
ICC_HEADER = 128
MODES = {b"RGB ": "RGB", b"GRAY": "L"}  # ICC.1:2022, table 19
PROBE = 9  # levels of each channel by which profiles are compared
SAME = 2  # levels of 255; below it is rounding


@dataclass(frozen=True)
class Described:
    """orientation as Exif numbers it, 1..8; profile: an ICC profile with a sound header, or None."""

    orientation: int = 1
    profile: bytes | None = None


def describe(data: bytes) -> Described:
    """What an encoded JPEG, PNG, TIFF or WebP says; nothing for other formats, and for what cannot be understood."""
    exif, profile = b"", None
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        chunks = _riff_chunks(data)
        exif, profile = chunks.get(b"EXIF", b""), chunks.get(b"ICCP")
    else:
        with suppress(Exception), warnings.catch_warnings():  # whatever a damaged header makes Pillow raise
            warnings.simplefilter("ignore")  # among them that the picture is large
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                exif, profile = image.info.get("exif", b""), image.info.get("icc_profile")
    return Described(_orientation(exif), profile if sound_profile(profile) else None)


def _riff_chunks(data: bytes) -> dict[bytes, bytes]:
    """Chunks of a WebP by name. Pillow would allocate the picture for them."""
    chunks, place = {}, 12
    while place + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, place)
        chunks.setdefault(name, data[place + 8 : place + 8 + length])
        place += 8 + length + length % 2
    return chunks


def _orientation(exif: bytes) -> int:
    found = 1
    with suppress(Exception):
        block = Image.Exif()
        block.load(exif)
        found = block.get(ORIENTATION_TAG, 1)
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def sound_profile(profile: bytes | None) -> bool:
    """Whether there is a profile whose header (ICC.1:2022, 7.2) is one, of a kind that photographs have."""
    return (
        isinstance(profile, bytes)
        and ICC_HEADER < len(profile) <= LARGEST_PROFILE
        and struct.unpack_from(">I", profile)[0] == len(profile)
        and profile[36:40] == b"acsp"
        and profile[16:20] in MODES
    )


def to_srgb(colour: np.ndarray, profile: bytes) -> np.ndarray:
    """Colours (H,W,1 or 3) float32 in [0,1] in the space of a profile -> sRGB (H,W,3).

    What the profile changes is computed for 8 bits a channel and added, so deeper pictures stay deep. The colours come
    back as they were for sRGB's own profile, one of another kind of picture, and one that ImageCms cannot use."""
    mode = MODES[profile[16:20]]
    if colour.shape[2] != len(mode):
        return colour
    transform = None
    with suppress(ImageCms.PyCMSError, OSError, ValueError, TypeError):
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    if transform is None or not _changes(transform, mode):
        return colour
    rounded = (colour * 255 + 0.5).astype(np.uint8)
    changed = _applied(transform, rounded).astype(np.float32)
    changed -= rounded
    changed /= 255
    changed += colour
    return changed.clip(0, 1, out=changed)


def _applied(transform: ImageCms.ImageCmsTransform, pixels: np.ndarray) -> np.ndarray:
    """(H,W,1 or 3) uint8 -> (H,W,3)."""
    image = Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels))
    return np.asarray(ImageCms.applyTransform(image, transform))


def _changes(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether a transform does more than round."""
    levels = np.linspace(0, 255, PROBE).round().astype(np.uint8)
    grid = np.stack(np.meshgrid(*[levels] * len(mode)), -1).reshape(1, -1, len(mode))
    return bool(np.abs(_applied(transform, grid).astype(int) - grid).max() > SAME)
