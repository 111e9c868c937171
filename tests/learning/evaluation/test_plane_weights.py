"""omega_m of several forms: a form that says the same to everyone has no spread and no cost."""

from dataclasses import replace

import pytest
import torch

from mamba_portrait.learning.datasets.stills import StillSet
from mamba_portrait.learning.evaluation.plane_weights import main, measured, plane_weights
from mamba_portrait.model_loaders.checkpoint import save_checkpoint
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


def test_the_command_prints_a_row_for_each(tiny_config, drawn_discs, tmp_path, capsys):
    file = tmp_path / "a.safetensors"
    save_checkpoint(file, Renderer(tiny_config), "renderer", tiny_config)
    main([str(drawn_discs), str(file), str(file), "--groups", "3"])
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 4 and rows[2] == rows[3] and rows[2].startswith(f"| {file} | ")
