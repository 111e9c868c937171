"""Speech with an expression: what a mouth does that both want, and both people of joint motion."""

import numpy as np
import pytest

from mamba_portrait.learning.corpus.acting.together import BLINKS, MOUTH, SMILES, expressions, together
from mamba_portrait.learning.corpus.joint_motion import JointMotion, draw_joint_motion
from mamba_portrait.vocabulary import COUNT, INDEX, MOTION, REGIONS


def frame(**values) -> np.ndarray:
    """One frame (1, COUNT) of these parameters; `smile` is both corners."""
    parameters = np.zeros((1, COUNT), np.float32)
    for name, value in values.items():
        parameters[0, SMILES if name == "smile" else INDEX[name]] = value
    return parameters


def of(motion: np.ndarray, name: str) -> float:
    return float(motion[0, INDEX[name]])


def test_speech_without_an_expression_and_an_expression_without_speech_stay_themselves():
    said = frame(jaw=0.4, spread=0.3, upper_lip=0.2, lower_lip=0.1, tongue=0.5)
    np.testing.assert_allclose(together(said, frame()), said, atol=1e-6)
    frown = frame(smile=-0.3, brow_left=-0.2, yaw=0.1)
    np.testing.assert_allclose(together(frame(), frown), frown, atol=1e-6)


def test_smile_and_rounding_narrow_each_other():
    both = together(frame(pucker=0.8, jaw=0.1), frame(smile=0.8))
    assert of(both, "pucker") < 0.45 and of(both, "smile_left") < 0.5
    weak = together(frame(pucker=0.8, jaw=0.1), frame(smile=0.2))
    assert 0.65 < of(weak, "pucker") < 0.8


def test_a_weak_smile_gives_way_to_a_closure_and_a_strong_one_shows_the_teeth():
    closure = frame(press=0.5)
    weak, strong = (together(closure, frame(smile=level)) for level in (0.3, 0.9))
    assert of(weak, "smile_left") < 0.15 and of(weak, "upper_lip") == 0 and of(weak, "press") == pytest.approx(0.5)
    assert of(strong, "smile_left") > 0.85 and of(strong, "upper_lip") > 0.25 and of(strong, "press") < 0.1
    assert of(weak, "jaw") == of(strong, "jaw") == of(strong, "lower_lip") == 0


def test_open_mouths_of_both_are_not_added():
    laugh = frame(jaw=0.4, smile=0.9, upper_lip=0.3)
    both = together(frame(jaw=0.5, upper_lip=0.4, spread=0.6), laugh)
    assert 0.4 <= of(both, "jaw") <= 0.5
    assert max(of(both, "upper_lip"), of(both, "spread")) < 1
    assert of(together(frame(press=0.5), laugh), "jaw") == 0  # lips that must meet meet


def test_a_smile_narrows_the_eyes_and_closed_ones_stay_closed():
    assert together(frame(), frame(smile=1))[0, BLINKS] == pytest.approx([0.22, 0.22])
    assert together(frame(), frame(smile=1, blink_left=1))[0, BLINKS] == pytest.approx([1, 0.22])


def test_the_truth_is_not_additive():
    """What plain mixing cannot give: interactions far beyond the error of the encoder."""
    said, felt = frame(pucker=0.7, jaw=0.2, upper_lip=0.2), frame(smile=0.8, upper_lip=0.2)
    added = together(said, frame()) + together(frame(), felt)
    assert np.abs(together(said, felt) - added)[0, MOUTH].max() > 0.3


def test_expressions_begin_at_rest_move_and_stay_within_faces():
    drawn = [expressions(200, np.random.default_rng(seed)) for seed in range(40)]
    every = np.concatenate(drawn)
    assert max(np.abs(track[0]).max() for track in drawn) < 0.02
    assert every[:, INDEX["smile_left"]].max() > 0.8 and every[:, INDEX["smile_left"]].min() < -0.3
    assert every[:, INDEX["jaw"]].max() > 0.2 and every[:, INDEX["press"]].max() > 0.5
    for parameter in MOTION:
        low, high = parameter.drawn
        values = every[:, INDEX[parameter.name]]
        assert low - 0.15 <= values.min() and values.max() <= high + 0.15
    assert np.abs(np.diff(every.reshape(40, 200, -1), axis=1)).max() < 0.25  # a frame


@pytest.fixture
def joint() -> JointMotion:
    rng = np.random.default_rng(3)
    voice, other = (np.clip(0.3 * rng.standard_normal((60, COUNT)), -0.3, 0.6).astype(np.float32) for _ in range(2))
    return draw_joint_motion(np.abs(voice), np.abs(other), rng, talking=1.0)


WHOLE = np.ones((1, len(REGIONS)))


def test_one_source_alone_is_itself(joint):
    np.testing.assert_allclose(joint.joined(WHOLE, 0 * WHOLE), joint.voice, atol=1e-5)
    np.testing.assert_allclose(joint.joined(0 * WHOLE, WHOLE), joint.driving, atol=1e-5)


def test_both_have_the_voices_words_and_the_drivers_rest(joint):
    both = joint.joined(WHOLE, WHOLE)
    np.testing.assert_allclose(both[:, MOUTH], together(joint.said, joint.expression)[:, MOUTH], atol=1e-5)
    rest = [i for i in range(COUNT) if i not in MOUTH]
    np.testing.assert_allclose(both[:, rest], joint.driving[:, rest], atol=1e-5)


def test_a_region_that_a_source_does_not_have_is_the_others(joint):
    mouth = np.array([[name == "mouth" for name in REGIONS]], float)
    both = joint.joined(mouth, 1 - mouth)
    np.testing.assert_allclose(both[:, MOUTH], joint.voice[:, MOUTH], atol=1e-5)
    np.testing.assert_allclose(both[:, INDEX["yaw"]], joint.driving[:, INDEX["yaw"]], atol=1e-5)


def test_a_silent_driver_says_nothing():
    rng = np.random.default_rng(0)
    clips = np.full((2, 30, COUNT), 0.2, np.float32)
    assert not draw_joint_motion(*clips, rng, talking=0.0).spoken.any()
    assert draw_joint_motion(*clips, rng, talking=1.0).spoken.any()
