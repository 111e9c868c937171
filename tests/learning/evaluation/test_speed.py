"""The benchmark measures every stage for each precision and batch, a second of film, and what is meant for GPUs."""

import itertools
import json

import pytest
import torch

from mamba_portrait.cli import main
from mamba_portrait.learning.evaluation import speed, throughput
from mamba_portrait.learning.evaluation.speed import Bench, measure_film
from mamba_portrait.model_loaders.checkpoint import load_motion_model, load_renderer
from mamba_portrait.networks.renderer.model import Renderer


def test_all_stages_are_measured(shipped_tiny, tmp_path, capsys):
    threads = torch.get_num_threads()
    try:
        assert (
            main(["bench", "--json", str(tmp_path / "b.json"), "--seconds", "0.01", "--device", "cpu", "--rates"]) == 0
        )
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
    assert [row["precision"] for row in result["second"]] == ["fp32", "bf16"]
    assert all(row["ratio"] > 0 for row in result["second"])
    assert len(result["throughput"]) == 3 and len(result["scans"]) == 2 and result["left_out"] == []
    shown = capsys.readouterr().out
    assert "x real time" in shown and "seconds x GFLOP/s" in shown and "our PyTorch" in shown


def test_operations_are_counted_as_twice_the_multiply_adds():
    bench = Bench(torch.device("cpu"), 0.01)
    layer, x = torch.nn.Conv2d(4, 8, 3, padding=1, bias=False), torch.rand(2, 4, 16, 16)
    bench.add("conv", "picture", "fp32", 2, 2, lambda: layer(x))
    assert bench.rows[0].gflop == pytest.approx(2 * 4 * 8 * 9 * 16 * 16 / 1e9)


def test_the_ratio_is_seconds_times_the_machines_own_rate(tiny_weights, monkeypatch):
    rates = itertools.cycle([100.0, 300.0])  # before and after each film
    monkeypatch.setattr(Bench, "gemm_rate", lambda self, precision, seconds=None: next(rates))
    renderer = load_renderer(tiny_weights / "renderer_lite.safetensors")
    model = load_motion_model(tiny_weights / "motion_lite.safetensors")
    bench = Bench(torch.device("cpu"), 0.01)
    monkeypatch.setattr(speed, "FRAMES", 5)
    film = measure_film(bench, renderer, model, "fp32", 2)
    assert film["ratio"] == pytest.approx(200 * film["seconds"]) and film["seconds"] > 0
    assert film["realtime"] == pytest.approx(1 / film["seconds"])


@pytest.fixture
def watch():
    return throughput.Watch(torch.device("cpu"), seconds=0.0)


def test_every_precision_and_the_compiled_form_are_measured(tiny_config, watch):
    compiled = []

    def compiler(function):
        compiled.append(function)
        return lambda motion: function(motion) + 0.25

    rows = throughput.measure_throughput(watch, Renderer(tiny_config), True, compiler)
    assert [(row.precision, row.compiled) for row in rows] == [
        (precision, faster) for faster in (False, True) for precision in ("fp32", "fp16", "bf16")
    ]
    assert len(compiled) == 3 and all(row.frames_a_second > 0 and row.copied_a_second > 0 for row in rows)
    assert rows[0].error == 0 and all(0 < row.error < 0.1 for row in rows[1:3])
    assert rows[3].error == pytest.approx(0.25)


def test_scans_are_compared_with_the_recurrence_in_float64(watch, monkeypatch):
    rows = throughput.measure_scans(watch)
    assert [(row.shape, row.form) for row in rows] == [
        ("Mamba-g, reduced (Mamba-2)", "our matrix form"),
        ("ACTalker, reduced (Mamba-1)", "our PyTorch"),
    ]
    assert all(row.error < 1e-5 and row.forward_ms > 0 and row.backward_ms > 0 for row in rows)
    right = throughput.ssd_chunked
    monkeypatch.setattr(throughput, "ssd_chunked", lambda *x: [1.1 * right(*x)[0]])
    assert throughput.measure_scans(watch)[0].error == pytest.approx(0.1, abs=1e-3)


def test_what_the_time_does_not_suffice_for_is_named(tiny_config):
    watch = throughput.Watch(torch.device("cpu"), seconds=0.0, budget=0.0)
    assert throughput.measure_throughput(watch, Renderer(tiny_config), True) == []
    assert throughput.measure_scans(watch) == []
    assert "decoding, bf16, 2 at once, compiled" in watch.left_out and len(watch.left_out) == 8
