"""The portrait crop and its way back into the photo; the choice of face."""

import numpy as np
import pytest
import torch

from mamba_portrait.media import crop as crops
from mamba_portrait.media.crop import Crop, crop_box, crop_portrait, cut, paste_back
from mamba_portrait.media.faces import Face, choose_face, find_faces


def smooth_photo(height, width):
    y = torch.linspace(0, 6, height)[:, None, None]
    x = torch.linspace(0, 9, width)[None, :, None]
    return 0.5 + 0.4 * torch.sin(x + torch.arange(3.0)) * torch.cos(y)


def face_at(box, frame):
    return Face(box, 1.0, None, "box", frame)


@pytest.mark.parametrize("box", [(200, 150, 300, 250), (-20, -10, 90, 100), (420, 300, 640, 480)])
def test_crop_pasted_back_unchanged_is_the_photo(box):
    photo = smooth_photo(480, 640)
    portrait, crop = crop_portrait(photo, face_at(box, (480, 640)))
    assert portrait.shape == (crop.size, crop.size, 3)
    out = paste_back(photo, portrait[None].repeat(2, 1, 1, 1), crop)
    assert out.shape == (2, 480, 640, 3)
    assert (out - photo).abs().max() < 1e-6


def test_resized_portraits_return_within_resampling_error():
    photo = smooth_photo(480, 640)
    portrait, crop = crop_portrait(photo, face_at((200, 150, 340, 290), (480, 640)), max_size=128)
    assert portrait.shape == (128, 128, 3)
    assert (paste_back(photo, portrait[None], crop) - photo).abs().max() < 0.02


def test_outside_the_crop_nothing_changes_and_inside_the_seam_fades():
    photo = smooth_photo(300, 400)
    crop = Crop(100, 80, 120, 300, 400)
    out = paste_back(photo, torch.ones(1, 120, 120, 3), crop, feather=0.1)[0]
    outside = torch.ones(300, 400, dtype=torch.bool)
    outside[80:200, 100:220] = False
    assert torch.equal(out[outside], photo[outside])
    assert torch.equal(out[140, 160], torch.ones(3))
    opacity = ((out - photo) / (1 - photo))[140, 100:220, 0]
    assert 0 < opacity[0] < 0.05 and (opacity[:12].diff() > 0).all()
    assert opacity.diff().abs().max() < 0.2


def test_a_crop_beyond_the_edge_shows_the_mirror_and_is_opaque_there():
    photo = smooth_photo(100, 100)
    crop = Crop(-30, -30, 80, 100, 100)
    piece = cut(photo, crop)
    assert torch.equal(piece[30:, 30:], photo[:50, :50])
    assert torch.equal(piece[:30, 30:], photo[:30, :50].flip(0))
    out = paste_back(photo, torch.ones(1, 80, 80, 3), crop)[0]
    assert torch.equal(out[0, 0], torch.ones(3))


def test_photos_are_framed_as_the_drawn_heads_are():
    """The median drawn head: box 0.538 of the picture, centred at 0.555 of its height."""
    crop = crop_box((2000, 2000), face_at((800, 900, 1200, 1300), (2000, 2000)))
    assert 400 / crop.size == pytest.approx(0.538, abs=0.01)
    assert (1100 - crop.y0) / crop.size == pytest.approx(0.555, abs=0.01)
    assert (1000 - crop.x0) / crop.size == pytest.approx(0.5, abs=0.002)


def test_one_crop_serves_all_frames_of_a_video():
    frames = torch.rand(4, 60, 80, 3)
    crop = Crop(10, 5, 40, 60, 80)
    assert torch.equal(cut(frames, crop), frames[:, 5:45, 10:50])
    with pytest.raises(ValueError, match="80x60"):
        cut(torch.rand(30, 30, 3), crop)


def test_whole_picture_is_inside_its_crop():
    photo = smooth_photo(90, 60)
    face = find_faces(photo, finder="whole")[0]
    portrait, crop = crop_portrait(photo, face)
    assert crop.size == 90
    assert torch.equal(portrait[:, 15:75], photo)
    assert crop_portrait(photo, None)[1] == crop


def test_frames_of_another_photo_are_refused():
    with pytest.raises(ValueError, match="80x60"):
        paste_back(torch.rand(30, 30, 3), torch.rand(1, 40, 40, 3), Crop(10, 5, 40, 60, 80))


def test_choice_of_face():
    frame = (100, 200)
    faces = [face_at((150, 40, 190, 80), frame), face_at((5, 5, 30, 30), frame), face_at((90, 40, 110, 60), frame)]
    assert choose_face(faces, "largest") is faces[0]
    assert choose_face(faces, "left") is faces[1]
    assert choose_face(faces, "right") is faces[0]
    assert choose_face(faces, "center") is faces[2]
    assert choose_face(faces, 1) is faces[1] and choose_face(faces, "2") is faces[2]
    with pytest.raises(ValueError, match="the picture has 3"):
        choose_face(faces, 3)
    with pytest.raises(ValueError, match="largest"):
        choose_face(faces, "smallest")


def test_no_face_says_what_to_do():
    with pytest.raises(ValueError, match="the finder .whole."):
        choose_face([], "largest")


def test_a_given_box_wins_and_bad_ones_are_named():
    picture = np.zeros((50, 60, 3), np.uint8)
    assert find_faces(picture, box=(10, 10, 30, 30))[0].box == (10, 10, 30, 30)
    with pytest.raises(ValueError, match="60x50"):
        find_faces(picture, box=(70, 10, 90, 30))
    with pytest.raises(ValueError, match="needs the face.s box"):
        find_faces(picture, finder="box")
    with pytest.raises(ValueError, match="Unknown face finder"):
        find_faces(picture, finder="mtcnn")
    with pytest.raises(ValueError, match=r"\(50, 60\)"):
        find_faces(picture[..., 0])


def test_a_finder_that_cannot_run_says_why(monkeypatch):
    from mamba_portrait.media import faces
    from mamba_portrait.media.finders import yunet

    monkeypatch.setattr(yunet, "missing", lambda: "its file is not there")
    with pytest.raises(RuntimeError, match="its file is not there"):
        find_faces(np.zeros((50, 60, 3), np.uint8), finder="yunet")
    monkeypatch.setattr(faces, "SEARCHERS", {"yunet": yunet})
    with pytest.raises(RuntimeError, match="'whole'"):
        find_faces(np.zeros((50, 60, 3), np.uint8))


@pytest.mark.parametrize("side", range(60, 64))
def test_the_side_is_even_so_that_films_need_no_other_size(side):
    photo = torch.rand(181, 201, 3)
    for face in (face_at((70, 50, 70 + side, 50 + side), (181, 201)), None):
        portrait, crop = crop_portrait(photo, face)
        assert crop.size % 2 == 0 and portrait.shape[:2] == (crop.size, crop.size)
        pasted = paste_back(photo, portrait[None], crop, feather=0)[0]
        assert torch.equal(pasted, photo)  # nothing was resampled
    assert crop.size == 202


def test_a_crop_inside_the_photo_is_its_own_pixels_and_no_view():
    photo = torch.rand(2, 30, 40, 3, generator=torch.Generator().manual_seed(0))
    inside = crops.Crop(7, 5, 20, 30, 40)
    piece = crops.cut(photo, inside, None)
    rows, columns = torch.arange(5, 25), torch.arange(7, 27)
    assert torch.equal(piece, photo[:, rows][:, :, columns])
    assert piece.data_ptr() != photo.data_ptr() and piece.is_contiguous()


def test_kornia_pastes_and_resizes_the_same():
    from kornia.geometry.transform import resize, warp_affine

    generator = torch.Generator().manual_seed(0)
    photo, frames = torch.rand(60, 90, 3, generator=generator), torch.rand(2, 32, 32, 3, generator=generator)
    place = crops.Crop(20, 10, 32, 60, 90)
    move = torch.tensor([[[1.0, 0, 20], [0, 1, 10]]]).repeat(2, 1, 1)
    fade = crops._fade(10, 32, 60, 0.1)[:, None] * crops._fade(20, 32, 90, 0.1)
    warped, alpha = (
        warp_affine(x, move, (60, 90), align_corners=False)
        for x in (frames.permute(0, 3, 1, 2), fade.expand(2, 1, -1, -1))
    )
    wanted = torch.lerp(photo.permute(2, 0, 1).expand_as(warped), warped, alpha.expand_as(warped)).permute(0, 2, 3, 1)
    assert torch.allclose(crops.paste_back(photo, frames, place, 0.1), wanted, atol=2e-4)
    larger = resize(frames.permute(0, 3, 1, 2), (50, 70), align_corners=False).permute(0, 2, 3, 1)
    assert torch.equal(crops.resize(frames, 50, 70), larger)
