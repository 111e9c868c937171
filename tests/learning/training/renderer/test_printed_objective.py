"""Stage 1 with the paper's three losses alone, and a run of the preset `method`."""

import json
from dataclasses import fields, replace

import pytest
import torch

from mamba_portrait.learning.datasets.batch_slice import BatchSlice
from mamba_portrait.learning.datasets.stills import StillSet
from mamba_portrait.learning.training.loop import Every, Plan
from mamba_portrait.learning.training.renderer.losses import Stage1Weights
from mamba_portrait.learning.training.renderer.rendering import RenderingTask
from mamba_portrait.learning.training.renderer.schedule import SCHEDULE, Part, printed
from mamba_portrait.learning.training.renderer.train import Stage1Settings, averaged_renderer, train_stage1
from mamba_portrait.networks.renderer.config import RendererConfig
from mamba_portrait.networks.renderer.model import Renderer

THREE = ("perceptual", "adversarial", "printed_mask")
OPEN = {
    "depth_planes", "deviation_norm", "own_variance", "relative_shift", "deviation_linear", "region_attention",
    "static_region", "inversion_steps", "warp", "single_slope", "decoder_skips", "composite",
}  # fmt: skip


@pytest.fixture
def method(tiny_config):
    """All printed forms at toy widths."""
    return replace(tiny_config, **{name: getattr(RendererConfig.method(), name) for name in OPEN})


def test_the_objective_is_the_papers_three_losses(method, drawn_discs):
    weights = Stage1Weights.printed()
    assert {f.name for f in fields(weights) if getattr(weights, f.name)} == set(THREE)
    torch.manual_seed(0)
    task = RenderingTask(Renderer(method), StillSet(drawn_discs), 64, weights, adversarial=True)
    batch = task.batch([0, 1], 64, BatchSlice(0, 0, range(2), 2).draws())
    terms = task.losses(batch, 1.0)
    expected = sum(getattr(weights, name) * terms[name] for name in THREE)
    assert terms["loss"].item() == pytest.approx(expected.item(), rel=1e-5) and all(terms[n] != 0 for n in THREE)


def test_the_preset_has_l_adv_wherever_it_renders():
    assert [part.name for part in printed(SCHEDULE) if part.adversarial] == ["coarse", "fine"]


def test_the_preset_trains(method, drawn_discs, tmp_path):
    schedule = (Part("coarse", 1.0, 64, 1, 1e-3, adversarial=True),)
    plan = Plan(steps=2, reports=Every(steps=1), report=lambda _: None)
    settings = Stage1Settings(preset="method", config=method, schedule=schedule)
    renderer = averaged_renderer(train_stage1(drawn_discs, tmp_path, plan, settings))
    assert renderer.config == method and renderer.config.warp == "volume"
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    terms = next(row for row in rows if "loss" in row)
    assert terms["perceptual"] > 0 and "discriminator" in terms
