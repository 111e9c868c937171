"""The shipped face finder on real portraits: the boxes below are those of MediaPipe's short-range detector."""

from pathlib import Path

import numpy as np
import pytest
import torch

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
    face = choose_face(find_faces(load_photo(ASSETS / name), finder="own"))
    assert face.score > 0.6
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


def test_arrays_bytes_and_alpha_are_taken():
    photo = load_photo(ASSETS / "portrait.jpg")
    found = choose_face(find_faces(photo)).box
    assert choose_face(find_faces((photo.numpy() * 255).round().astype(np.uint8))).box == pytest.approx(found, abs=1)
    assert choose_face(find_faces(torch.cat([photo, torch.ones(512, 512, 1)], -1)[None])).box == found


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


def test_missing_weights_are_named(monkeypatch, tmp_path):
    monkeypatch.setenv("MAMBA_PORTRAIT_WEIGHTS", str(tmp_path))
    assert own.FILE in own.missing()
    with pytest.raises(RuntimeError, match=own.FILE):
        find_faces(torch.zeros(64, 64, 3), finder="own")
