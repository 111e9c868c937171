"""Motion files and encoders: yesterday's files open, and another encoder's unnamed numbers are not taken for ours."""

from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from safetensors import safe_open

from mamba_portrait.learning.training.renderer.free_motion import with_space
from mamba_portrait.media.motion import Motion, fitted_to, load_motion, save_motion
from mamba_portrait.media.motion_edit import blend_motions
from mamba_portrait.model_loaders.checkpoint import load_motion_model, load_renderer, save_checkpoint
from mamba_portrait.pipelines.portrait import encode_driving_video, encode_source, extract_appearance
from mamba_portrait.pipelines.rendering import render
from mamba_portrait.vocabulary import INDEX


@pytest.fixture
def named(tiny_weights):
    return load_renderer(tiny_weights / "renderer_lite.safetensors")


@pytest.fixture
def semi(named):
    torch.manual_seed(1)
    return with_space(named, "semi").eval().requires_grad_(False)


def opened(renderer, language, encoder=""):
    """A jaw that opens, and beside it numbers without a name."""
    parameters = torch.zeros(3, 24)
    parameters[:, INDEX["jaw"]] = torch.tensor([0.0, 0.2, 0.4])
    values = renderer.motion_from_parameters(parameters).detach()
    unnamed = renderer.free_part(torch.randn(768, generator=torch.Generator().manual_seed(0)))
    values[1:] += 0.3 * unnamed / unnamed.std()
    return Motion(values, values[0].clone(), Fraction(25), language, encoder)


def metadata(file):
    with safe_open(str(file), framework="pt") as opened_file:
        return opened_file.metadata()


def test_the_encoder_is_written_where_there_is_one(named, semi, tmp_path):
    old = save_motion(tmp_path / "old", opened(named, named.motion_language))
    assert "motion_encoder" not in metadata(old) and load_motion(old).encoder == ""  # as files of yesterday are
    new = save_motion(tmp_path / "new", opened(semi, semi.motion_language, semi.motion_encoder_id))
    assert load_motion(new).encoder == semi.motion_encoder_id == metadata(new)["motion_encoder"]
    wrong = save_motion(tmp_path / "wrong", replace(load_motion(new), encoder="no id!"))
    with pytest.raises(ValueError, match="wrong.safetensors has 'no id!' as its motion_encoder"):
        load_motion(wrong)


def test_a_free_part_is_used_by_the_renderer_of_its_encoder_only(named, semi):
    told = opened(named, named.motion_language)
    assert fitted_to(told, named) is told  # a space without a free part takes files as it always did
    own = replace(told, encoder=semi.motion_encoder_id)
    assert fitted_to(own, semi) is own
    for motion, renderer in ((told, semi), (own, named)):  # of yesterday; and for a renderer that has only names
        left = fitted_to(motion, renderer)
        assert float(renderer.free_part(left.values - left.reference).abs().max()) < 1e-3 and left.encoder == ""
        parameters = renderer.read_parameters(left.values)[:, INDEX["jaw"]]
        assert torch.allclose(parameters, torch.tensor([0.0, 0.2, 0.4]), atol=1e-3)


def test_another_encoders_free_part_is_refused_and_its_names_are_not(named, semi):
    foreign = opened(named, named.motion_language, "abcdef012345")
    with pytest.raises(ValueError, match="Part of this motion has no names.*abcdef012345"):
        fitted_to(foreign, semi)
    change = foreign.values - foreign.reference
    names_only = replace(foreign, values=foreign.values - semi.free_part(change))
    assert fitted_to(names_only, semi).frames == 3
    with pytest.raises(ValueError, match="another renderer"):
        fitted_to(replace(foreign, language="other"), semi)
    free = with_space(named, "free")
    with pytest.raises(ValueError, match="made by another motion encoder"):
        fitted_to(foreign, free)
    with pytest.raises(ValueError, match="made by another motion encoder"):
        fitted_to(replace(foreign, language=""), semi)
    unnamed = replace(foreign, language="", encoder=free.motion_encoder_id)
    assert fitted_to(unnamed, free) is unnamed


def test_motions_of_two_encoders_are_not_joined(named):
    first, second = (opened(named, named.motion_language, encoder) for encoder in ("a" * 12, "b" * 12))
    with pytest.raises(ValueError, match="two different motion encoders"):
        blend_motions(first, second)
    voice = replace(first, encoder="")
    assert blend_motions(voice, second).encoder == second.encoder and blend_motions(first, voice).encoder == "a" * 12


def test_a_video_is_rendered_by_its_own_encoder_and_refused_by_the_next(semi, named):
    frames = torch.rand(3, 64, 64, 3)
    source = encode_source(semi, torch.rand(1, 64, 64, 3))
    appearance = extract_appearance(semi, source)
    motion = encode_driving_video(semi, list(frames), Fraction(25))
    assert motion.encoder == semi.motion_encoder_id
    assert sum(len(batch) for batch in render(semi, source, appearance, motion)) == 3
    trained = with_space(named, "semi").eval().requires_grad_(False)
    trained.motion_encoder.free.out.weight.mul_(2)
    trained.motion_encoder.free.rest.add_(1)
    with pytest.raises(ValueError, match="Part of this motion has no names"):
        list(render(trained, source, appearance, motion))


def test_a_motion_model_keeps_the_encoder_it_learnt_from(tiny_weights, tmp_path):
    model = load_motion_model(tiny_weights / "motion_lite.safetensors")
    assert model.motion_encoder_id == ""
    model.motion_encoder_id = "0123456789ab"
    save_checkpoint(tmp_path / "m.safetensors", model, "motion_model", model.config)
    assert load_motion_model(tmp_path / "m.safetensors").motion_encoder_id == "0123456789ab"
