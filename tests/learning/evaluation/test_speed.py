"""The benchmark measures every stage for each precision and batch, and its sums are those of its rows."""

import json

import pytest
import torch

from mamba_portrait.cli import main
from mamba_portrait.learning.evaluation.speed import Bench, Row, second_of_film


def test_all_stages_are_measured(shipped_tiny, tmp_path, capsys):
    threads = torch.get_num_threads()
    try:
        assert main(["bench", "--json", str(tmp_path / "b.json"), "--seconds", "0.01", "--device", "cpu"]) == 0
    finally:
        torch.set_num_threads(threads)
    result = json.loads((tmp_path / "b.json").read_text())
    measured = {(row["stage"], row["precision"], row["batch"]) for row in result["rows"]}
    for precision in ("fp32", "bf16"):
        for stage in ("encode source", "appearance", "Mamba-g", "Mamba-l", "sample motion"):
            assert (stage, precision, 1) in measured
        for batch in (1, 8):
            assert {("decode to 64", precision, batch), ("decode to 512", precision, batch)} <= measured
    assert {("paste back", "fp32", 8), ("encode video", "fp32", 8)} <= measured
    assert all(row["milliseconds"] > 0 for row in result["rows"])
    assert min(result["gemm_gflops"].values()) > 0
    assert "x real time" in capsys.readouterr().out


def test_operations_are_counted_as_twice_the_multiply_adds():
    bench = Bench(torch.device("cpu"), 0.01)
    layer, x = torch.nn.Conv2d(4, 8, 3, padding=1, bias=False), torch.rand(2, 4, 16, 16)
    bench.add("conv", "picture", "fp32", 2, 2, lambda: layer(x))
    assert bench.rows[0].gflop == pytest.approx(2 * 4 * 8 * 9 * 16 * 16 / 1e9)


def test_a_second_of_film_is_hearing_sampling_and_25_frames():
    names = (("Mamba-g", 1, 10.0), ("Mamba-l", 1, 20.0), ("sample motion", 1, 70.0), ("decode to 512", 1, 12.0))
    names += (("decode to 512", 8, 8.0),)
    rows = [Row(stage, "", p, batch, ms, None, None) for stage, batch, ms in names for p in ("fp32", "bf16")]
    rows.append(Row("encode video", "frame", "fp32", 8, 4.0, None, None))
    seconds = {(row["precision"], row["batch"]): row["seconds"] for row in second_of_film(rows)}
    assert seconds["fp32", 1] == pytest.approx(0.1 + 25 * 0.016)
    assert seconds["bf16", 8] == pytest.approx(0.1 + 25 * 0.012)
