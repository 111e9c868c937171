"""The parallel-control Mamba layer against published numbers, and its closed branches."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from mamba_portrait.networks.actalker.conditions import downsample_mask, selected
from mamba_portrait.networks.actalker.pcm import ParallelControlMamba

GOLDEN = Path(__file__).parents[2] / "data" / "actalker_pcm.safetensors"


@pytest.fixture(scope="module")
def golden():
    tensors = load_file(GOLDEN)
    layer = ParallelControlMamba(32, context=64)
    layer.load_state_dict({k.removeprefix("params."): v for k, v in tensors.items() if k.startswith("params.")})
    index = [selected(downsample_mask(tensors[name], (16, 16))) for name in ("audio_mask", "motion_mask")]
    return layer, [tensors[name] for name in ("x", "id", "audio", "motion")], index, tensors["out"]


def test_layer_equals_the_golden_numbers(golden):
    layer, inputs, index, want = golden
    with torch.no_grad():
        assert (layer(*inputs, *index) - want).abs().max() <= 1e-5


def test_closed_branch_ignores_its_scan_and_its_condition(golden):
    layer, (x, identity, audio, motion), (audio_index, _), _ = golden
    none = torch.empty(0, dtype=torch.long)
    with torch.no_grad():
        want = layer(x, identity, audio, motion, audio_index, none)
        saved = {k: v.clone() for k, v in layer.state_dict().items()}
        for name, parameter in layer.named_parameters():
            if name.startswith("exp_"):
                parameter.normal_()
        got = layer(x, identity, audio, motion + 1, audio_index, none)
        layer.load_state_dict(saved)
        assert torch.equal(got, want)
        layer.in_proj2.weight.add_(0.1)
        assert not torch.equal(layer(x, identity, audio, motion, audio_index, none), want)
        layer.load_state_dict(saved)


def test_frames_are_independent_and_may_be_sliced(golden, monkeypatch):
    layer, inputs, index, want = golden
    monkeypatch.setattr("mamba_portrait.networks.mamba.bidirectional._SLICE", 1)
    with torch.no_grad():
        assert (layer(*inputs, *index) - want).abs().max() <= 1e-5
        alone = layer(*(x[2:3] for x in inputs), *index)
    torch.testing.assert_close(alone, want[2:3], rtol=0, atol=1e-5)


def test_mask_of_ones_selects_every_position_and_soft_edges_do_not():
    for size in (72, 36, 18):
        assert len(selected(downsample_mask(torch.ones(1, 1, 576, 576), (size, size)))) == size * size
    assert len(selected(torch.tensor([[[0.0], [0.5], [254 / 255], [1.0], [1.09375]]]))) == 2


def test_every_parameter_receives_a_gradient(golden):
    layer, inputs, index, _ = golden
    layer(*inputs, *index).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in layer.parameters())
    layer.zero_grad()
