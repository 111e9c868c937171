"""The cost of a UNet call, counted without running it."""

import pytest
import torch

pytest.importorskip("diffusers", reason="ACTalker needs diffusers (extra actalker)")

from mamba_portrait.learning.evaluation.actalker.cost import estimate, estimate_decoding, main, measure  # noqa: E402
from mamba_portrait.learning.evaluation.actalker.operation_counter import MACHINES, OperationCounter  # noqa: E402
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


def test_scans_take_a_part_of_the_time_that_a_faster_machine_shortens():
    cost = estimate(ACTalkerConfig.reduced(), 128, 128, rows=1)
    for machine in MACHINES:
        whole, scans = cost.seconds(machine), cost.seconds(machine, scans_only=True)
        assert 0 < scans < whole
        quicker = machine._replace(
            flop=2 * machine.flop, bytes=2 * machine.bytes, exponentials=2 * machine.exponentials
        )
        assert cost.seconds(quicker) == pytest.approx(whole / 2)


def test_arithmetic_and_traffic_of_a_product_are_known():
    a, b = torch.empty(30, 20, device="meta"), torch.empty(20, 10, device="meta")
    with OperationCounter() as counter:
        (a @ b).view(10, 30)
    (product,) = counter.operations  # a view moves nothing
    assert product.flop == 2 * 30 * 20 * 10 and product.bytes == 4 * (600 + 200 + 300)


def test_decoding_grows_with_the_chunk():
    config = ACTalkerConfig.reduced()
    one, two = (estimate_decoding(config, 128, 128, chunk) for chunk in (1, 2))
    assert one.weight_bytes == two.weight_bytes and 1.9 * one.peak_bytes < two.peak_bytes
    assert two.flop == pytest.approx(2 * one.flop, rel=0.01)


def test_a_call_is_measured_where_it_runs():
    found = measure(ACTalkerConfig.reduced(), "cpu", 64, 64, rows=1, dtype=torch.float32, calls=1)
    assert 0 < found.scan_seconds < found.seconds * 2 and found.peak_bytes == 0


def test_the_command_prints_counts(capsys):
    main(["--reduced"])
    assert "scan elements" in capsys.readouterr().out


def test_live_bytes_are_those_alive_at_once():
    with OperationCounter() as live, torch.device("meta"):
        a = torch.empty(1000)
        b = a + 1
        del a
        c = b * 2
        del b, c
    assert live.peak == 8000 and live.alive == 0
