"""The background plate: painted behind a person, and shown only where he has been and is no longer."""

from dataclasses import replace

import pytest
import torch

from mamba_portrait.networks.renderer.model import Renderer
from mamba_portrait.networks.renderer.plate import SIZE, Outline, moved_matte, painted_plate, vacated, widened

SHIFT = 0.25  # half pictures: 16 of 128 pixels


@pytest.fixture(autouse=True)
def without_gradients():
    with torch.no_grad():
        yield


@pytest.fixture
def matte():
    """A person in the middle: columns 40 to 87, rows 30 to the bottom."""
    person = torch.zeros(1, 1, SIZE, SIZE)
    person[..., 30:, 40:88] = 1
    return person


def outline(config, bias):
    """One that sees a person everywhere, or nowhere."""
    module = Outline(config)
    torch.nn.init.zeros_(module.leave.weight)
    torch.nn.init.constant_(module.leave.bias, bias)
    return module


def to_the_right(matte):
    """The person moves, the background stays."""
    return torch.cat([SHIFT * matte, torch.zeros_like(matte)], 1)


def features(config):
    return torch.zeros(1, config.refine_width, 32, 32)


def test_where_a_person_has_left_the_background_shows(tiny_config, matte):
    left = vacated(to_the_right(matte), matte, features(tiny_config), outline(tiny_config, -20.0))
    assert float(left[..., 40:, 42:52].min()) > 0.9  # he has been there
    assert float(left[..., 40:, 60:].max()) < 0.02  # he is there now
    assert float(left[..., :, :36].max()) == 0  # there was nobody


def test_without_motion_nothing_is_shown(tiny_config, matte):
    soft = torch.nn.functional.avg_pool2d(matte, 9, 1, 4)
    still = torch.zeros(1, 2, SIZE, SIZE)
    assert float(vacated(still, soft, features(tiny_config), outline(tiny_config, -20.0)).abs().max()) == 0


def test_what_the_frame_shows_of_a_person_stays(tiny_config, matte):
    left = vacated(to_the_right(matte), matte, features(tiny_config), outline(tiny_config, 20.0))
    assert float(left.max()) == 0


def test_a_mouth_that_opens_is_no_background(tiny_config, matte):
    field = torch.zeros(1, 2, SIZE, SIZE)
    field[:, 1, 80:, 50:78] = SHIFT  # the lower lip and all beneath it move down, and leave a gap
    left = vacated(field, matte, features(tiny_config), outline(tiny_config, -20.0))
    assert float(moved_matte(field, matte)[..., 84:92, 56:72].max()) < 0.1  # the gap is there
    assert float(left[..., 70:, 56:72].max()) == 0


def test_shoulders_that_rise_from_the_edge_leave_no_gap(tiny_config, matte):
    field = torch.zeros(1, 2, SIZE, SIZE)
    field[:, 1] = -SHIFT / 2
    left = vacated(field, matte, features(tiny_config), outline(tiny_config, -20.0))
    assert float(left[..., 60:, 44:84].max()) < 0.02


def test_the_plate_continues_the_background(matte):
    columns = torch.linspace(0.2, 0.8, 256)
    image = columns.expand(1, 3, 256, 256).clone()
    person = torch.nn.functional.interpolate(matte, (256, 256)) > 0
    image[person.expand(-1, 3, -1, -1)] = 0
    plate = painted_plate(image, matte)
    assert float((plate - columns).abs().max()) < 0.15  # nothing of the black is left
    assert torch.equal(plate[..., :50], image[..., :50])


def test_a_portrait_at_rest_is_the_same_with_a_plate(tiny_config):
    torch.manual_seed(0)
    plain = Renderer(tiny_config).eval()
    plated = Renderer(replace(tiny_config, matte_widths=(4, 8))).eval()
    plated.load_state_dict(plated.state_dict() | plain.state_dict())
    photo = torch.rand(1, 3, 96, 80)
    with torch.no_grad():
        frames = []
        for renderer in (plain, plated):
            source = renderer.encode_source(photo)
            appearance = renderer.extract_appearance(source)
            frames.append(renderer.decode(source.at_size((64, 56)), appearance, source.motion).image)
    assert torch.equal(*frames)


def test_widths_of_a_matte_are_checked(tiny_config):
    with pytest.raises(ValueError, match="matte_widths"):
        replace(tiny_config, matte_widths=(8,))


@pytest.mark.parametrize("by", [1, 3])
def test_widening_is_the_same_with_and_without_gradients(by):
    values = torch.rand(2, 1, 20, 13, generator=torch.Generator().manual_seed(0))
    with torch.enable_grad():
        pooled = widened(values, by)
    assert torch.equal(widened(values, by), pooled) and not torch.equal(pooled, values)


def test_frames_are_the_same_with_and_without_gradients(tiny_config):
    """At inference they are blended in place, which must leave the photo and the decoder's picture as they are."""
    torch.manual_seed(0)
    renderer = Renderer(replace(tiny_config, matte_widths=(4, 8))).eval()
    photo = torch.rand(1, 3, tiny_config.image_size, tiny_config.image_size)
    source = renderer.encode_source(photo)
    appearance, motion = renderer.extract_appearance(source), source.motion + 0.3
    with torch.enable_grad():
        first = renderer.decode(source, appearance, motion)
    before = source.image.clone(), source.plate.clone()
    for again in (renderer.decode(source, appearance, motion), renderer.decode(source, appearance, motion)):
        torch.testing.assert_close(again.image, first.image)
        torch.testing.assert_close(again.synthesis.image, first.synthesis.image)
        torch.testing.assert_close(again.warped, first.warped)
    assert torch.equal(source.image, before[0]) and torch.equal(source.plate, before[1])
