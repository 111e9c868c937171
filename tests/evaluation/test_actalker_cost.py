"""The cost of a UNet call, counted without running it."""

import pytest
import torch

pytest.importorskip("diffusers", reason="ACTalker needs diffusers (extra actalker)")

from mamba_portrait.evaluation.actalker_cost import LiveBytes, estimate  # noqa: E402
from mamba_portrait.networks.actalker.config import ACTalkerConfig  # noqa: E402


def test_full_size_call_has_the_known_weights_and_steps():
    """1,775,460,842 parameters in half precision; 68,565 steps with full masks at 576 x 576."""
    cost = estimate(rows=1)
    assert cost.weight_bytes == 2 * 1_775_460_842
    assert cost.scan_steps == 68_565


def test_cost_grows_with_rows_and_falls_with_a_closed_gate():
    config = ACTalkerConfig.reduced()
    one, two = (estimate(config, 128, 128, rows=rows) for rows in (1, 2))
    closed = estimate(config, 128, 128, rows=1, gates=(True, False))
    assert 1.9 * one.flop < two.flop <= 2 * one.flop and two.scan_elements == 2 * one.scan_elements
    assert one.scan_steps == two.scan_steps and closed.scan_steps < 0.6 * one.scan_steps
    assert one.peak_bytes < two.peak_bytes


def test_live_bytes_are_those_alive_at_once():
    with LiveBytes() as live, torch.device("meta"):
        a = torch.empty(1000)
        b = a + 1
        del a
        c = b * 2
        del b, c
    assert live.peak == 8000 and live.alive == 0
