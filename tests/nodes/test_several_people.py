"""Several people in one photo: each way to pick a face, and faces pasted back one after the other."""

from pathlib import Path

import pytest
import torch

from mamba_portrait.media.crop import Crop, paste_back, resize
from mamba_portrait.media.photo import load_photo
from mamba_portrait.nodes.conversation import TwoVoices
from mamba_portrait.nodes.paste import PasteBack
from mamba_portrait.nodes.pick_face import PickFace

PHOTO = load_photo(Path(__file__).resolve().parents[2] / "assets" / "two_portraits.jpg")[None]
LEFT, RIGHT = (176, 162), (456, 186)


def middle(pick, **values):
    crop = PickFace.execute(PHOTO, pick, "auto", **values).args[1]
    return crop.x0 + crop.size / 2


def mask_over(x, y):
    mask = torch.zeros(1, *PHOTO.shape[1:3])
    mask[:, y - 20 : y + 20, x - 15 : x + 15] = 1
    return mask


@pytest.mark.parametrize(
    ("pick", "values", "x"),
    [
        ("left", {}, LEFT[0]),
        ("right", {}, RIGHT[0]),
        ("largest", {}, RIGHT[0]),
        ("number", {"number": 1}, LEFT[0]),
        ("point", {"x": LEFT[0] + 20, "y": LEFT[1] - 30}, LEFT[0]),
        ("point", {"x": 630, "y": 10}, RIGHT[0]),
        ("box", {"x": 400, "y": 130, "width": 112, "height": 112}, RIGHT[0]),
        ("box", {"bounding_box": {"x": 120, "y": 106, "width": 112, "height": 112}}, LEFT[0]),
        ("mask", {"mask": mask_over(*LEFT)}, LEFT[0]),
        ("mask", {"mask": mask_over(*RIGHT)[:, ::2, ::2]}, RIGHT[0]),
    ],
)
def test_every_way_picks_the_face_that_is_meant(pick, values, x):
    assert middle(pick, **values) == pytest.approx(x, abs=8)


def test_a_face_is_the_same_when_the_photo_is_mirrored_and_it_is_clicked():
    """Sides change, people do not: the click follows the person."""
    mirrored = PHOTO.flip(2)
    here = PickFace.execute(PHOTO, "point", "auto", x=LEFT[0], y=LEFT[1]).args[0][0]
    there = PickFace.execute(mirrored, "point", "auto", x=640 - LEFT[0], y=LEFT[1]).args[0][0].flip(1)
    other = PickFace.execute(mirrored, "left", "auto").args[0][0].flip(1)
    here, there, other = (resize(picture, 64, 64) for picture in (here, there, other))
    assert (here - there).abs().mean() < 0.08 < 0.15 < (here - other).abs().mean()


def test_the_overlay_marks_all_faces_and_the_picked_one():
    *_, mask, shown, count = PickFace.execute(PHOTO, "left", "auto").args
    assert count == 2 and shown.shape == PHOTO.shape and mask.shape == PHOTO.shape[:3]
    changed = (shown - PHOTO).abs().amax(-1)[0] > 0.2
    assert changed[100:220, 110:240].sum() > 200 and changed[120:250, 390:520].sum() > 100


@pytest.mark.parametrize(
    ("pick", "values", "told"),
    [
        ("mask", {}, "needs a mask"),
        ("mask", {"mask": torch.zeros(1, 8, 8)}, "mask is empty"),
        ("number", {"number": 5}, "Face 5 was asked for"),
        ("box", {"bounding_box": {"x": 1}}, "bounding box has no"),
        ("box", {}, "is no part of"),
    ],
)
def test_what_cannot_be_picked_is_one_sentence(pick, values, told):
    with pytest.raises(ValueError, match=told):
        PickFace.execute(PHOTO, pick, "auto", **values)


def test_faces_are_pasted_one_after_the_other():
    photo = torch.zeros(1, 40, 80, 3)
    one, two = Crop(0, 0, 40, 40, 80), Crop(40, 0, 40, 40, 80)
    first = PasteBack.execute(photo, torch.full((3, 40, 40, 3), 0.5), one, 0.0).args[0]
    both = PasteBack.execute(first, torch.full((3, 40, 40, 3), 1.0), two, 0.0).args[0]
    assert both.shape == (3, 40, 80, 3) and (both[:, :, :40] == 0.5).all() and (both[:, :, 40:] == 1).all()
    with pytest.raises(ValueError, match="but 3 came in at 'photo' and 2 at 'frames'"):
        PasteBack.execute(first, torch.ones(2, 40, 40, 3), two, 0.0)


def test_where_two_crops_lie_each_face_keeps_its_half():
    photo, one, two = torch.zeros(40, 64, 3), Crop(0, 0, 40, 40, 64), Crop(24, 0, 40, 40, 64)
    first = paste_back(photo, torch.full((1, 40, 40, 3), 0.5), one, 0.0, [two])
    both = paste_back(first, torch.full((1, 40, 40, 3), 1.0), two, 0.0, [one])[0]
    assert (both[:, :28] == 0.5).all() and (both[:, 36:] == 1).all()


def test_two_voices_need_a_second_one_or_times():
    audio = {"waveform": torch.ones(1, 1, 8000), "sample_rate": 8000}
    with pytest.raises(ValueError, match="second recording, or the times"):
        TwoVoices.execute(audio, "as recorded", 0.3, "")
    one, two, both = TwoVoices.execute(audio, "as recorded", 0.3, "1: 0-0.5, 2: 0.5-1").args
    assert both["waveform"].shape == one["waveform"].shape == two["waveform"].shape == (1, 1, 8000)
