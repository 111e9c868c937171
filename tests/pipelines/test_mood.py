"""Moods move what they are named for and leave the lips' opening to the voice; liveliness scales head, brows, gaze."""

from fractions import Fraction

import pytest
import torch

from mamba_portrait.media.motion import Motion
from mamba_portrait.networks.renderer.model import Renderer
from mamba_portrait.pipelines.expression import set_mood
from mamba_portrait.pipelines.moods import MANNERS, MOODS
from mamba_portrait.pipelines.regions import motion_to_parameters, parameters_to_motion
from mamba_portrait.vocabulary import COUNT, INDEX

LIPS = [INDEX[name] for name in ("jaw", "upper_lip", "lower_lip", "press", "pucker", "spread", "tongue")]
MOVED = {"happy": ("smile_left", 1), "sad": ("smile_right", -1), "surprised": ("brow_left", 1)}


@pytest.fixture(scope="module")
def renderer(tiny_config):
    return Renderer(tiny_config).eval()


@pytest.fixture(scope="module")
def speech(renderer):
    """A mouth that opens twice a second, on a head that turns, with a blink."""
    time = torch.arange(75) / 25
    parameters = torch.zeros(75, COUNT)
    parameters[:, INDEX["jaw"]] = 0.25 - 0.25 * torch.cos(12 * time)
    parameters[:, INDEX["yaw"]] = 0.1 * torch.sin(3 * time)
    parameters[:, INDEX["brow_left"]] = 0.1 * torch.sin(5 * time)
    parameters[30:35, INDEX["blink_left"]] = 0.9
    rest = parameters_to_motion(renderer, torch.zeros(1, COUNT))[0]
    return Motion(parameters_to_motion(renderer, parameters), rest, Fraction(25), renderer.motion_language)


def parameters(renderer, motion):
    return motion_to_parameters(renderer, motion.values)


@pytest.mark.parametrize("mood", MOVED)
def test_a_mood_moves_what_it_is_named_for_and_never_the_lips_opening(renderer, speech, mood):
    before, after = (parameters(renderer, m) for m in (speech, set_mood(speech, renderer, mood)))
    name, sign = MOVED[mood]
    change = sign * (after - before)[:, INDEX[name]]
    assert change[0].abs() < 1e-3 and change[20:].min() > 0.25
    assert torch.allclose(after[:, LIPS], before[:, LIPS], atol=1e-3)
    stronger = parameters(renderer, set_mood(speech, renderer, mood, 1.2))
    assert float((sign * (stronger - after))[40, INDEX[name]]) > 0.02


def test_neutral_and_strength_nothing_change_nothing(renderer, speech):
    for unchanged in (set_mood(speech, renderer), set_mood(speech, renderer, "happy", 0.0)):
        assert torch.equal(unchanged.values, speech.values)


def test_liveliness_scales_head_and_brows_alone(renderer, speech):
    before, calm = (parameters(renderer, m) for m in (speech, set_mood(speech, renderer, liveliness=0.5)))
    for name in ("yaw", "brow_left"):
        assert torch.allclose(calm[:, INDEX[name]], 0.5 * before[:, INDEX[name]], atol=1e-3)
    assert torch.allclose(calm[:, LIPS], before[:, LIPS], atol=1e-3)
    assert calm[32, INDEX["blink_left"]] > 0.89


def test_manners_are_settings_of_moods_that_there_are():
    assert {manner.mood for manner in MANNERS.values()} <= MOODS.keys()


def test_an_unknown_mood_is_one_sentence(renderer, speech):
    with pytest.raises(ValueError, match="There is no mood 'angry'; there are neutral"):
        set_mood(speech, renderer, "angry")
