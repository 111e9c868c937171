"""The audio regression of a half body: it gives the arms too, smoothed, through all that is heard."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mamba_portrait.learning.training.motion_model.led import as_wide, features, lead_through_condition, led_by
from mamba_portrait.networks.motion_model.model import LIPS, MotionModel, smoothed
from mamba_portrait.vocabulary import ARMS, COUNT, SAMPLES_A_FRAME

LED = LIPS + len(ARMS)


@pytest.fixture
def model(tiny_motion_config) -> MotionModel:
    torch.manual_seed(0)
    return MotionModel(replace(tiny_motion_config, mouth=LED, width=24)).eval()


def test_heads_are_led_in_the_mouth_alone(tiny_motion_config, model):
    assert len(led_by(tiny_motion_config)) == LIPS
    assert led_by(model.config)[LIPS:] == list(range(COUNT, COUNT + len(ARMS)))


@torch.no_grad()
def test_the_regression_is_the_matrix_that_was_solved(model):
    sound = torch.randn(1, 12 * SAMPLES_A_FRAME)
    heard, local = model.extract_global(sound), model.extract_local(sound)
    given = features(heard, local)
    matrix, bias = torch.randn(LED, given.shape[1]), torch.randn(LED)
    lead_through_condition(model, matrix, bias)
    assert torch.allclose(model.predict_mouth(heard, local)[0], given @ matrix.T + bias, atol=1e-4)


def test_smoothing_keeps_lips_and_slow_movements(model):
    """A step of noise is damped, a constant stays, and lips are as they were."""
    curves = torch.full((1, 40, 2), 0.7)
    assert torch.allclose(smoothed(curves, 1.6), curves, atol=1e-6)
    noise = torch.randn(1, 400, 2)
    assert smoothed(noise, 1.6).std() < 0.5 * noise.std() and smoothed(noise, 1.6).shape == noise.shape
    trembling = MotionModel(replace(model.config, smoothing=1.6)).eval()
    trembling.load_state_dict(model.state_dict())
    with torch.no_grad():
        lead_through_condition(trembling, torch.randn(LED, 16 + 32), torch.zeros(LED))
        model.load_state_dict(trembling.state_dict())
        sound = torch.randn(1, 30 * SAMPLES_A_FRAME)
        heard = model.extract_global(sound), model.extract_local(sound)
        rough, smooth = model.predict_mouth(*heard), trembling.predict_mouth(*heard)
    assert torch.equal(rough[..., :LIPS], smooth[..., :LIPS])
    assert smooth[..., LIPS:].diff(dim=1).std() < rough[..., LIPS:].diff(dim=1).std()


def test_arms_vary_as_much_as_the_truth_but_not_beyond_reason():
    heard = [torch.randn(200, 1)]
    truth = [np.concatenate([1.2 * heard[0].numpy(), 9 * heard[0].numpy(), 0.5 * heard[0].numpy()], 1)]
    factors = as_wide(lambda x: x.expand(-1, 3), heard, truth)
    assert factors.tolist() == pytest.approx([1.2, 1.5, 1.0], abs=1e-3)
