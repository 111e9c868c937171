"""Pictures as other packs make them: gray, with alpha, several, none, empty, spoilt. Also as the frames of a video."""

import math
from fractions import Fraction
from types import SimpleNamespace

import pytest
import torch

from mamba_portrait.host.headless import settings as headless
from mamba_portrait.media.crop import Crop
from mamba_portrait.nodes import assemble, crop, paste
from mamba_portrait.nodes.actalker.encode import face_tracker
from mamba_portrait.nodes.actalker.masks import ACTalkerMasks
from mamba_portrait.nodes.control import single_mask
from mamba_portrait.nodes.values import pictures
from mamba_portrait.nodes.values.video_input import open_video

WHERE = Crop(4, 4, 20, 32, 32)


def some(count=1, channels=3):
    return torch.rand(count, 32, 32, channels, generator=torch.Generator().manual_seed(0))


def cropped(image):
    return crop.PortraitCrop.execute(image, "whole", "largest", 0, 2.0, 0.1)[0]


def masked(image):
    return ACTalkerMasks.execute(image, "whole", "largest", 0, 1.2, "release")[1]


def pasted(image):
    return paste.PasteBack.execute(image, some(2), WHERE, 0.1)[0]


def laid_in(image):
    return paste.PasteBack.execute(some(), image, WHERE, 0.1)[0]


def filmed(image):
    return assemble.FramesToVideo.execute(image, 25.0, 18, False)[0]


NODES = [cropped, masked, pasted, laid_in, filmed]


@pytest.fixture(autouse=True)
def host(tmp_path, monkeypatch):
    monkeypatch.setattr(assemble, "temp_directory", lambda: tmp_path)
    with headless.configure(device="cpu"):
        yield tmp_path


def test_gray_is_colour_alpha_is_kept_by_the_crop_alone_and_a_single_picture_needs_no_batch():
    gray, image = some(channels=1), some()
    assert torch.equal(cropped(gray), gray.expand(-1, -1, -1, 3))
    assert torch.equal(cropped(torch.cat([gray, image[..., :1]], -1)), cropped(gray))  # gray with alpha
    clear = torch.cat([image, gray], -1)
    assert torch.equal(cropped(clear), clear) and torch.equal(pasted(clear), pasted(image))
    for other in (image[0], image.double()):
        assert torch.equal(cropped(other), image)
        assert torch.equal(pasted(other), pasted(image))


def test_what_lies_outside_black_and_white_is_cut_off():
    assert torch.equal(cropped(some() * 3 - 1), (some() * 3 - 1).clamp(0, 1))


@pytest.mark.parametrize("use", NODES)
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_spoilt_pixels_are_told_and_leave_no_file(use, value, host):
    image = some(10 if use in (laid_in, filmed) else 1)
    image[-1, 3, 5, 0] = value
    with pytest.raises(ValueError, match="NaN or infinite pixels"):
        use(image)
    assert list(host.iterdir()) == []


@pytest.mark.parametrize("use", NODES)
@pytest.mark.parametrize("image", [None, torch.zeros(0, 32, 32, 3), torch.zeros(1, 0, 0, 3), torch.zeros(1, 32, 0, 3)])
def test_no_picture_is_told_with_the_name_of_the_input(use, image):
    with pytest.raises(ValueError, match="(Nothing|No picture) came in at '(image|photo|frames)'"):
        use(image)


def test_several_photos_are_refused_where_one_is_meant():
    with pytest.raises(ValueError, match="takes one photo, but 2 came in at '.*': put the node ImageFromBatch"):
        cropped(some(2))


def test_an_empty_mask_is_told():
    with pytest.raises(ValueError, match="A mask of shape .* holds nothing"):
        single_mask(torch.zeros(0, 32, 32))


def test_a_long_batch_is_not_copied():
    image = some(5)
    assert pictures.batch_of(image, "frames").data_ptr() == image.data_ptr()


def made_of(images):
    class FilmOfTensors:
        def get_components(self):
            return SimpleNamespace(images=images, audio=None, frame_rate=Fraction(25))

    return FilmOfTensors()


def test_frames_of_a_video_may_be_gray_but_not_spoilt_or_missing():
    gray = some(3, channels=1)
    assert torch.equal(torch.stack(list(open_video(made_of(gray)).frames)), gray.expand(-1, -1, -1, 3))
    with pytest.raises(ValueError, match="The picture at 'video' has NaN"):
        list(open_video(made_of(gray / 0 * 0)).frames)
    with pytest.raises(ValueError, match="Nothing came in at 'video'"):
        open_video(None)


def test_a_driving_video_without_a_face_is_told_as_such():
    with pytest.raises(ValueError, match="first frame of the driving video: .*'whole'"):
        face_tracker("own", True)(torch.full((64, 64, 3), 0.5))
