"""The picture size in the header of an encoded picture, read before a decoder allocates memory for it."""

import struct
from contextlib import suppress

PNG = b"\x89PNG\r\n\x1a\n"
BARE_MARKERS = {0x00, 0x01, *range(0xD0, 0xDA), 0xFF}  # without a length: TEM, RSTn, SOI, EOI; and what is no marker
START_OF_SCAN = 0xDA
FRAME_MARKERS = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0..15 without DHT, JPG, DAC (ITU T.81, table B.1)
TIFF_WIDTH, TIFF_HEIGHT = 256, 257


HEIC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}  # brands, ISO/IEC 23008-12
AVIF = {b"avif", b"avis"}


def header_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) of a PNG, JPEG, GIF, BMP, TIFF or HEIC; None for other formats and for headers that break off.

    These are the formats in which a few bytes can stand for any number of pixels."""
    try:
        if is_heic(data):
            return _heic(data)
        for begins, read in READERS:
            if data.startswith(begins):
                return read(data)
    except struct.error:
        pass
    return None


def is_heic(data: bytes) -> bool:
    """Whether the file type box (ISO/IEC 14496-12, 4.3) is a HEIC's."""
    if data[4:8] != b"ftyp":
        return False
    length = min(struct.unpack_from(">I", data)[0], 256)
    brands = {data[place : place + 4] for place in (8, *range(16, length, 4))}
    return data[8:12] in HEIC and not brands & AVIF


def _heic(data: bytes) -> tuple[int, int] | None:
    """The largest of the sizes that the pictures and tiles of a HEIC have (`ispe`, ISO/IEC 23008-12, 6.5.3)."""
    sizes, place = [], 0
    while (place := data.find(b"ispe", place)) >= 0:
        with suppress(struct.error):
            sizes.append(struct.unpack_from(">II", data, place + 8))
        place += 4
    return max(sizes, key=lambda size: size[0] * size[1], default=None)


def has_overlong_chunk(data: bytes) -> bool:
    """True for a PNG with a chunk that is longer than the rest of the file: OpenCV 5 allocates up to 4 GiB for it
    before reading."""
    if not data.startswith(PNG):
        return False
    place, name = len(PNG), b""
    while name != b"IEND" and place + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, place)
        place += 12 + length  # with its length, name and checksum
    return place > len(data)


def _png(data: bytes) -> tuple[int, int]:
    return struct.unpack_from(">II", data, 16)


def _gif(data: bytes) -> tuple[int, int]:
    return struct.unpack_from("<HH", data, 6)


def _bmp(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<ii", data, 18)  # a negative height counts from the top
    return abs(width), abs(height)


def _jpeg(data: bytes) -> tuple[int, int] | None:
    """Markers one after another up to the frame header (ITU T.81, B.2.2)."""
    place = 2
    while (place := data.find(b"\xff", place)) >= 0:
        marker = struct.unpack_from(">B", data, place + 1)[0]
        if marker in FRAME_MARKERS:
            height, width = struct.unpack_from(">HH", data, place + 5)
            return width, height
        if marker == START_OF_SCAN:
            break
        if marker in BARE_MARKERS:
            place += 1
        else:
            place += 2 + struct.unpack_from(">H", data, place + 2)[0]
    return None


def _tiff(data: bytes) -> tuple[int, int] | None:
    """The first directory of a classic TIFF (TIFF 6.0, section 2)."""
    order = "<" if data[:2] == b"II" else ">"
    directory = struct.unpack_from(order + "I", data, 4)[0]
    tags = {}
    for entry in range(struct.unpack_from(order + "H", data, directory)[0]):
        at = directory + 2 + 12 * entry
        tag, kind, _ = struct.unpack_from(order + "HHI", data, at)
        tags[tag] = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, at + 8)[0]
    return (tags[TIFF_WIDTH], tags[TIFF_HEIGHT]) if {TIFF_WIDTH, TIFF_HEIGHT} <= tags.keys() else None


READERS = (
    (PNG, _png),
    (b"\xff\xd8", _jpeg),
    (b"GIF8", _gif),
    (b"BM", _bmp),
    (b"II*\0", _tiff),
    (b"MM\0*", _tiff),
)
