"""Motion Field, Warp Portrait and Paint together, what can be put between them, and detail carried along."""

from dataclasses import replace
from fractions import Fraction

import pytest
import torch

from mamba_portrait.host import ManagedModel
from mamba_portrait.media.motion import Motion
from mamba_portrait.model_loaders.checkpoint import load_renderer
from mamba_portrait.networks.renderer.layers import resize
from mamba_portrait.networks.renderer.model import Renderer
from mamba_portrait.networks.renderer.warp import warp
from mamba_portrait.nodes import decode, flow, stages
from mamba_portrait.nodes.appearance import ExtractAppearance
from mamba_portrait.nodes.source import EncodeSource
from mamba_portrait.nodes.values import image_batch
from mamba_portrait.pipelines.flow import Flow, carry_along

FRAMES = 7


@pytest.fixture(scope="module", params=["as it ships", "without a plate"])
def renderer(request):
    shipped = load_renderer()
    assert shipped.config.matte_widths
    if request.param == "as it ships":
        return ManagedModel(shipped, "shipped")
    module = Renderer(replace(shipped.config, matte_widths=())).eval()
    module.load_state_dict({name: shipped.state_dict()[name] for name in module.state_dict()})
    return ManagedModel(module, "shipped")


@pytest.fixture(scope="module")
def portrait(renderer):
    picture = torch.rand(1, 80, 80, 3, generator=torch.Generator().manual_seed(1))
    source = EncodeSource.execute(renderer, picture).args[0]
    return source, ExtractAppearance.execute(renderer, source).args[0]


@pytest.fixture(scope="module")
def motion(renderer):
    values = 0.3 * torch.randn(FRAMES, 768, generator=torch.Generator().manual_seed(2))
    module = renderer.module
    return Motion(values, values[0].clone(), Fraction(25), module.motion_language, module.motion_encoder_id)


SETTINGS = {"mode": "relative", "gain": 1.0, "batch": 4}


@pytest.fixture(scope="module")
def decoded(renderer, portrait, motion):
    return decode.DecodeMotion.execute(renderer, *portrait, motion, size="256", articulation=1.2, **SETTINGS).args


@pytest.fixture(scope="module")
def field(renderer, portrait, motion):
    return stages.MotionField.execute(renderer, *portrait, motion, **SETTINGS).args


def test_the_three_stages_give_the_picture_of_decode_motion_to_the_bit(renderer, portrait, decoded, field):
    warped = stages.Warp.execute(renderer, portrait[0], field[1], "256").args[0]
    painted = stages.Paint.execute(renderer, *portrait, field[0], warped, 1.2, 4).args
    frames, fps, mask, moved, _ = decoded
    assert torch.equal(painted[0], frames) and torch.equal(painted[2], mask) and painted[1] == fps == 25
    assert torch.equal(field[1].values, moved.values)
    same = stages.Paint.execute(renderer, *portrait, field[0], warped, 1.2, 4, flow=field[1]).args[0]
    assert torch.equal(same, frames)
    other = flow.EditFlow.execute(field[1], -1.0).args[0]
    assert not torch.equal(
        stages.Paint.execute(renderer, *portrait, field[0], warped, 1.2, 4, flow=other).args[0], frames
    )
    assert frames.std(0).max() > 0.01  # it moves


def test_the_mask_says_where_the_frames_are_the_warped_photo(renderer, portrait, decoded):
    frames, _, mask, moved, _ = decoded
    warped = stages.Warp.execute(renderer, portrait[0], moved, "256").args[0]
    assert mask.shape == frames.shape[:3] and 0 <= mask.min() < mask.max() <= 1
    difference = (frames - warped).abs().amax(-1)
    assert (difference <= mask + 1e-5).all()
    most, middle = (mask.flatten().quantile(share) for share in (0.99, 0.5))
    assert difference[mask > most].mean() > 4 * difference[mask < middle].mean()


def test_a_still_flow_leaves_the_portrait_as_it_is(renderer, portrait, field):
    still = flow.EditFlow.execute(field[1], 0.0).args[0]
    frames = stages.Warp.execute(renderer, portrait[0], still, "photo").args[0]
    photo = resize(portrait[0].value.image, 256).permute(0, 2, 3, 1)
    torch.testing.assert_close(frames, photo.expand(FRAMES, -1, -1, -1), atol=1e-5, rtol=0)


def test_a_flow_is_edited_where_the_mask_is_and_comes_from_elsewhere(field):
    given = field[1]
    left = torch.zeros(64, 64)
    left[:, :32] = 1
    edited = flow.EditFlow.execute(given, 2.0, mask=left).args[0].values
    half = edited.shape[-1] // 2
    torch.testing.assert_close(edited[..., : half - 1], 2 * given.values[..., : half - 1])
    torch.testing.assert_close(edited[..., half + 1 :], given.values[..., half + 1 :])
    pictures = torch.full((FRAMES, 20, 20, 3), 0.5)
    pictures[..., 0] = 0.75
    shifted = flow.EditFlow.execute(given, 1.0, pictures=pictures).args[0].values
    assert torch.allclose(shifted[:, 0], torch.tensor(0.5)) and torch.allclose(shifted[:, 1], torch.tensor(0.0))
    other = Flow(given.values[:3], given.fps)
    with pytest.raises(ValueError, match="other flow has 3 frames and the flow 7"):
        flow.EditFlow.execute(given, 1.0, other=other)
    with pytest.raises(ValueError, match="wire one of them"):
        flow.EditFlow.execute(given, 1.0, other=given, pictures=pictures)


def test_a_field_of_another_network_or_length_is_refused(renderer, portrait, field):
    warped = torch.rand(3, 64, 64, 3)
    with pytest.raises(ValueError, match="warped photo has 3 frames and the field 7"):
        stages.Paint.execute(renderer, *portrait, field[0], warped, 1.0, 4)
    with pytest.raises(ValueError, match="The field was made with 'shipped'"):
        other = ManagedModel(renderer.module, "other")
        encoded = [type(e)(e.value, "other") for e in portrait]
        stages.Paint.execute(other, *encoded, field[0], warped, 1.0, 4)


def test_the_memory_of_fields_is_told_before_they_are_made(renderer, portrait, motion, field, monkeypatch):
    parts = [*field[0].value.motion, *field[0].value.deviation]
    held = sum(part.nbytes for part in parts if part is not None)
    monkeypatch.setattr(image_batch, "free_memory", lambda device: held - 1)
    with pytest.raises(ValueError, match="The fields of 7 frames take 0.0 GB, but 0.0 GB are free"):
        stages.MotionField.execute(renderer, *portrait, motion, **SETTINGS)
    monkeypatch.setattr(image_batch, "free_memory", lambda device: held)
    assert stages.MotionField.execute(renderer, *portrait, motion, **SETTINGS).args[0].value.frames == FRAMES


def shifts(count: int, side: int) -> Flow:
    """Each frame shows the portrait two pixels further to the left than the one before."""
    values = torch.zeros(count, 2, side, side)
    values[:, 0] = torch.arange(count)[:, None, None] * 2 * 2 / side
    return Flow(values, Fraction(25))


def moved(picture: torch.Tensor, flow: Flow) -> torch.Tensor:
    return warp(picture.permute(0, 3, 1, 2).expand(flow.frames, -1, -1, -1), flow.values).permute(0, 2, 3, 1)


def test_detail_of_restored_frames_is_averaged_on_the_moving_face():
    torch.manual_seed(0)
    flow, detail = shifts(9, 48), 0.2 * (torch.rand(1, 48, 48, 3) - 0.5)
    frames, mask = torch.full((9, 48, 48, 3), 0.5), torch.ones(9, 48, 48)
    wanted = frames + moved(detail, flow)
    restored = wanted + 0.1 * torch.randn_like(wanted)  # flickers
    errors = {}
    for steadiness in (0.0, 1.0, 3.0):
        carried = torch.cat(list(carry_along(frames, restored, flow, mask, steadiness)))
        errors[steadiness] = float((carried - wanted)[:, 4:-4, 4:-24].square().mean().sqrt())
    assert errors[0.0] == pytest.approx(0.1, abs=0.01)
    assert errors[1.0] < 0.06 and errors[3.0] < 0.05
    stays = torch.cat(list(carry_along(frames, restored, flow, torch.zeros_like(mask), 3.0)))
    assert torch.equal(stays, frames)


def test_a_detailed_portrait_is_moved_and_only_painted_pixels_are_the_frames():
    flow, portrait = shifts(3, 32), torch.rand(1, 64, 64, 3)
    frames, mask = torch.rand(3, 32, 32, 3), torch.zeros(3, 32, 32)
    mask[:, :16] = 1
    carried = torch.cat(list(carry_along(frames, portrait, flow, mask, 2.0)))
    large = torch.nn.functional.interpolate(frames.permute(0, 3, 1, 2), size=(64, 64), mode="bilinear")
    assert torch.allclose(carried[:, :31], large.permute(0, 2, 3, 1)[:, :31])
    assert torch.allclose(carried[:, 33:], moved(portrait, flow)[:, 33:], atol=1e-6)
    with pytest.raises(ValueError, match="give one, the portrait, or 3, the frames; not 2"):
        next(carry_along(frames, portrait.expand(2, -1, -1, -1), flow, mask, 2.0))


def test_odd_pictures_and_masks_are_told(field):
    frames, mask = torch.rand(FRAMES, 16, 16, 3), torch.ones(FRAMES, 16, 16)
    with pytest.raises(ValueError, match="mask at 'mask' has NaN"):
        flow.CarryAlong.execute(frames, frames, field[1], mask * float("nan"), 1.0)
    with pytest.raises(ValueError, match="No mask came in at 'mask'"):
        flow.CarryAlong.execute(frames, frames, field[1], mask[:0], 1.0)
    with pytest.raises(ValueError, match="mask has 2 frames and the frames 7"):
        flow.CarryAlong.execute(frames, frames, field[1], mask[:2], 1.0)
    gray = flow.CarryAlong.execute(frames[..., :1], frames, field[1], mask, 0.0).args[0]
    assert torch.equal(gray, frames)
