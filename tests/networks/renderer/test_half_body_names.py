"""Renderers for half bodies: ten further names, which those of the head are not read in."""

from dataclasses import replace

import pytest
import torch

from mamba_portrait.networks.renderer.config import RendererConfig
from mamba_portrait.networks.renderer.model import Renderer
from mamba_portrait.pipelines.regions import motion_to_parameters
from mamba_portrait.vocabulary import ARMS, COUNT

WHOLE = COUNT + len(ARMS)


@pytest.fixture(scope="module")
def half(tiny_config) -> Renderer:
    torch.manual_seed(0)
    return Renderer(replace(tiny_config, arms=len(ARMS))).eval()


def test_heads_and_arms_are_written_and_read_apart(half):
    parameters = torch.randn(3, WHOLE)
    motion = half.motion_from_parameters(parameters)
    assert torch.allclose(half.read_parameters(motion), parameters, atol=1e-4)
    rest = parameters.clone()
    rest[:, COUNT:] = 0
    assert torch.allclose(half.motion_from_parameters(rest), half.motion_from_parameters(parameters[:, :COUNT]))
    assert torch.allclose(motion_to_parameters(half, motion), parameters[:, :COUNT], atol=1e-4)


@torch.no_grad()
def test_limits_and_framing_of_the_head_leave_the_arms(half):
    """What is known of the head alone changes nothing of the arms."""
    parameters = torch.randn(2, WHOLE)
    parameters[:, 0] = 40.0  # a jaw far beyond its limit
    motion = half.motion_from_parameters(parameters)
    source = half.encode_source(torch.rand(1, 3, 64, 64)).repeat(2)
    limited = half.within_limits(motion, source)
    assert (
        float((half.read_parameters(limited)[:, 0] - half.read_parameters(source.motion)[:, 0].clamp(1.2)).max()) < 0.01
    )
    for changed in (limited, half.centred(motion)):
        assert not torch.allclose(changed, motion)
        assert torch.allclose(half.read_parameters(changed)[:, COUNT:], parameters[:, COUNT:], atol=1e-3)


def test_arms_move_the_picture(half):
    source = half.encode_source(torch.rand(1, 3, 64, 64))
    change = torch.zeros(1, WHOLE)
    change[:, COUNT] = 1.0
    moved = source.motion + half.motion_from_parameters(change) - half.rest_motion()
    appearance = half.extract_appearance(source)
    assert not torch.equal(
        half.decode(source, appearance, moved).image, half.decode(source, appearance, source.motion).image
    )


def test_a_head_has_the_same_numbers_as_before(tiny_config, half):
    """The directions of the 24 names do not depend on whether arms follow."""
    head = Renderer(tiny_config).parameters_of_motion.writer.weight
    assert torch.equal(half.parameters_of_motion.writer.weight[:, :COUNT], head)


def test_another_number_of_arms_is_refused():
    with pytest.raises(ValueError, match="arms must be 0 or 10"):
        RendererConfig(arms=3)


def test_the_preset_is_small_and_of_128_pixels():
    config = RendererConfig.half()
    assert config.image_size == 128 and config.arms == len(ARMS)
    assert sum(p.numel() for p in Renderer(config).parameters()) < 3.7e6
