"""The face of a film: a box that does not jitter, cuts, faces that are lost, and faces that change sides."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from mamba_portrait.media.crop import resize
from mamba_portrait.media.faces import Face, choose_face
from mamba_portrait.media.photo import load_photo
from mamba_portrait.pipelines import tracking
from mamba_portrait.pipelines.tracking import track_face

ASSETS = Path(__file__).resolve().parents[2] / "assets"
PORTRAIT = resize(load_photo(ASSETS / "portrait_2.jpg"), 320, 256)
OTHER = resize(load_photo(ASSETS / "portrait.jpg"), 320, 256)
FPS = Fraction(25)


def filmed(picture, frames, seed=0):
    """A still picture as a camera films it, with noise."""
    noise = torch.Generator().manual_seed(seed)
    return [(picture + 0.03 * torch.randn(picture.shape, generator=noise)).clamp(0, 1) for _ in range(frames)]


def test_the_box_of_a_still_head_stands_still():
    track = track_face(filmed(PORTRAIT, 20), FPS)
    (shot,) = track.shots
    assert shot.steady and shot.seen.all() and len({track.crop(i) for i in range(20)}) == 1
    marks = np.stack([track.marks(i) for i in range(20)])
    assert np.abs(np.diff(marks, axis=0)).max() < 0.5


def test_the_box_follows_a_moving_head_smoothly():
    wide = torch.cat([PORTRAIT, PORTRAIT[:, :1].expand(-1, 200, -1)], 1)
    track = track_face([torch.roll(wide, 6 * i, 1) for i in range(25)], FPS)
    (shot,) = track.shots
    moved = shot.boxes[1:, 0] - shot.boxes[:-1, 0]
    assert not shot.steady and float((shot.boxes[-3, 0] - shot.boxes[2, 0]) / 20) == pytest.approx(6, abs=1)
    assert float((moved[4:-4] - 6).abs().max()) < 1.5
    assert len({track.crop(i).size for i in range(25)}) == 1


def test_a_cut_begins_a_shot_and_a_shot_without_a_face_is_told():
    film = [*filmed(PORTRAIT, 10), *filmed(torch.full_like(PORTRAIT, 0.4), 10), *filmed(OTHER, 10)]
    track = track_face(film, FPS)
    assert [(shot.first, shot.last) for shot in track.shots] == [(0, 10), (10, 20), (20, 30)]
    assert [track.seen(i) for i in (0, 9, 10, 19, 20, 29)] == [True, True, False, False, True, True]


def test_a_film_without_frames_is_refused():
    with pytest.raises(ValueError, match="no frames"):
        track_face([], FPS)


def test_each_of_two_people_keeps_the_track_when_they_change_sides(monkeypatch):
    """The finder is replaced by one that knows where two faces are, and names them in no order."""
    place = {"number": 0}

    def faces(*_):
        x = 40 + 8 * place["number"]
        both = [(x, 100, 40), (280 - 8 * place["number"], 120, 40)]
        return [Face((x - s / 2, y - s / 2, x + s / 2, y + s / 2), 0.9, None, "yunet", (240, 320)) for x, y, s in both]

    def follow(_, face):
        return min(faces(), key=lambda new: tracking.apart(new, face))

    monkeypatch.setattr(tracking, "find_faces", faces)
    monkeypatch.setattr(tracking, "follow_face", follow)

    def film():
        for number in range(30):
            place["number"] = number
            yield torch.zeros(240, 320, 3)

    left, right = (track_face(film(), FPS, which=which).shots[0].boxes for which in ("left", "right"))
    assert left[0, 0] < 80 and left[-1, 0] > 240 and float(left[:, 1].std()) < 1e-3
    assert right[0, 0] > 240 and right[-1, 0] < 80 and float(right[:, 1].std()) < 1e-3


def test_a_face_is_chosen_by_a_point():
    big, small, far = (
        Face((x, y, x + s, y + s), 0.9, None, "own", (400, 400))
        for x, y, s in ((0, 0, 200), (50, 50, 40), (300, 300, 50))
    )
    assert choose_face([big, small, far], (60.0, 60.0)) is small
    assert choose_face([big, small, far], (150.0, 150.0)) is big
    assert choose_face([big, small, far], (390.0, 280.0)) is far
