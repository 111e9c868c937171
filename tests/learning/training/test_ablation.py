"""The paper's ablations: what is cut has no say, what is left is as it was, and runs with cuts train."""

from dataclasses import replace

import pytest
import torch

from mamba_portrait.learning.training.ablation import (
    BRANCHES,
    STAGE1,
    STAGE2,
    changed_network,
    cut_config,
    cut_network,
)
from mamba_portrait.learning.training.loop import Plan
from mamba_portrait.learning.training.motion_model.train import Stage2Settings, averaged_motion_model, train_stage2
from mamba_portrait.learning.training.renderer.schedule import Part
from mamba_portrait.learning.training.renderer.train import Stage1Settings, averaged_renderer, train_stage1
from mamba_portrait.model_loaders.checkpoint import load_motion_model, load_renderer
from mamba_portrait.networks.motion_model.mamba_global import GlobalAudio


@pytest.fixture
def renderer(tiny_weights):
    """With weights so large that every branch reaches the picture."""
    return louder(load_renderer(tiny_weights / "renderer_lite.safetensors"))


@pytest.fixture
def model(tiny_weights):
    return louder(load_motion_model(tiny_weights / "motion_lite.safetensors"))


@torch.no_grad()
def louder(network):
    for p in network.parameters():
        p.add_(0.1 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel())))
    return network


@torch.no_grad()
def said_by_renderer(renderer):
    """Branches on which the picture depends."""
    g = torch.Generator().manual_seed(1)
    source = renderer.encode_source(torch.rand(1, 3, 64, 64, generator=g))
    look, motion = renderer.extract_appearance(source), source.motion + torch.randn(1, 768, generator=g)
    picture = renderer.decode(source, look, motion).image
    maps = renderer.deviation(motion, source.pose).maps
    said = {
        "appearance": renderer.decode(source, look + 1, motion).image - picture,
        "transformer": renderer.deviation(motion, source.pose._replace(tokens=source.pose.tokens.flip(-1))).maps - maps,
        "attention": source.source_maps.mixing[:, 0] - source.source_maps.mixing[:, 1],  # regions differ by focus alone
    }
    return {name for name, difference in said.items() if difference.abs().max() > 1e-6}


@torch.no_grad()
def said_by_motion_model(model):
    """Branches on which the prediction depends."""
    g = torch.Generator().manual_seed(1)
    waves = 0.1 * torch.randn(2, 1, 640 * 8, generator=g)
    heard, local = [model.extract_global(w) for w in waves], [model.extract_local(w) for w in waves]
    noisy, look, t = torch.randn(1, 8, 768, generator=g), torch.randn(2, 1, 16, generator=g), torch.tensor([500])

    def predict(i, j, k):
        return model.denoise(noisy, t, GlobalAudio(heard[i].style, heard[i].frames), local[j], look[k])

    usual = predict(0, 0, 0)
    said = {"mamba-g": predict(1, 0, 0), "mamba-l": predict(0, 1, 0), "appearance": predict(0, 0, 1)}
    return {name for name, changed in said.items() if (changed - usual).abs().max() > 1e-6}


@pytest.mark.parametrize("branch", STAGE1)
def test_a_branch_cut_from_trained_weights_has_no_say_in_the_picture(branch, renderer):
    assert said_by_renderer(renderer) == set(STAGE1)
    cut = cut_network(renderer, [branch], STAGE1)
    assert said_by_renderer(cut) == set(STAGE1) - {branch}
    kept = cut.state_dict()
    assert len(kept) < len(renderer.state_dict()) and all(
        torch.equal(v, renderer.state_dict()[k]) for k, v in kept.items()
    )


@pytest.mark.parametrize("branch", STAGE2)
def test_a_branch_cut_from_trained_weights_has_no_say_in_the_motion(branch, model):
    assert said_by_motion_model(model) == set(STAGE2)
    cut = cut_network(model, [branch], STAGE2)
    assert said_by_motion_model(cut) == set(STAGE2) - {branch}
    assert cut.motion_language == model.motion_language
    assert all(torch.equal(v, model.state_dict()[k]) for k, v in cut.state_dict().items())


def test_the_branches_are_the_papers_rows_and_a_stage_knows_its_own(renderer):
    from mamba_portrait.cli import train

    assert BRANCHES == train.BRANCHES == ("appearance", "transformer", "attention", "mamba-g", "mamba-l")
    assert cut_network(renderer, [], STAGE1) is renderer
    with pytest.raises(ValueError, match="no branch mamba-g: choose of appearance, transformer, attention"):
        cut_config(renderer.config, ["mamba-g"], STAGE1)


@pytest.mark.parametrize("init", [False, True])
def test_both_stages_train_with_branches_cut(
    init, tiny_weights, tiny_config, tiny_motion_config, drawn_clips, tmp_path
):
    plan = Plan(steps=1, report=lambda _: None)
    schedule = (Part("coarse", 1.0, 64, 1, 1e-3),)
    first = Stage1Settings(config=tiny_config, schedule=schedule, ablate=["attention", "transformer"])
    second = Stage2Settings(config=tiny_motion_config, batch=1, ablate=["mamba-g"])
    if init:
        first = Stage1Settings(
            init=tiny_weights / "renderer_lite.safetensors", schedule=schedule, ablate=["attention", "transformer"]
        )
        second = Stage2Settings(init=tiny_weights / "motion_lite.safetensors", batch=1, ablate=["mamba-g"])
    renderer = averaged_renderer(train_stage1(drawn_clips, tmp_path / "1", plan, first))
    assert renderer.lmdd.focus is None and len(renderer.deviation.blocks) == 0 and renderer.config.use_appearance
    whole = load_renderer(tiny_weights / "renderer_lite.safetensors")
    model = averaged_motion_model(train_stage2(drawn_clips, tmp_path / "2", plan, second, whole))
    assert model.mamba_global is None and model.mamba_local is not None


def test_another_form_goes_on_from_trained_weights_but_for_what_begins_anew(renderer):
    config = replace(renderer.config, region_attention=True, omega_channels=True)
    changed, trained = changed_network(renderer, config, ["lmdd.focus", "lmdd.planes"]), renderer.state_dict()
    own = changed.state_dict()
    new = {key for key, value in own.items() if key not in trained or not torch.equal(value, trained[key])}
    assert {key.rpartition(".")[0] for key in new} >= {"lmdd.planes", "depth.plane_weights.2"}
    assert all(key.startswith(("lmdd.planes", "lmdd.attention", "depth.plane_weights.2")) for key in new)
    assert changed.lmdd.focus is None and changed.motion_language == renderer.motion_language
    with pytest.raises(ValueError, match="no module lmdd.crystal"):
        changed_network(renderer, config, ["lmdd.crystal"])
