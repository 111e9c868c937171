"""Spaces of motion: what has names keeps them, what has none is said in a sentence."""

from dataclasses import replace

import pytest
import torch

from mamba_portrait.learning.training.renderer.free_motion import parameter_groups, scale_start, with_space
from mamba_portrait.model_loaders.checkpoint import load_renderer, save_checkpoint
from mamba_portrait.networks.renderer.config import RendererConfig
from mamba_portrait.networks.renderer.model import Renderer


def frames(count, seed=0):
    return torch.rand(count, 3, 64, 64, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def named(tiny_weights):
    return load_renderer(tiny_weights / "renderer_lite.safetensors")


def test_a_config_of_yesterday_is_of_the_named_space(tiny_config):
    values = tiny_config.to_dict()
    del values["motion_space"], values["readout"]
    assert RendererConfig.from_dict(values) == tiny_config and tiny_config.motion_space == "named"
    assert not [name for name in Renderer(tiny_config).state_dict() if ".free." in name]
    for wrong in ({"motion_space": "other"}, {"readout": False}):
        with pytest.raises(ValueError, match="motion_space must be one of"):
            RendererConfig.from_dict(values | wrong)


def test_a_free_head_says_what_no_parameter_reads(named):
    semi = with_space(named, "semi")
    before, after = named.encode_motion(frames(3)), semi.encode_motion(frames(3))
    assert torch.allclose(named.read_parameters(before), semi.read_parameters(after), atol=1e-3)
    free = semi.free_part(after - before)
    assert (after - before).std() > 1e-3 and torch.allclose(free, after - before, atol=1e-3)
    assert semi.motion_language == named.motion_language and semi.motion_encoder_id and not named.motion_encoder_id


def test_a_semi_space_renders_named_motion_as_before(named):
    semi = with_space(named, "semi")
    photo, parameters = frames(1), torch.zeros(2, 24)
    parameters[1, 0] = 0.5
    change = named.motion_from_parameters(parameters) - named.rest_motion()

    def driven(renderer):
        source = renderer.encode_source(photo, motion=named.encode_motion(photo))
        return renderer.decode(source, renderer.extract_appearance(source), source.motion + change).image

    moved = driven(named)
    assert torch.allclose(moved, driven(semi), atol=2e-3) and (moved[1] - moved[0]).abs().max() > 2e-3


def test_a_new_free_part_starts_at_a_size_that_matters_and_learns_faster(named):
    semi = with_space(named, "semi")
    clips = frames(12).unflatten(0, (3, 4))
    scale_start(semi, clips)
    seen = semi.free_part(semi.encode_motion(clips.flatten(0, 1)) - named.encode_motion(clips.flatten(0, 1)))
    change = (seen.unflatten(0, (3, 4))[:, 1:] - seen.unflatten(0, (3, 4))[:, :1]).std()
    change = change.detach()
    assert float(change) == pytest.approx(0.1, rel=0.02) and float(seen.detach().mean(0).abs().max()) < 1e-4
    usual, fast = parameter_groups(semi, 1e-4)
    assert fast["lr"] == pytest.approx(1e-3) and usual["lr"] == 1e-4
    assert any(p is semi.motion_encoder.free.out.weight for p in fast["params"])
    every = {id(p) for p in (*usual["params"], *fast["params"])}
    assert every == {id(p) for p in semi.parameters()} - {id(p) for p in semi.parameters_of_motion.parameters()}


def test_spaces_survive_a_checkpoint(named, tmp_path):
    for space in ("semi", "free"):
        changed = with_space(named, space)
        save_checkpoint(tmp_path / "r.safetensors", changed, "renderer", changed.config)
        loaded = load_renderer(tmp_path / "r.safetensors")
        assert loaded.config.motion_space == space and loaded.motion_encoder_id == changed.motion_encoder_id
    with pytest.raises(ValueError, match="semi cannot be trained on as free"):
        with_space(with_space(named, "semi"), "free")


def test_a_space_without_names_says_so_and_still_renders(named):
    free = with_space(named, "free")
    motion = free.encode_motion(frames(2))
    for asked in (lambda: free.read_parameters(motion), lambda: free.motion_from_parameters(torch.zeros(24))):
        with pytest.raises(ValueError, match="has no named parameters yet.*`python -m mamba_portrait fit`"):
            asked()
    source = free.encode_source(frames(1))
    assert torch.equal(source.motion, free.encode_motion(frames(1))) and free.motion_language == ""
    assert torch.equal(free.within_limits(99 * motion, source), 99 * motion)
    image = free.decode(source, free.extract_appearance(source), motion).image
    assert image.shape == (2, 3, 64, 64) and torch.isfinite(image).all()
    fitted = Renderer(replace(free.config, readout=True))
    assert fitted.motion_language and fitted.read_parameters(motion).shape == (2, 24)


def test_a_form_without_the_linear_term_gets_a_free_part_too(tiny_config):
    semi = with_space(Renderer(replace(tiny_config, deviation_linear=False)), "semi")
    assert semi.deviation.linear_shift is None
    fast = parameter_groups(semi, 1e-4)[1]["params"]
    assert any(p is semi.deviation.to_vector.weight for p in fast)
