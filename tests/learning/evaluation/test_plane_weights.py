"""omega_m of several forms: a form that says the same to everyone has no spread and no cost."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mamba_portrait.learning.datasets.stills import StillSet
from mamba_portrait.learning.evaluation import plane_weights as module
from mamba_portrait.learning.evaluation.method_pictures import SIZE
from mamba_portrait.learning.evaluation.plane_weights import best, in_form, main, measured, plane_weights
from mamba_portrait.model_loaders.checkpoint import save_checkpoint
from mamba_portrait.networks.renderer.layers import resize
from mamba_portrait.networks.renderer.model import Renderer


@pytest.mark.parametrize("channels", [False, True])
@pytest.mark.parametrize("after", [False, True])
def test_a_form_that_differs_between_portraits_costs_and_one_that_does_not_does_not(
    channels, after, tiny_config, drawn_discs
):
    torch.manual_seed(0)
    config = replace(tiny_config, omega_channels=channels, omega_after=after)
    renderer, stills = Renderer(config).eval(), StillSet(drawn_discs)
    with torch.no_grad():
        for p in renderer.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel())))
        renderer.depth.plane_weights[2].weight.mul_(30)
    numbers = config.depth_planes * (config.depth_channels if channels else 1)
    assert plane_weights(renderer, stills, 5).shape == (5, numbers)
    found, mean, spread = measured(renderer, stills, 5)
    assert found.branch == "omega_m" and spread > 1e-3 and abs(found.costs["other"][0]) > 1e-6 and 0 < mean < 1
    with torch.no_grad():
        renderer.depth.plane_weights[2].weight.zero_()
    found, _, spread = measured(renderer, stills, 5)
    assert spread < 1e-6 and abs(found.costs["other"][0]) < 1e-6


def test_the_command_prints_a_row_for_each_and_how_much_better_it_is_than_the_first(
    tiny_config, drawn_discs, tmp_path, capsys
):
    files = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    torch.manual_seed(0)
    for noise, file in zip((0.0, 0.1), files, strict=True):
        renderer = Renderer(tiny_config)
        with torch.no_grad():
            for p in renderer.parameters():
                p.add_(noise * torch.randn_like(p))
        save_checkpoint(file, renderer, "renderer", tiny_config)
    main([str(drawn_discs), str(files[0]), str(files[0]), str(files[1]), "--groups", "3"])
    rows = capsys.readouterr().out.splitlines()
    assert rows[0] == rows[1] and rows[0].startswith(f"| {files[0]} | ") and rows[2].startswith(f"| {files[1]} | ")
    assert rows[0].endswith("| +0.000 [+0.000, +0.000] |")
    reached = [float(row.split(" | ")[1].removesuffix(" dB")) for row in rows]
    gain = float(rows[2].rsplit(" | ", 1)[1].split()[0])
    assert abs(gain) > 0.01 and abs(gain - (reached[2] - reached[0])) < 0.002


def test_the_best_of_each_portrait_is_found_beyond_the_one_that_all_share(tiny_config, drawn_discs, monkeypatch):
    """Where portraits need different ones, by an error that says so; where they need the same, nothing is gained."""
    renderer, frames = in_form(Renderer(tiny_config), ()), []

    def errors(_, pictures, motion, logits, at):
        frames.append(tuple(at))
        return (logits - wanted).square().mean(1).expand(len(pictures)) + 0.01

    monkeypatch.setattr(module, "_errors", errors)
    for spread, low, high in ((1.0, 5.0, 30.0), (0.0, -0.3, 0.1)):
        wanted = 0.5 + spread * torch.randn(4, tiny_config.depth_planes, generator=torch.Generator().manual_seed(0))
        gain = -best(renderer, StillSet(drawn_discs), 4).costs["own"][0]
        assert low < gain < high, gain
    assert set(frames) == {(1, 2), (3,)}  # fitted on two, measured on the third


@torch.no_grad()
@pytest.mark.parametrize("forms", [(), ("channels",), ("channels", "after")])
def test_what_is_said_reaches_the_picture(forms, tiny_config, drawn_discs):
    torch.manual_seed(0)
    renderer = in_form(Renderer(tiny_config), forms)
    renderer.decoder.leave.weight.normal_(std=0.2)
    stills, width = StillSet(drawn_discs), renderer.depth.plane_weights[-1].out_features
    given = stills.get(np.arange(2))
    pictures = resize(given.rgb[:, 0].permute(0, 1, 4, 2, 3).flatten(0, 1).float() / 255, SIZE).unflatten(0, (2, 4))
    motion = renderer.motion_from_parameters(given.param[:, 0])
    one, other = (module._errors(renderer, pictures, motion, torch.full((1, width), x), (1, 2)) for x in (-3.0, 3.0))
    assert one.shape == (2,) and ((one - other).abs() > 1e-6).all()


def test_the_other_forms_go_on_from_the_same_weights(tiny_config):
    renderer = Renderer(tiny_config)
    changed = in_form(renderer, ("channels", "after")).state_dict()
    same = {
        key
        for key, value in renderer.state_dict().items()
        if changed[key].shape == value.shape and torch.equal(changed[key], value)
    }
    assert set(changed) - same == {"depth.plane_weights.2.weight", "depth.plane_weights.2.bias"}
