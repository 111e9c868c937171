"""The background around heads that have moved."""

from types import SimpleNamespace

import pytest
import torch

from mamba_portrait.learning.evaluation.outline import around, measure_outline
from mamba_portrait.networks.renderer.model import Renderer


def test_the_band_is_background_near_the_person():
    background = torch.ones(100, 100, dtype=torch.bool)
    background[40:, 40:60] = False
    band = around(background)
    assert band[50, 32:40].all() and not band[50, :32].any()  # 8 % to its left
    assert not band[~background].any()
    assert not band[:30].any()


@pytest.fixture
def renderer(tiny_config):
    torch.manual_seed(0)
    return Renderer(tiny_config).eval()


def test_a_renderer_that_shows_the_photo_has_the_photo_s_figure(renderer, monkeypatch):
    pytest.importorskip("moderngl")

    def copied(source, appearance, motion, size):
        return SimpleNamespace(image=source.image.expand(len(motion), -1, -1, -1))

    monkeypatch.setattr(renderer, "decode", copied)
    try:
        figures = measure_outline(renderer, people=2, size=64)
    except RuntimeError as fault:
        pytest.skip(str(fault))
    assert figures["outline"] == figures["outline_copy"]
    assert 8 < figures["outline"] < 45
