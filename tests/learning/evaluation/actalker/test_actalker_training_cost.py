"""The count of a training step, at the size of the tests."""

import pytest
import torch

pytest.importorskip("diffusers", reason="ACTalker needs diffusers (extra actalker)")
pytest.importorskip("transformers", reason="ACTalker needs transformers (extra actalker)")

from mamba_portrait.learning.evaluation.actalker import training_cost  # noqa: E402
from mamba_portrait.learning.evaluation.actalker.operation_counter import Machine  # noqa: E402
from mamba_portrait.networks.actalker.config import ACTalkerConfig  # noqa: E402
from mamba_portrait.networks.mamba.bidirectional import bidirectional_scan  # noqa: E402


@pytest.fixture(scope="module")
def cost():
    return training_cost.window_cost(ACTalkerConfig.reduced(), 64)


def test_gradients_cost_twice_the_forward_pass(cost):
    """A little less, since no gradient is asked of the inputs."""
    assert 2.7 * cost.forward < cost.training < 3.0 * cost.forward
    assert cost.flop(checkpointing=True) - cost.flop() == cost.forward
    assert cost.encoders > 0


def test_a_layer_is_counted_as_two_operations_a_weight():
    layer, x = torch.nn.Linear(32, 8, bias=False, device="meta"), torch.zeros(5, 32, device="meta")
    assert training_cost._count(lambda: layer(x)) == 2 * 5 * 32 * 8
    assert training_cost._count(lambda: layer(x).sum().backward()) == 2 * 2 * 5 * 32 * 8


def test_the_scans_stand_in_has_its_shape_and_reaches_every_input():
    shapes = {"u": (2, 5, 6), "delta": (2, 5, 2, 6), "bias": (2, 6), "A": (2, 6, 4), "B": (2, 5, 2, 4)}
    given = [torch.rand(*shape).requires_grad_() for shape in (*shapes.values(), shapes["B"], shapes["bias"])]
    stand_in = training_cost.scan_without_count(*given)
    assert stand_in.shape == bidirectional_scan(*given[:3], -given[3], *given[4:]).shape
    stand_in.sum().backward()
    assert all(x.grad is not None and x.grad.abs().sum() > 0 for x in given)


def test_hours_are_updates_of_windows_over_the_rate(cost):
    machine = Machine("one", 1e12, 1.0, 1.0)
    hours = training_cost.gpu_hours(cost, machine, 8, 1.5)
    assert hours == pytest.approx(136_000 * 8 * cost.flop() * 1.5 / 1e12 / 3600)


def test_the_command_prints_the_table(capsys):
    training_cost.main(["--reduced", "--side", "64"])
    told = capsys.readouterr().out
    assert "H200" in told and "136000 updates of 32 windows" in told
