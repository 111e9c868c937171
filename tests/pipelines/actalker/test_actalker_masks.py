"""Masks and crops from face boxes."""

import pytest
import torch

from mamba_portrait.pipelines.actalker.crops import cut_box, features_box, head_box, prepared_size
from mamba_portrait.pipelines.actalker.masks import (
    control_masks,
    draw_box,
    extend_box,
    face_masks,
    mouth_box,
    union_box,
)

BOX = (40.0, 30.0, 80.0, 70.0)


def test_union_box_holds_every_box_of_a_clip():
    assert union_box([(10, 20, 30, 40), (5, 25, 28, 50)]) == (5, 20, 30, 50)
    with pytest.raises(ValueError, match="no face box"):
        union_box([])


def test_extension_is_about_the_centre_and_stays_in_the_picture():
    assert extend_box(BOX, 1.2, (100, 120)) == (36, 26, 84, 74)
    assert extend_box(BOX, 9, (100, 120)) == (0, 0, 120, 100)


def test_masks_part_the_face_into_mouth_and_rest():
    masks = face_masks((100, 120), [BOX])
    assert masks.face.sum() == 48 * 48
    assert masks.mouth.sum() == 40 * 20
    assert torch.equal(masks.mouth + masks.motion, masks.face)
    clip = face_masks((100, 120), [BOX, (50.0, 30.0, 90.0, 70.0)])
    assert clip.face.sum() > masks.face.sum()


def test_mouth_box_from_landmarks_lies_around_the_corners():
    marks = torch.tensor([[50.0, 40], [70, 40], [60, 52], [52, 60], [68, 60]])
    x0, y0, x1, y1 = mouth_box(BOX, marks)
    assert x0 < 52 and x1 > 68 and y0 == 52 and y1 == 68
    assert mouth_box(BOX) == (40, 50, 80, 70)


def test_control_masks_follow_gates_and_mode():
    masks = face_masks((100, 120), [BOX])
    audio, motion = control_masks(masks, 1, 0)
    assert torch.equal(audio, masks.face) and not motion.any()
    audio, motion = control_masks(masks, 0, 0.5)
    assert torch.equal(motion, masks.face) and not audio.any()
    assert all(mask.all() for mask in control_masks(masks, 1, 1, "release"))
    audio, motion = control_masks(masks, 1, 0.3, "paper")
    assert torch.equal(audio, masks.mouth) and torch.equal(motion, masks.motion)
    with pytest.raises(ValueError, match="mask_mode"):
        control_masks(masks, 1, 1, "ones")


def test_prepared_sides_are_multiples_of_64():
    assert prepared_size(1024, 1024, 576) == (576, 576)
    assert prepared_size(1080, 1920, 576) == (576, 1024)
    assert all(side % 64 == 0 for side in prepared_size(333, 777, 200))


def test_cut_box_is_black_beyond_the_picture():
    piece = cut_box(torch.ones(3, 20, 20), (-10, 0, 10, 20), 20)
    assert piece.shape == (3, 20, 20)
    assert piece[:, :, :8].max() == 0 and piece[:, :, 12:].min() == 1
    with pytest.raises(ValueError, match="no part"):
        cut_box(torch.ones(3, 20, 20), (30, 0, 50, 20), 20)


def test_head_box_is_a_square_in_the_picture_near_the_face():
    x0, y0, x1, y1 = head_box(BOX, (100, 120))
    assert x1 - x0 == y1 - y0 == 100 and x0 >= 0 and x1 <= 120
    assert (x0 + x1) / 2 == 60


def test_features_box_is_a_square_between_landmarks_and_face():
    marks = torch.tensor([[50.0, 40], [70, 40], [60, 50], [52, 60], [68, 60]])
    x0, y0, x1, y1 = features_box(BOX, marks)
    assert x1 - x0 == y1 - y0 and 20 < x1 - x0 < 40
    assert features_box(BOX) == BOX


def test_draw_box_rounds_to_pixels():
    assert draw_box((0.4, 0.4, 2.6, 1.6), (4, 4)).sum() == 3 * 2
