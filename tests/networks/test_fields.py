"""Configs of a file: every field by its type and range, named in the message."""

import dataclasses
import math

import pytest

from mamba_portrait.networks.actalker.config import ACTalkerConfig
from mamba_portrait.networks.face_finder import FaceFinderConfig
from mamba_portrait.networks.motion_model.config import MotionModelConfig
from mamba_portrait.networks.renderer.config import RendererConfig

CONFIGS = [RendererConfig.lite(), RendererConfig.paper(), MotionModelConfig.lite(), MotionModelConfig.paper(),
           FaceFinderConfig(), ACTalkerConfig(), ACTalkerConfig.reduced()]  # fmt: skip
WRONG = (None, "x", -1, 10**9, 10**400, -(10**5000), math.nan, math.inf, [[1]], ["x"], [0.5], {"a": [None, object()]})


def plain(config) -> dict:
    """As it comes from JSON: without tuples."""

    def listed(value):
        if isinstance(value, dict):
            return {name: listed(inner) for name, inner in value.items()}
        return [listed(inner) for inner in value] if isinstance(value, tuple) else value

    return listed(config.to_dict())


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: type(config).__name__)
def test_what_is_written_comes_back(config):
    assert type(config).from_dict(plain(config)) == config


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: type(config).__name__)
def test_every_field_refuses_what_it_cannot_be_and_is_named(config):
    values = plain(config)
    for field in dataclasses.fields(config):
        for wrong in WRONG:
            if (isinstance(wrong, dict) or wrong in (-1, [0.5])) and isinstance(values[field.name], (dict, float)):
                continue
            with pytest.raises(ValueError) as refused:
                type(config).from_dict(values | {field.name: wrong})
            told = str(refused.value)
            assert field.name in told and len(told) < 300 and "\n" not in told and told.isprintable(), told


@pytest.mark.parametrize(
    ("config", "field", "value"),
    [
        (RendererConfig, "image_size", 0),
        (RendererConfig, "image_size", 255),
        (RendererConfig, "motion_size", 129),
        (RendererConfig, "skip_widths", [8, 8, 8]),
        (RendererConfig, "use_attention", 1),
        (MotionModelConfig, "segment_tokens", 10**9),
        (MotionModelConfig, "mamba_local", 0),
        (MotionModelConfig, "layers", True),
        (FaceFinderConfig, "widths", [8, 8]),
        (ACTalkerConfig, "unet", {"cross_attention_dim": 64}),
        (ACTalkerConfig, "vae", {"latent_channels": math.nan}),
        (ACTalkerConfig, "arcface", {"blocks": [1, 1, 10**6, 1]}),
        (ACTalkerConfig, "whisper", {"a": {"b": {"c": {"d": 1}}}}),
    ],
)
def test_absurd_sizes_are_refused(config, field, value):
    with pytest.raises(ValueError, match=field):
        config.from_dict({field: value})


@pytest.mark.parametrize("config", [RendererConfig, MotionModelConfig, FaceFinderConfig, ACTalkerConfig])
@pytest.mark.parametrize("values", [None, [], 3, "x", {"\ud800": 1}, {"": 1}, {"unet2": {}}])
def test_what_is_no_config_is_refused(config, values):
    with pytest.raises(ValueError, match="the config (must be an object|has unknown fields)"):
        config.from_dict(values)
