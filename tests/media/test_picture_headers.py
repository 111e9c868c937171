"""Pictures with implausible headers are refused before OpenCV allocates memory for them."""

import struct
import zlib

import cv2
import numpy as np
import pytest
import torch

from mamba_portrait.media.crop import LARGEST_CROP, crop_box
from mamba_portrait.media.faces import find_faces
from mamba_portrait.media.finders.face import within
from mamba_portrait.media.photo import load_photo
from mamba_portrait.media.picture_headers import has_overlong_chunk, header_size

WIDTH, HEIGHT = 30_000, 20_000


@pytest.mark.parametrize("name", ["photo.jpg", "progressive.jpg", "photo.png", "photo.gif", "photo.bmp", "photo.tiff"])
def test_sizes_are_read_and_a_header_that_breaks_off_tells_none(samples, name):
    data = samples.made({name: samples.PICTURES[name]}).get(name)
    if data is None:
        pytest.skip("this OpenCV cannot write it")
    assert header_size(data) == (64, 48)
    for length in range(len(data)):
        assert header_size(data[:length]) in (None, (64, 48))


def test_a_big_endian_tiff_and_a_bmp_from_the_top(samples):
    entries = b"".join(struct.pack(">HHIHH", tag, 3, 1, value, 0) for tag, value in ((256, 70), (257, 50)))
    assert header_size(b"MM\0*" + struct.pack(">IH", 8, 2) + entries) == (70, 50)
    assert header_size(b"BM" + bytes(16) + struct.pack("<ii", 64, -48)) == (64, 48)
    assert header_size(b"RIFF....WEBP") is None


def lying(samples, name: str) -> bytes:
    """A picture of 64x48 whose header says 30000x20000."""
    data = bytearray(samples.PICTURES[name]())
    if name == "photo.jpg":
        struct.pack_into(">HH", data, data.index(b"\xff\xc0") + 5, HEIGHT, WIDTH)
    elif name == "photo.png":
        struct.pack_into(">II", data, 16, WIDTH, HEIGHT)
        struct.pack_into(">I", data, 29, zlib.crc32(data[12:29]))
    elif name == "photo.bmp":
        struct.pack_into("<ii", data, 18, WIDTH, HEIGHT)
    else:
        directory = struct.unpack_from("<I", data, 4)[0]
        for entry in range(struct.unpack_from("<H", data, directory)[0]):
            at = directory + 2 + 12 * entry
            if (tag := struct.unpack_from("<H", data, at)[0]) in (256, 257):
                struct.pack_into("<HII", data, at + 2, 4, 1, WIDTH if tag == 256 else HEIGHT)
    return bytes(data)


@pytest.fixture
def no_decoder(monkeypatch):
    """Fails a test that lets OpenCV decode."""

    def imdecode(*_):
        pytest.fail("the picture was decoded")

    monkeypatch.setattr(cv2, "imdecode", imdecode)


@pytest.mark.parametrize("name", ["photo.jpg", "photo.png", "photo.bmp", "photo.tiff"])
def test_an_enormous_picture_is_told_and_not_decoded(samples, tmp_path, no_decoder, name):
    (tmp_path / name).write_bytes(lying(samples, name))
    with pytest.raises(ValueError, match=f"{name} says it is 30000x20000; pictures of more than 268 million pixels"):
        load_photo(tmp_path / name)


def test_an_enormous_gif_is_told_and_not_decoded(tmp_path, no_decoder):
    (tmp_path / "a.gif").write_bytes(b"GIF89a" + struct.pack("<HH", WIDTH, HEIGHT) + bytes(20))
    with pytest.raises(ValueError, match="a.gif says it is 30000x20000"):
        load_photo(tmp_path / "a.gif")


def test_what_only_the_decoder_finds_enormous_is_told(samples, tmp_path, monkeypatch):
    (tmp_path / "a.ppm").write_bytes(samples.picture(".ppm"))
    monkeypatch.setattr(cv2, "imdecode", lambda *_: np.broadcast_to(np.uint8(0), (HEIGHT, WIDTH, 3)))
    with pytest.raises(ValueError, match="a.ppm says it is 30000x20000"):
        load_photo(tmp_path / "a.ppm")


@pytest.mark.parametrize("shape", [(4, 4, 2), (4, 4, 5), (2, 4, 4, 3), (0, 4, 3)])
def test_an_array_that_is_no_picture_is_told(samples, tmp_path, monkeypatch, shape):
    (tmp_path / "a.tiff").write_bytes(samples.picture(".tiff"))
    monkeypatch.setattr(cv2, "imdecode", lambda *_: np.zeros(shape, np.uint8))
    with pytest.raises(ValueError, match="a.tiff holds an array of"):
        load_photo(tmp_path / "a.tiff")


def test_a_png_whose_chunk_is_longer_than_the_file_is_not_decoded(samples, tmp_path, no_decoder):
    whole = samples.picture(".png")
    assert not has_overlong_chunk(whole) and not has_overlong_chunk(whole + b"a tail")
    assert has_overlong_chunk(whole[:-1])
    data = bytearray(whole)
    struct.pack_into(">I", data, 33, 0xFFFF0000)  # the first chunk after IHDR
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(ValueError, match="a.png is not a picture"):
        load_photo(tmp_path / "a.png")


@pytest.mark.parametrize("begin", [b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"])
def test_jpeg_2000_needs_an_opencv_that_survives_it(tmp_path, no_decoder, monkeypatch, begin):
    (tmp_path / "a.jp2").write_bytes(begin + bytes(100))
    monkeypatch.setattr(cv2, "__version__", "4.11.0")
    with pytest.raises(ValueError, match="a.jp2 is a JPEG 2000, and OpenCV 4.11.0 crashes on a damaged one"):
        load_photo(tmp_path / "a.jp2")


def test_what_opencv_raises_is_a_sentence(samples, tmp_path, monkeypatch):
    def imdecode(*_):
        raise cv2.error("assertion failed")

    (tmp_path / "a.png").write_bytes(samples.picture(".png"))
    monkeypatch.setattr(cv2, "imdecode", imdecode)
    with pytest.raises(ValueError, match="a.png is not a picture OpenCV can read"):
        load_photo(tmp_path / "a.png")


# ---------------------------------------------------------------- what comes after: pictures of one row


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (3, 20_000)])
def test_thin_pictures_have_no_face_and_break_no_finder(size):
    assert find_faces(torch.rand(*size, 3), "own") == []
    small, scale = within(np.zeros((*size, 3), np.uint8), 640)
    assert max(small.shape[:2]) == min(640, max(size)) and min(small.shape[:2]) >= 1 and 0 < scale <= 1


def test_a_square_around_a_thin_picture_is_not_made():
    assert crop_box((1, LARGEST_CROP), None).size == LARGEST_CROP
    with pytest.raises(ValueError, match="would be 65500 pixels wide in a picture of 1x65500; cut"):
        crop_box((65_500, 1), None)
    (face,) = find_faces(torch.rand(64, 64, 3), box=(0, 0, 60_000, 60_000))
    with pytest.raises(ValueError, match="would be 111600 pixels wide"):
        crop_box((64, 64), face)
