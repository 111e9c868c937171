"""Driving videos as people film them: heads that travel, faces that are lost, scenes that change, neutral faces."""

from fractions import Fraction
from types import SimpleNamespace

import pytest
import torch

from mamba_portrait.media.faces import NoFaceError
from mamba_portrait.media.motion import Motion
from mamba_portrait.networks.renderer.model import Renderer
from mamba_portrait.pipelines import followed_driving, rendering
from mamba_portrait.pipelines.followed_driving import FollowedDriving, follow_driving, held
from mamba_portrait.pipelines.neutral import EXPRESSION, with_expression_of, with_neutral
from mamba_portrait.pipelines.regions import motion_to_parameters, parameters_to_motion
from mamba_portrait.pipelines.settings import RenderingSettings
from mamba_portrait.pipelines.tracking import FaceTrack, Shot
from mamba_portrait.vocabulary import COUNT, INDEX

JAW, BLINK, YAW = (INDEX[name] for name in ("jaw", "blink_left", "yaw"))


@pytest.fixture(scope="module")
def renderer(tiny_config):
    return Renderer(tiny_config).eval()


def written(renderer, parameters):
    return parameters_to_motion(renderer, parameters)


def test_a_face_that_is_lost_is_held_and_eased():
    seen = torch.tensor([0, 1, 1, 0, 0, 0, 0, 1, 0]).bool()
    values = torch.tensor([[1.0], [2.0], [4.0]])
    filled = held(values, seen, 2)[:, 0].tolist()
    assert filled[:5] == [1, 1, 2, 2, 2] and filled[7:] == [4, 4]
    assert 2 < filled[5] < filled[6] < 4


def travelling(frames=12):
    """Dark frames in which a square of noise moves to the right; the noise is what a crop that follows shows."""
    noise = torch.rand(40, 40, 3, generator=torch.Generator().manual_seed(0))
    film = torch.zeros(frames, 64, 160, 3)
    for number, picture in enumerate(film):
        picture[12:52, 4 + 8 * number : 44 + 8 * number] = noise
    return film


def shot(first, seen, x):
    boxes = torch.stack([x, torch.full_like(x, 33.0), torch.full_like(x, 20.0)], 1)
    return Shot(first, first + len(seen), seen, boxes, torch.zeros(len(seen), 5, 2))


def follow(monkeypatch, renderer, film, shots, **options):
    track = FaceTrack(len(film), Fraction(25), 64, 160, tuple(shots))
    monkeypatch.setattr(followed_driving, "track_face", lambda *_, **__: track)
    return follow_driving(renderer, lambda: iter(film), Fraction(25), **options)


def test_the_crop_follows_a_head_that_travels(monkeypatch, renderer):
    film, centre = travelling(), 24 + 8 * torch.arange(12.0)
    moving = follow(monkeypatch, renderer, film, [shot(0, torch.ones(12).bool(), centre)], neutral="first")
    assert moving.motion.frames == 12 and not moving.lost and not moving.cuts
    assert (moving.motion.values - moving.motion.values[0]).abs().max() < 1e-4  # the crops are all the same
    still = follow(
        monkeypatch, renderer, film, [shot(0, torch.ones(12).bool(), centre[:1].expand(12))], neutral="first"
    )
    assert (still.motion.values - still.motion.values[0]).abs().max() > 1e-2


def test_lost_frames_and_cuts_are_told(monkeypatch, renderer):
    film, centre = travelling(), 24 + 8 * torch.arange(12.0)
    seen = torch.tensor([1, 1, 0, 0, 0, 1, 1, 1]).bool()
    followed = follow(
        monkeypatch, renderer, film, [shot(0, seen, centre[:8]), shot(8, torch.ones(4).bool(), centre[8:])]
    )
    assert (followed.lost, followed.cuts, followed.motion.frames) == (3, [8], 12)
    told = followed.report()
    assert "seen in 9 of 12 frames, and held in the others" in told and "scene changes at 0.32 s" in told
    whole = FollowedDriving(followed.motion, 0, [])
    assert whole.report() == "The face is seen in 12 of 12 frames."


def test_a_video_without_any_face_is_one_sentence(monkeypatch, renderer):
    with pytest.raises(NoFaceError, match="No face was found in the whole driving video"):
        follow(monkeypatch, renderer, travelling(), [shot(0, torch.zeros(12).bool(), torch.zeros(12))])


@pytest.fixture
def open_mouthed(renderer):
    """A film that begins with an open mouth, shut eyes and a turned head, and is neutral later."""
    parameters = torch.zeros(40, COUNT)
    parameters[:10, JAW], parameters[:3, BLINK] = 0.6, 1.0
    parameters[30:36, JAW] = 0.4
    parameters[:, YAW] = 0.2
    values = written(renderer, parameters)
    return Motion(values, values[0], Fraction(25), renderer.motion_language)


def test_the_neutral_face_is_found_and_the_head_stays_the_first_frames(renderer, open_mouthed):
    found = with_neutral(open_mouthed, renderer, "found")
    reference = motion_to_parameters(renderer, found.reference[None])[0]
    assert reference[JAW].abs() < 1e-3 and reference[BLINK].abs() < 1e-3
    assert float(reference[YAW]) == pytest.approx(0.2, abs=1e-3)
    change = motion_to_parameters(renderer, found.values) - reference
    assert float(change[0, JAW]) == pytest.approx(0.6, abs=1e-3) and change[20].abs().max() < 1e-3


def test_the_neutral_lips_are_as_shut_as_they_come_though_other_frames_are_more_usual(renderer):
    parameters = torch.zeros(40, COUNT)
    parameters[:, JAW] = 0.2 + 0.2 * torch.linspace(0, 1, 40)
    parameters[:12, INDEX["smile_left"]] = 1.0  # the frames with shut lips smile
    values = written(renderer, parameters)
    found = with_neutral(Motion(values, values[-1], Fraction(25), renderer.motion_language), renderer, "found")
    reference = motion_to_parameters(renderer, found.reference[None])[0]
    assert float(reference[JAW]) == pytest.approx(0.22, abs=0.01) and reference[INDEX["smile_left"]].abs() < 1e-3


def test_a_neutral_time_takes_the_whole_frame(renderer, open_mouthed):
    assert torch.equal(with_neutral(open_mouthed, renderer, 0.8).reference, open_mouthed.values[20])
    assert with_neutral(open_mouthed, renderer, "first") is open_mouthed
    with pytest.raises(ValueError, match=r"looked for at 3 s, but the motion lasts 1\.60 s"):
        with_neutral(open_mouthed, renderer, 3.0)


def test_expression_may_be_absolute_while_the_head_stays_relative(renderer, open_mouthed):
    own = torch.zeros(1, COUNT)
    own[0, JAW], own[0, YAW] = 0.3, -0.1
    base = with_expression_of(written(renderer, own)[0], open_mouthed.reference, renderer)
    parameters = motion_to_parameters(renderer, base[None])[0]
    assert float(parameters[YAW]) == pytest.approx(-0.1, abs=1e-3)
    driver = motion_to_parameters(renderer, open_mouthed.reference[None])[0]
    assert torch.allclose(parameters[EXPRESSION], driver[EXPRESSION], atol=1e-3)


def test_rendering_in_that_mode_gives_the_drivers_expression_in_every_frame(renderer, open_mouthed, monkeypatch):
    own = torch.zeros(1, COUNT)
    own[0, JAW], own[0, YAW] = 0.3, -0.1
    source = SimpleNamespace(motion=written(renderer, own))
    settings = RenderingSettings(mode="expression")
    limits = SimpleNamespace(clamp=lambda motion: motion)
    targets = torch.cat(list(rendering.target_motions(renderer, source, open_mouthed, settings, limits, 8)))
    shown, driver = motion_to_parameters(renderer, targets), motion_to_parameters(renderer, open_mouthed.values)
    assert torch.allclose(shown[:, EXPRESSION], driver[:, EXPRESSION], atol=2e-3)
    assert torch.allclose(shown[:, YAW], torch.tensor(-0.1), atol=1e-3)
