"""bfloat16 is taken by itself only where the device has it; elsewhere command and node say once how slow it is."""

import logging
import subprocess
import sys

import pytest
import torch

from mamba_portrait import precision
from mamba_portrait.host.headless import settings as headless
from mamba_portrait.learning.training import recipe
from mamba_portrait.nodes.actalker.load import REDUCED, load

CPU = torch.device("cpu")


@pytest.fixture
def without_bf16(monkeypatch):
    """A CPU without instructions for it, on which it is 34 times as slow."""
    monkeypatch.setattr(precision, "_cpu_has_bf16", lambda: False)
    monkeypatch.setattr(precision, "bf16_factor", lambda: 34.2)
    precision._warn.cache_clear()
    yield
    precision._warn.cache_clear()


def warnings(caplog):
    return [record.getMessage() for record in caplog.records if "bfloat16" in record.getMessage()]


def test_auto_never_takes_it_on_a_cpu(without_bf16, caplog):
    for choice in ("auto", "fp32"):
        with headless.configure(precision=choice):
            assert not headless.use_bf16(CPU)
    assert not warnings(caplog)


def test_asking_for_it_says_once_how_slow_it_is(without_bf16, caplog):
    with headless.configure(precision="bf16"):
        assert headless.use_bf16(CPU) and headless.use_bf16(CPU)
    (warning,) = warnings(caplog)
    assert "34.2 times" in warning and "fp32" in warning


def test_a_cpu_that_has_it_gets_no_warning(without_bf16, caplog, monkeypatch):
    monkeypatch.setattr(precision, "_cpu_has_bf16", lambda: True)
    with headless.configure(precision="bf16"):
        assert headless.use_bf16(CPU)
    assert not warnings(caplog)


def test_the_node_of_actalker_says_it_too(without_bf16, caplog, monkeypatch):
    monkeypatch.setattr("mamba_portrait.nodes.actalker.load.load_device", lambda: CPU)
    monkeypatch.setattr("mamba_portrait.nodes.actalker.load.ManagedACTalker", lambda model, name: name)
    pytest.importorskip("diffusers")
    caplog.set_level(logging.WARNING)
    load(REDUCED, "fp32")
    assert not warnings(caplog)
    load(REDUCED, "bf16")
    assert len(warnings(caplog)) == 1


@pytest.mark.parametrize("has, expected", [(True, "bf16"), (False, "fp32")])
def test_training_takes_it_only_where_the_device_has_it(monkeypatch, tmp_path, has, expected):
    class Planned(Exception):
        pass

    def planned(*arguments, **options):
        raise Planned(options["precision"])

    monkeypatch.setattr(precision, "_cpu_has_bf16", lambda: has)
    monkeypatch.setattr(recipe, "Recipe", planned)
    with pytest.raises(Planned, match=expected):
        recipe.train_all(tmp_path, tmp_path, device="cpu")


@pytest.mark.parametrize(
    "capability, avx512_bf16, amx, expected",
    [("AVX512", True, False, True), ("AVX512", False, True, True), ("AVX512", False, False, False)]
    + [("AVX2", True, True, False), ("DEFAULT", False, False, False)],
)
def test_what_the_processor_says(monkeypatch, capability, avx512_bf16, amx, expected):
    monkeypatch.setattr(precision.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512_bf16, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx, raising=False)
    assert precision._cpu_has_bf16.__wrapped__() is expected


def test_the_factor_is_that_of_this_machine():
    assert 0.05 < precision.bf16_factor() < 1000


def test_asking_whether_is_light():
    code = "import sys, mamba_portrait.precision; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
