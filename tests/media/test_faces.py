"""The shipped face finder on real portraits: the boxes below are those of MediaPipe's short-range detector."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mamba_portrait.media.crop import resize
from mamba_portrait.media.faces import choose_face, find_faces
from mamba_portrait.media.finders import own
from mamba_portrait.media.photo import load_photo

ASSETS = Path(__file__).resolve().parents[2] / "assets"
PORTRAITS = {
    "portrait.jpg": (176.8, 82.6, 272.7, 178.5),
    "portrait_2.jpg": (171.4, 146.9, 365.8, 341.4),
    "portrait_in_room.jpg": (964.8, 210.6, 1060.7, 306.5),
}


def iou(a, b):
    a, b = np.array(a), np.array(b)
    shared = np.prod(np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None))
    return shared / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared)


@pytest.mark.parametrize("name", PORTRAITS)
def test_the_face_of_a_portrait_is_found(name):
    (face,) = find_faces(load_photo(ASSETS / name), finder="own")
    assert iou(face.box, PORTRAITS[name]) > 0.6
    left_eye, right_eye, nose, left_mouth, right_mouth = face.landmarks
    assert left_eye[0] < nose[0] < right_eye[0] and left_mouth[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])


def test_any_size_of_the_same_picture_gives_the_same_face():
    photo = load_photo(ASSETS / "portrait.jpg")
    double = photo.repeat_interleave(2, 0).repeat_interleave(2, 1)
    face, larger = (choose_face(find_faces(p, finder="own")) for p in (photo, double))
    assert iou(np.array(face.box) * 2, larger.box) > 0.85
    assert larger.frame == (1024, 1024)


def test_mirrored_picture_gives_the_mirrored_face():
    photo = load_photo(ASSETS / "portrait_2.jpg")
    face, other = (choose_face(find_faces(p, finder="own")) for p in (photo, photo.flip(1)))
    x0, y0, x1, y1 = other.box
    assert iou(face.box, (512 - x1, y0, 512 - x0, y1)) > 0.8


def test_arrays_and_alpha_are_taken_and_bytes_are_refused():
    photo = load_photo(ASSETS / "portrait.jpg")
    found = choose_face(find_faces(photo)).box
    assert choose_face(find_faces(photo.numpy())).box == found
    with pytest.raises(ValueError, match="The picture has uint8 pixels, but floats"):
        find_faces((photo.numpy() * 255).round().astype(np.uint8))
    with pytest.raises(ValueError, match="pixels from 0 to 255, but they must lie"):
        find_faces(photo * 255)
    assert choose_face(find_faces(torch.cat([photo, torch.ones(512, 512, 1)], -1)[None])).box == found


def test_a_face_that_fills_the_picture_is_found_and_so_is_a_small_one():
    photo = load_photo(ASSETS / "portrait.jpg")
    assert choose_face(find_faces(photo[70:190, 165:285], finder="own")).size > 0.7 * 120
    view = torch.full((700, 900, 3), 0.4)
    view[300:492, 500:692] = resize(photo, 192, 192)
    face = choose_face(find_faces(view, finder="own"))
    assert iou(face.box, np.array(PORTRAITS["portrait.jpg"]) * 192 / 512 + (500, 300, 500, 300)) > 0.5


def test_detections_in_a_flipped_crop_are_flipped_back():
    rows = torch.tensor([[0.9, 30.0, 40.0, 20.0, 25.0, 35.0, 36.0, 34.0, 31.0, 40.0, 26.0, 45.0, 35.0, 46.0]])
    turned = own._unflip(rows)
    assert turned[0, :4].tolist() == pytest.approx([0.9, own.CROP_SIDE - 30, 40, 20])
    left_eye, right_eye, _, left_mouth, right_mouth = turned[0, 4:].view(5, 2).tolist()
    assert left_eye == [own.CROP_SIDE - 36, 34] and right_eye == [own.CROP_SIDE - 25, 35]
    assert left_mouth[0] < right_mouth[0]
    assert torch.equal(own._unflip(turned), rows)


def test_crops_without_the_face_lower_the_score():
    row = torch.tensor([0.9, 50.0, 50.0, 40.0, *[50.0] * 10])
    agreeing, elsewhere = row.clone()[None], row.clone()[None]
    elsewhere[0, 1] += 30
    both, one = (own._merge(row, [agreeing, other])[0] for other in (agreeing, elsewhere))
    assert both == pytest.approx(0.9, abs=1e-4) and one < 0.5


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_plain_pictures_hold_no_face(level):
    assert find_faces(torch.full((300, 400, 3), level), finder="own") == []


def test_textures_hold_no_face():
    y, x = np.mgrid[0:480, 0:640]
    noise = np.random.default_rng(0).random((480, 640, 3))
    for picture in (
        noise,
        ((x // 40 + y // 40) % 2)[..., None] * np.ones(3),
        np.sin(x / 9)[..., None] * np.ones(3) / 2 + 0.5,
    ):
        assert find_faces(picture.astype(np.float32), finder="own") == []


def test_tiny_and_long_pictures_are_no_error():
    assert find_faces(torch.zeros(1, 1, 3), finder="own") == []
    assert find_faces(torch.zeros(3, 900, 3), finder="own") == []


def test_a_face_of_thousands_of_pixels_is_not_read_whole(monkeypatch):
    photo = load_photo(ASSETS / "portrait.jpg")[64:320, 96:352]
    (face,) = find_faces(photo, finder="own")
    read, resized = [], own._resized
    monkeypatch.setattr(own, "_resized", lambda image, *size: read.append(image.shape) or resized(image, *size))
    picture = photo.repeat_interleave(16, 0).repeat_interleave(16, 1)
    (large,) = find_faces(picture.numpy(), finder="own")
    near = [shape for shape in read if shape != tuple(picture.shape)]
    assert near and max(max(shape) for shape in near) < 2 * own.CROP_SIDE * own.CROP_SAMPLES
    assert iou(np.array(face.box) * 16, large.box) > 0.85


def test_missing_weights_are_named(monkeypatch, tmp_path):
    monkeypatch.setenv("MAMBA_PORTRAIT_WEIGHTS", str(tmp_path))
    assert own.FILE in own.missing()
    with pytest.raises(RuntimeError, match=own.FILE):
        find_faces(torch.zeros(64, 64, 3), finder="own")
