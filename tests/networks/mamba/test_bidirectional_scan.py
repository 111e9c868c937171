"""The scan in both directions: equal to two one-way scans, whatever path runs it."""

import os
import subprocess
import sys

import pytest
import torch
from torch.nn import functional as F

from mamba_portrait.networks.mamba.bidirectional import bidirectional_scan
from mamba_portrait.networks.mamba.selective_scan import selective_scan


def inputs(rows=3, length=21, channels=6, states=4, dtype=torch.float64):
    g = torch.Generator().manual_seed(0)

    def randn(*shape):
        return torch.randn(*shape, generator=g, dtype=torch.float64).to(dtype)

    return {
        "u": randn(rows, length, channels),
        "delta": randn(rows, length, 2, channels) * 2,
        "bias": randn(2, channels) - 3,
        "A": -randn(2, channels, states).exp(),
        "B": randn(rows, length, 2, states),
        "C": randn(rows, length, 2, states),
        "skip": randn(2, channels),
    }


def one_way(u, delta, bias, A, B, C, skip, k):
    sequences = (u, F.softplus(delta[:, :, k] + bias[k]), B[:, :, k], C[:, :, k])
    u, delta, B, C = (x.flip(1) if k else x for x in sequences)
    y, _ = selective_scan(u, delta, A[k], B, C, skip[k], form="sequential")
    return y.flip(1) if k else y


def test_it_is_the_sum_of_two_one_way_scans(monkeypatch):
    tensors = inputs()
    want = one_way(**tensors, k=0) + one_way(**tensors, k=1)
    torch.testing.assert_close(bidirectional_scan(**tensors), want, rtol=1e-9, atol=1e-9)
    single = {name: x.float() for name, x in tensors.items()}
    assert (bidirectional_scan(**single) - want).abs().max() <= 1e-4 * want.abs().max()
    monkeypatch.setattr("mamba_portrait.networks.mamba.bidirectional._SLICE", 1)
    torch.testing.assert_close(bidirectional_scan(**tensors), want, rtol=1e-9, atol=1e-9)


def test_gradients():
    leaves = [x.requires_grad_() for x in inputs(rows=2, length=4, channels=2, states=2).values()]
    assert torch.autograd.gradcheck(bidirectional_scan, leaves)


def test_triton_walks_both_ways_over_views():
    """In Triton's interpreter, to be chosen before the kernel's file is imported: hence a process of its own."""
    pytest.importorskip("triton", reason="Triton is not installed (it comes with torch for CUDA)")
    run = subprocess.run([sys.executable, "-c", TRITON], env=os.environ | {"TRITON_INTERPRET": "1"})
    assert run.returncode == 0


TRITON = """
import torch
from mamba_portrait.networks.mamba import bidirectional
torch.manual_seed(0)
by_direction = torch.randn(2, 2, 5, 33) * 3  # as it lies in memory where each direction is projected by itself
by_direction[:, :, 0] = -12                  # a step size that 1 + exp(x) would round away
u, delta, both = torch.randn(2, 5, 33), by_direction.permute(1, 2, 0, 3), torch.randn(2, 5, 2, 3 + 5 + 5)
given = dict(bias=torch.randn(2, 33) - 1, A=-torch.rand(2, 33, 5) * 8, skip=torch.randn(2, 33))
for dtype, bound in ((torch.float32, 1e-5), (torch.float16, 2e-2)):
    low, B, C = both.to(dtype).split([3, 5, 5], -1)
    tensors = dict(u=u.to(dtype), delta=delta.to(dtype), B=B, C=C) | given
    bidirectional.triton_serves = lambda *inputs: False
    want = bidirectional.bidirectional_scan(**tensors)
    bidirectional.triton_serves = lambda *inputs: True
    got = bidirectional.bidirectional_scan(**tensors)
    assert got.dtype == dtype and (got - want).abs().max() < bound * want.abs().max(), (got - want).abs().max()
"""
