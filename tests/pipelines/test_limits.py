"""Motion that no face makes is clamped, with one warning that names the frames."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
import torch

from mamba_portrait.learning.training.renderer.free_motion import with_space
from mamba_portrait.media.motion import Motion
from mamba_portrait.media.photo import load_photo
from mamba_portrait.model_loaders.checkpoint import load_renderer
from mamba_portrait.pipelines import limits, portrait, rendering
from mamba_portrait.pipelines.joint import join_motions
from mamba_portrait.pipelines.limits import LIMITS, MotionLimits
from mamba_portrait.pipelines.lips import lip_opening
from mamba_portrait.pipelines.regions import edit_regions, motion_to_parameters
from mamba_portrait.pipelines.settings import RenderingSettings
from mamba_portrait.vocabulary import COUNT, INDEX

ASSETS = Path(__file__).resolve().parents[2] / "assets"


@pytest.fixture(scope="module")
def renderer():
    return load_renderer(None)


@pytest.fixture(scope="module")
def photo():
    return load_photo(ASSETS / "portrait.jpg")[60:260, 130:330]


def written(renderer, **frames):
    """Motion (T,768) of named parameters, each a list over the frames."""
    parameters = torch.zeros(max(map(len, frames.values())), COUNT)
    for name, values in frames.items():
        parameters[:, INDEX[name]] = torch.tensor(values)
    with torch.no_grad():
        return renderer.motion_from_parameters(parameters)


def read(renderer, motion):
    with torch.no_grad():
        return renderer.read_parameters(motion)


def test_limits_are_three_drawn_ranges():
    limit = {name: LIMITS[INDEX[name]].item() for name in ("yaw", "jaw", "smile_left", "shift_x")}
    assert limit == pytest.approx({"yaw": 1.8, "jaw": 2.97, "smile_left": 3.15, "shift_x": 1.4})


def test_motion_of_faces_is_left_alone_to_the_bit(renderer, caplog):
    motion = written(
        renderer, jaw=[-0.9, 0.9, 1.9], shift_x=[0.7, 0.0, -0.7], yaw=[-1.2, 0.0, 1.2], blink_left=[0.0, 1.1, -0.2]
    )
    held = MotionLimits(renderer, "the motion")
    assert torch.equal(held.clamp(motion), motion)
    held.warn()
    assert not caplog.records


def test_motion_beyond_the_limits_is_clamped_with_one_warning(renderer, caplog):
    motion = written(renderer, jaw=[0.2, 140.0, 9.0, 0.3, -5.0], pucker=[0.1] * 5)
    held = MotionLimits(renderer, "the driving video")
    parts = torch.cat([held.clamp(motion[:2]), held.clamp(motion[2:])])
    held.warn()
    jaw, pucker = (read(renderer, parts)[:, INDEX[name]] for name in ("jaw", "pucker"))
    assert jaw.tolist() == pytest.approx([0.2, 2.97, 2.97, 0.3, -2.97], abs=0.02)
    assert pucker.tolist() == pytest.approx([0.1] * 5, abs=0.02)  # the others stay
    (record,) = caplog.records
    assert record.getMessage().startswith(
        "The driving video gives motion that no face makes in frames 1 to 2 and 4 of 5 (jaw 140) and was held"
    )


def test_a_frame_of_nan_takes_the_one_before(renderer, caplog):
    motion = written(renderer, jaw=[0.2, 0.4, 0.6])
    motion[1, 5] = float("nan")
    motion[2, 700] = float("inf")
    held = MotionLimits(renderer, "the motion")
    values = held.clamp(motion)
    held.warn()
    assert torch.equal(values, motion[:1].expand(3, -1))
    assert "in frames 1 to 2 of 3 (NaN)" in caplog.text
    first = MotionLimits(renderer, "the motion").clamp(motion[1:])
    assert torch.allclose(first, renderer.rest_motion().expand(2, -1))


def test_motion_of_a_driving_video_is_clamped(renderer, photo, caplog, monkeypatch):
    clean = portrait.encode_driving_video(renderer, [photo] * 3, Fraction(25))
    assert not caplog.records
    wild = written(renderer, jaw=[99.0])
    see = renderer.encode_motion
    monkeypatch.setattr(renderer, "encode_motion", lambda frames: see(frames) + wild - renderer.rest_motion())
    motion = portrait.encode_driving_video(renderer, [photo] * 3, Fraction(25))
    assert len(caplog.records) == 1 and "The driving video" in caplog.text and "frames 0 to 2 of 3" in caplog.text
    assert read(renderer, motion.values)[:, INDEX["jaw"]].max() < 3
    others = [i for i in range(COUNT) if i != INDEX["jaw"]]
    assert (read(renderer, motion.values) - read(renderer, clean.values))[:, others].abs().max() < 0.05


def test_motion_of_a_portrait_is_clamped_and_rendered_whole(renderer, photo, caplog, monkeypatch):
    wild, see = written(renderer, jaw=[40.0]), renderer.encode_motion
    monkeypatch.setattr(renderer, "encode_motion", lambda frames: see(frames) + wild - renderer.rest_motion())
    source = portrait.encode_source(renderer, photo)
    assert "The portrait gives motion that no face makes (jaw 40" in caplog.text
    assert read(renderer, source.motion)[0, INDEX["jaw"]] < 3
    motion = portrait.encode_driving_video(renderer, [photo], Fraction(25))
    appearance = portrait.extract_appearance(renderer, source)
    (frame,) = rendering.render(renderer, source, appearance, motion, RenderingSettings(size=200))
    assert (frame[0] - photo).abs().mean() < 0.02  # at rest it is the photo


def test_render_clamps_motion_with_too_high_a_gain(renderer, photo, caplog):
    source = portrait.encode_source(renderer, photo)
    appearance = portrait.extract_appearance(renderer, source)
    motion = Motion(
        written(renderer, jaw=[0.0, 1.1]), renderer.rest_motion().detach(), Fraction(25), renderer.motion_language
    )
    list(rendering.render(renderer, source, appearance, motion))
    assert not caplog.records
    wild = torch.cat(list(rendering.render(renderer, source, appearance, motion, RenderingSettings(gain=3.0))))
    assert len(caplog.records) == 1 and "The motion gives" in caplog.text and "frame 1 of 2" in caplog.text
    far = replace(motion, values=written(renderer, jaw=[0.0, 2.9]))
    assert (wild - torch.cat(list(rendering.render(renderer, source, appearance, far)))).abs().max() < 0.02


def test_runs_of_frames_are_named():
    assert limits._runs([4]) == "frame 4"
    assert limits._runs([0, 1, 2, 9]) == "frames 0 to 2 and 9"
    assert limits._runs([0, 2, 4, 6, 8, 10]) == "frames 0, 2, 4, 6 and 2 more places"


def test_without_names_nothing_is_held_and_a_sentence_says_so(tiny_weights, caplog):
    renderer = with_space(load_renderer(tiny_weights / "renderer_lite.safetensors"), "free")
    limits = MotionLimits(renderer, "the motion")
    values = 1e4 * torch.ones(3, 768)
    values[1] = float("nan")
    assert torch.equal(limits.clamp(values), 1e4 * torch.ones(3, 768))  # NaN is mended all the same
    limits.warn()
    assert "The motion was not held within limits. This renderer's motion has no named parameters yet" in caplog.text
    with pytest.raises(ValueError, match="has no named parameters yet"):
        motion_to_parameters(renderer, values)
    own = torch.zeros(768)
    track = Motion(torch.zeros(2, 768), own, 25)
    assert torch.equal(lip_opening(renderer, own, track), own)
    with pytest.raises(ValueError, match="has no named parameters yet"):
        join_motions(track, track, renderer)
    with pytest.raises(ValueError, match="has no named parameters yet"):
        edit_regions(track, renderer, {"mouth": 0.5})
