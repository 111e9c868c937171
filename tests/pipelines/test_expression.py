"""Expressions by hand: what is written is what the parameters do, from start to end, on a still and on motion."""

import math
from fractions import Fraction

import pytest
import torch

from mamba_portrait.media.motion import Motion
from mamba_portrait.networks.renderer.model import Renderer
from mamba_portrait.pipelines.controls import CONTROLS, PRESETS, read_keys, read_values
from mamba_portrait.pipelines.expression import Addition, add_expressions, expressed, read_addition, rest, still
from mamba_portrait.pipelines.idle import idle_curves
from mamba_portrait.pipelines.regions import edit_regions, motion_to_parameters
from mamba_portrait.vocabulary import COUNT, INDEX, PARAMETERS


@pytest.fixture(scope="module")
def renderer(tiny_config):
    return Renderer(tiny_config).eval()


def parameters(renderer, motion):
    return motion_to_parameters(renderer, motion.values)


@pytest.mark.parametrize("name", CONTROLS)
def test_every_control_moves_its_parameters_alone(renderer, name):
    control = CONTROLS[name]
    high = control.allowed.high / 4
    moved = parameters(renderer, still(renderer, {name: high}))[0]
    wanted = torch.zeros(COUNT)
    for parameter in control.parameters:
        wanted[INDEX[parameter]] = math.radians(high) if name in ("yaw", "pitch", "roll") else high
    assert torch.allclose(moved, wanted, atol=2e-4)


def test_an_addition_stands_between_its_times_and_nowhere_else(renderer):
    motion = rest(renderer, 100)
    smile = parameters(renderer, add_expressions(motion, renderer, [read_addition("smile=.5@1-2.5")]))
    left = smile[:, INDEX["smile_left"]]
    assert torch.allclose(left, smile[:, INDEX["smile_right"]], atol=1e-4)
    assert left[:26].abs().max() < 1e-4 and left[63:].abs().max() < 1e-3
    assert torch.allclose(left[32:56], torch.tensor(0.5), atol=1e-3)
    steps = left.diff()
    assert steps[25:31].min() >= -1e-4 and steps.abs().max() < 0.2  # it eases, and does not jump


def test_a_lid_that_is_shut_is_not_shut_twice(renderer):
    shut = add_expressions(rest(renderer, 50), renderer, [Addition({"blink": 0.9}, ease=0)])
    twice = add_expressions(shut, renderer, [Addition({"blink": 0.9}, ease=0)])
    assert parameters(renderer, twice)[-1, INDEX["blink_left"]] <= 1.001
    beyond = add_expressions(shut, renderer, [Addition({"smile": 0.5}, ease=0)])  # and others are left alone
    assert torch.allclose(
        parameters(renderer, beyond)[:, INDEX["blink_left"]],
        parameters(renderer, shut)[:, INDEX["blink_left"]],
        atol=1e-4,
    )


def test_key_frames_pass_through_their_values(renderer):
    keys = read_keys("0: yaw=0\n1.0: yaw=10, smile=.4; 2: yaw=0")
    motion = add_expressions(rest(renderer, 76), renderer, [Addition(keys)])
    yaw = torch.rad2deg(parameters(renderer, motion)[:, INDEX["yaw"]])
    assert torch.allclose(yaw[[0, 25, 50, 75]], torch.tensor([0.0, 10.0, 0.0, 0.0]), atol=0.02)
    assert 4.5 < float(yaw[12]) < 5.0 and float(parameters(renderer, motion)[0, INDEX["smile_left"]]) > 0.39


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_begin_and_end_at_rest_and_move_between(renderer, preset):
    motion, strongest = expressed(renderer, [Addition(preset)])
    values = parameters(renderer, motion)
    assert values[0].abs().max() < 0.02 and values[-1].abs().max() < 0.02
    assert values[strongest].abs().max() > 0.1
    stretched = Addition(preset, 1.0, 5.0).curves(150, Fraction(25))
    own = Addition(preset).curves(int(25 * Addition(preset).lasts) + 1, Fraction(25))
    assert stretched[:26].abs().max() < 1e-6 and stretched[125:].abs().max() < 1e-6
    assert float(stretched.abs().max()) == pytest.approx(float(own.abs().max()), abs=0.1)


def test_a_preset_is_added_to_speech_without_touching_the_lips(renderer):
    generator = torch.Generator().manual_seed(0)
    speech = rest(renderer, 60)
    speech = Motion(speech.values + 0.1 * torch.randn(60, 768, generator=generator), speech.reference, Fraction(25))
    nodded = add_expressions(speech, renderer, [Addition("nod", 0.4)])
    change = parameters(renderer, nodded) - parameters(renderer, speech)
    assert change[:, INDEX["jaw"]].abs().max() < 1e-3 and change[:, INDEX["pitch"]].abs().max() > 0.1
    assert torch.equal(nodded.values[:10], speech.values[:10])


@pytest.mark.parametrize(
    "text",
    [
        "smile=3@1",
        "grin=.5@1",
        "smile",
        "smile@x",
        "smile=@1",
        "1: smile",
        "x: smile=1",
        "nod@3-2",
        "dance@1",
        "smile=nan@1",
    ],
)
def test_what_cannot_be_read_is_one_sentence(text):
    if text == "smile":
        assert read_addition(text).what == "smile"  # a preset has the name of a control
        return
    with pytest.raises(ValueError) as told:
        read_addition(text)
    assert str(told.value).endswith(".") and "\n" not in str(told.value) and len(str(told.value)) < 400


def test_an_expression_after_the_end_is_refused(renderer):
    with pytest.raises(ValueError, match=r"begins at 5 s, but the motion lasts 2\.00 s"):
        add_expressions(rest(renderer, 50), renderer, [Addition({"smile": 0.5}, 5.0)])
    with pytest.raises(ValueError, match="names no control"):
        read_values(" , ")


def test_idle_motion_is_the_same_at_every_frame_rate_and_leaves_the_lips_alone():
    slow, fast = idle_curves(250, Fraction(25), 3), idle_curves(600, Fraction(60), 3)
    assert torch.allclose(slow[::5], fast[::12], atol=1e-9)
    assert not torch.equal(slow, idle_curves(250, Fraction(25), 4))
    mouth = [INDEX[name] for name in ("jaw", "pucker", "smile_left", "press", "upper_lip", "tongue")]
    assert not slow[:, mouth].any() and not slow[0].any()


def test_idle_motion_is_that_of_people():
    """Blinks of a third of a second about every four seconds, that shut; breath about 14 times a minute; a head within
    some degrees."""
    curves = torch.cat([idle_curves(1500, Fraction(25), seed) for seed in range(4)])
    shut = curves[:, INDEX["blink_left"]]
    begins = int(((shut[1:] > 0.5) & (shut[:-1] <= 0.5)).sum())
    assert 40 <= begins <= 90 and shut.max() > 0.99
    degrees = torch.rad2deg(curves[:, INDEX["yaw"]])
    assert 0.8 < float(degrees.std()) < 3 and degrees.abs().max() < 9
    breath = curves[:1500, INDEX["shoulder_y"]]
    crossings = int(((breath[1:] > 0.008) & (breath[:-1] <= 0.008)).sum())
    assert 10 <= crossings <= 18


def test_lids_and_gaze_have_gains_of_their_own(renderer):
    generator = torch.Generator().manual_seed(1)
    still_face = rest(renderer, 20)
    change = still_face.values + 0.1 * torch.randn(20, 768, generator=generator)
    motion = Motion(change, still_face.reference, Fraction(25), renderer.motion_language)
    before = parameters(renderer, motion)
    after = parameters(renderer, edit_regions(motion, renderer, {"eyes": 0.5, "blink": 0.0, "gaze": 2.0}))
    factor = {"blink_left": 0.0, "blink_right": 0.0, "gaze_x": 1.0, "gaze_y": 1.0}
    wanted = before * torch.tensor([factor.get(name, 1.0) for name in PARAMETERS])
    assert torch.allclose(after, wanted, atol=1e-3)
