"""Photos: upright, opaque, three channels, whatever the file."""

import struct

import cv2
import numpy as np
import pytest
import torch

from mamba_portrait.media.photo import load_photo, save_image, to_uint8


def with_orientation(jpeg: bytes, orientation: int, order: str) -> bytes:
    """A JPEG with an Exif block that holds only the orientation."""
    tiff = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8)
    tiff += struct.pack(order + "HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)
    block = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + jpeg[2:]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_orientation_is_undone_as_opencv_does(tmp_path, orientation, order):
    picture = np.zeros((40, 64, 3), np.uint8)
    picture[:20, :32], picture[:20, 32:], picture[20:, :32] = (250, 20, 20), (20, 250, 20), (20, 20, 250)
    path = tmp_path / "turned.jpg"
    path.write_bytes(with_orientation(cv2.imencode(".jpg", picture)[1].tobytes(), orientation, order))
    wanted = cv2.imread(str(path), cv2.IMREAD_COLOR)[..., ::-1]
    got = load_photo(path)
    assert got.shape == wanted.shape
    assert np.abs(got.numpy() * 255 - wanted).max() < 1


def test_alpha_is_laid_over_white(tmp_path):
    picture = np.zeros((8, 8, 4), np.uint8)
    picture[..., 2] = 255  # red, BGRA
    picture[:, 4:, 3] = 128
    cv2.imwrite(str(tmp_path / "cut.png"), picture)
    photo = load_photo(tmp_path / "cut.png")
    assert torch.equal(photo[0, 0], torch.ones(3))
    assert torch.allclose(photo[0, 7], torch.tensor([1.0, 127 / 255, 127 / 255]), atol=1e-6)
    assert torch.equal(load_photo(tmp_path / "cut.png", background=0.0)[0, 0], torch.zeros(3))


@pytest.mark.parametrize("shape", [(6, 9), (6, 9, 3)])
def test_sixteen_bits_and_gray(tmp_path, shape):
    picture = np.full(shape, 40000, np.uint16)
    cv2.imwrite(str(tmp_path / "deep.png"), picture)
    photo = load_photo(tmp_path / "deep.png")
    assert photo.shape == (6, 9, 3) and photo.dtype == torch.float32
    assert torch.allclose(photo, torch.tensor(40000 / 65535))


def test_png_round_trip_and_refusals(tmp_path):
    image = torch.rand(11, 7, 3, generator=torch.Generator().manual_seed(0))
    path = save_image(tmp_path / "new" / "a.png", image)
    assert np.array_equal(to_uint8(load_photo(path)), to_uint8(image))
    assert len(list(path.parent.iterdir())) == 1
    with pytest.raises(FileNotFoundError, match="none.png"):
        load_photo(tmp_path / "none.png")
    for content in (b"", b"no picture"):
        (tmp_path / "bad.png").write_bytes(content)
        with pytest.raises(ValueError, match="bad.png"):
            load_photo(tmp_path / "bad.png")
    with pytest.raises(ValueError, match="xyz"):
        save_image(tmp_path / "a.xyz", image)
