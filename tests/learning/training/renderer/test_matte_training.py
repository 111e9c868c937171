"""The matte and the outline learn from drawn people, and nothing else of a renderer changes."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mamba_portrait.learning.datasets.stills import StillSet
from mamba_portrait.learning.training.loop import Plan
from mamba_portrait.learning.training.renderer import matte_task
from mamba_portrait.learning.training.renderer.matte_task import MatteTask, with_matte
from mamba_portrait.learning.training.renderer.train import Stage1Settings, averaged_renderer, train_stage1
from mamba_portrait.model_loaders.checkpoint import load_renderer, save_checkpoint
from mamba_portrait.networks.renderer.model import Renderer


@pytest.fixture
def renderer(tiny_config):
    torch.manual_seed(0)
    return Renderer(tiny_config)


@pytest.fixture
def task(renderer, drawn_discs, monkeypatch):
    monkeypatch.setattr(matte_task, "WIDTHS", (8, 8, 8))
    return MatteTask(with_matte(renderer), StillSet(drawn_discs))


def test_a_matte_and_an_outline_are_learnt(task):
    before = task.measure(np.arange(12), 128)
    optimizer = torch.optim.AdamW(task.parameters(), 1e-2)
    for step in range(30):
        optimizer.zero_grad()
        task.losses(task.batch([step % 12, (step + 5) % 12], 128, None))["loss"].backward()
        optimizer.step()
    after = task.measure(np.arange(12), 128)
    assert after["iou"] > max(0.8, before["iou"] + 0.1)
    assert after["outline"] > max(0.85, before["outline"])


def test_a_renderer_gets_a_matte_once(renderer, task):
    assert with_matte(task.renderer) is task.renderer
    for name, value in renderer.state_dict().items():
        assert torch.equal(task.renderer.state_dict()[name], value)


def test_a_run_of_that_part_changes_nothing_else(renderer, drawn_discs, tmp_path, monkeypatch):
    monkeypatch.setattr(matte_task, "WIDTHS", (4, 8))
    begun = save_checkpoint(tmp_path / "begun.safetensors", renderer, "renderer", renderer.config)
    plan = Plan(steps=2, report=lambda text: None)
    settings = Stage1Settings(init=begun, parts=("matte",), validation=drawn_discs)
    run = averaged_renderer(train_stage1(drawn_discs, tmp_path / "run", plan, settings))
    assert run.config == replace(renderer.config, matte_widths=(4, 8))
    for name, value in load_renderer(begun).state_dict().items():
        assert torch.allclose(run.state_dict()[name], value, atol=1e-6), name
    learnt = [name for name in run.state_dict() if name.startswith(("matte.", "outline."))]
    assert learnt and all(torch.isfinite(run.state_dict()[name]).all() for name in learnt)
