"""Photos: upright, opaque, three channels, whatever the file."""

import struct
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mamba_portrait.media import photo_profile
from mamba_portrait.media.photo import load_photo, save_image, to_uint8
from mamba_portrait.media.picture_headers import is_heic

P3_TO_SRGB = [[1.2249, -0.2247, 0.0], [-0.0420, 1.0419, 0.0], [-0.0197, -0.0786, 1.0979]]  # linear light


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


# ---------------------------------------------------------------- photographs of telephones


@pytest.fixture
def samples(monkeypatch):
    """tests/altered/samples.py."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "altered"))
    import samples

    yield samples
    del sys.modules["samples"]


def colours() -> np.ndarray:
    """32 x 48 uint8 RGB, fields of 8 x 8 in one colour each."""
    fields = np.random.default_rng(0).integers(30, 220, (4, 6, 3), np.uint8)
    return fields.repeat(8, 0).repeat(8, 1)


def in_srgb(picture: np.ndarray) -> np.ndarray:
    """Display P3 -> sRGB by the published matrix, both with sRGB's curve; 0..255."""
    x = picture / 255
    linear = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4) @ np.array(P3_TO_SRGB).T
    linear = linear.clip(0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def middles(picture: np.ndarray) -> np.ndarray:
    return picture[3::8, 3::8]


@pytest.mark.parametrize(("suffix", "tolerance"), [(".png", 1.5), (".tiff", 1.5), (".jpg", 12), (".webp", 12)])
def test_display_p3_becomes_srgb(samples, tmp_path, suffix, tolerance):
    (tmp_path / f"wide{suffix}").write_bytes(samples.with_profile(suffix, colours()))
    got, wanted = load_photo(tmp_path / f"wide{suffix}").numpy() * 255, in_srgb(colours())
    assert np.abs(wanted - colours()).max() > 15  # so a picture left as it is would fail
    assert np.abs(middles(got) - middles(wanted)).mean() < tolerance / 3
    assert np.abs(middles(got) - middles(wanted)).max() < tolerance


def test_a_deep_picture_stays_deep(samples):
    ramp = np.linspace(0.2, 0.8, 5000, dtype=np.float32)[None, :, None].repeat(3, 2)
    changed = photo_profile.to_srgb(ramp * (1, 0.5, 0.5), samples.display_p3())
    assert len(np.unique(changed[..., 0])) > 2000
    assert np.abs(changed * 255 - in_srgb(ramp * (255, 127.5, 127.5))).max() < 2


def test_srgb_and_useless_profiles_change_nothing(samples):
    picture = np.random.default_rng(1).random((9, 9, 3), np.float32)
    srgb = photo_profile.ImageCms.ImageCmsProfile(photo_profile.ImageCms.createProfile("sRGB")).tobytes()
    assert photo_profile.sound_profile(srgb)
    assert photo_profile.to_srgb(picture, srgb) is picture
    damaged = bytearray(samples.display_p3())
    damaged[128:300] = bytes(172)
    assert photo_profile.to_srgb(picture, bytes(damaged)) is picture
    gray = picture[..., :1]
    assert photo_profile.to_srgb(gray, samples.display_p3()) is gray


@pytest.mark.parametrize(
    "spoil",
    [
        lambda profile: profile + b"more",
        lambda profile: profile[:100],
        lambda profile: profile.replace(b"acsp", b"acsq"),
        lambda profile: profile[:16] + b"CMYK" + profile[20:],
        lambda profile: struct.pack(">I", 1 << 21) + profile[4:] + bytes((1 << 21) - len(profile)),
        lambda profile: None,
    ],
)
def test_profiles_with_an_unsound_header_do_not_reach_native_code(samples, spoil):
    assert photo_profile.sound_profile(samples.display_p3())
    assert not photo_profile.sound_profile(spoil(samples.display_p3()))


def test_heic_needs_its_library_and_says_so(samples, tmp_path, monkeypatch):
    (tmp_path / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40))
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ValueError, match="phone.heic is a HEIC photograph, which needs pillow-heif: pip install"):
        load_photo(tmp_path / "phone.heic")


def test_heic_is_read_upright_and_in_srgb(samples, tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif")
    picture = pillow_heif.from_pillow(photo_profile.Image.fromarray(colours()))
    exif = photo_profile.Image.Exif()
    exif[0x0112] = 6
    picture.info.update(icc_profile=samples.display_p3(), exif=exif.tobytes())
    picture.save(tmp_path / "phone.heic", quality=95)
    got, wanted = load_photo(tmp_path / "phone.heic").numpy() * 255, np.rot90(in_srgb(colours()), -1)
    assert got.shape == wanted.shape
    assert np.abs(middles(got) - middles(wanted)).mean() < 4


@pytest.mark.parametrize("spoiled", ["size", "cut", "zeros"])
def test_a_damaged_or_enormous_heic_is_a_sentence(samples, tmp_path, monkeypatch, spoiled):
    pillow_heif = pytest.importorskip("pillow_heif")
    data = bytearray(samples.heic(colours()))
    if spoiled == "size":
        struct.pack_into(">II", data, data.index(b"ispe") + 8, 30000, 20000)
        monkeypatch.setattr(pillow_heif, "open_heif", lambda *_, **__: pytest.fail("it was decoded"))
    elif spoiled == "cut":
        del data[len(data) // 2 :]
    else:
        data[60:400] = bytes(340)
    (tmp_path / "phone.heic").write_bytes(data)
    with pytest.raises(ValueError, match="phone.heic (says it is 30000x20000|is a damaged HEIC)"):
        load_photo(tmp_path / "phone.heic")


def test_avif_is_no_heic():
    assert not is_heic(b"\0\0\0\x1cftypavif\0\0\0\0mif1miafavif")
    assert not is_heic(b"\0\0\0\x1cftypmif1\0\0\0\0mif1miafavif")
    assert is_heic(b"\0\0\0\x1cftypmif1\0\0\0\0mif1miafheic")
    assert not is_heic(b"") and not is_heic(b"\0\0\0\x1cftyp")


def test_exif_of_png_and_webp_turns_them(tmp_path):
    exif = photo_profile.Image.Exif()
    exif[0x0112] = 8
    for suffix in (".png", ".webp"):
        photo_profile.Image.fromarray(colours()).save(tmp_path / f"turned{suffix}", exif=exif.tobytes(), lossless=True)
        got = load_photo(tmp_path / f"turned{suffix}").numpy()
        assert np.abs(got * 255 - np.rot90(colours())).max() < 1
