"""The selective scan's fast forms equal the sequential recurrence; Mamba-1 carries its state."""

import os
import subprocess
import sys
import types

import pytest
import torch

from mamba_portrait.networks.mamba.mamba1 import Mamba
from mamba_portrait.networks.mamba.recurrence import sequential, two_level
from mamba_portrait.networks.mamba.selective_scan import selective_scan

FAST = ("chunked", "two_level")


def inputs(batch=2, length=77, groups=2, channels=6, states=4, scale=0.1, dtype=torch.float64, seed=0):
    g = torch.Generator().manual_seed(seed)

    def randn(*shape):
        return torch.randn(*shape, generator=g, dtype=torch.float64)

    return {
        "u": randn(batch, length, groups, channels).to(dtype),
        "delta": (randn(batch, length, groups, channels).abs() * scale).to(dtype),
        "A": (-randn(groups, channels, states).exp()).to(dtype),
        "B": randn(batch, length, groups, states).to(dtype),
        "C": randn(batch, length, groups, states).to(dtype),
        "skip": randn(groups, channels).to(dtype),
    }


def cast(tensors, dtype):
    return {name: x.to(dtype) for name, x in tensors.items()}


@pytest.mark.parametrize("form", FAST)
@pytest.mark.parametrize(("length", "chunk"), [(1, 32), (31, 32), (64, 32), (77, 32), (130, 64), (77, None)])
def test_fast_forms_equal_the_sequential_recurrence(form, length, chunk):
    exact = inputs(length=length)
    want, want_last = selective_scan(**exact, form="sequential")
    got, got_last = selective_scan(**cast(exact, torch.float32), form=form, chunk=chunk)
    assert (got - want).abs().max() <= 1e-4 * want.abs().max()
    assert (got_last - want_last).abs().max() <= 1e-4 * want_last.abs().max()


@pytest.mark.parametrize("form", FAST)
def test_gradients_equal_autograd_through_the_recurrence(form):
    tensors = inputs(length=45) | {"state": torch.randn(2, 2, 6, 4, dtype=torch.float64)}
    weights = torch.randn(2, 45, 2, 6, dtype=torch.float64), torch.randn(2, 2, 6, 4, dtype=torch.float64)
    found = {}
    for which in ("sequential", form):
        leaves = {name: x.clone().requires_grad_() for name, x in tensors.items()}
        y, last = selective_scan(**leaves, form=which, chunk=16)
        ((y * weights[0]).sum() + (last * weights[1]).sum()).backward()
        found[which] = {name: x.grad for name, x in leaves.items()}
    for name, want in found["sequential"].items():
        torch.testing.assert_close(found[form][name], want, rtol=1e-9, atol=1e-9, msg=f"gradient of {name}")


def test_gradcheck():
    tensors = inputs(batch=1, length=7, groups=1, channels=2, states=3)
    leaves = [tensors[name].requires_grad_() for name in ("u", "delta", "A", "B", "C", "skip")]
    assert torch.autograd.gradcheck(lambda *x: selective_scan(*x, form="chunked", chunk=3), leaves)


@pytest.mark.parametrize("form", ("sequential", *FAST))
def test_state_carries_across_calls(form):
    whole = inputs(length=50)
    want, want_last = selective_scan(**whole, form=form)
    state, pieces = None, []
    for part in (slice(0, 13), slice(13, 14), slice(14, 50)):
        piece = {k: x[:, part] if k in ("u", "delta", "B", "C") else x for k, x in whole.items()}
        y, state = selective_scan(**piece, state=state, form=form)
        pieces.append(y)
    torch.testing.assert_close(torch.cat(pieces, 1), want, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(state, want_last, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("form", FAST)
def test_large_steps_forget_without_nan(form):
    tensors = {k: x.requires_grad_() for k, x in inputs(scale=1e4, dtype=torch.float32).items()}
    y, last = selective_scan(**tensors, form=form, chunk=32)
    (y.sum() + last.sum()).backward()
    assert torch.isfinite(y).all() and torch.isfinite(last).all()
    assert all(torch.isfinite(x.grad).all() for x in tensors.values())


def test_rows_are_independent_and_cut_to_the_block_budget(monkeypatch):
    tensors = inputs(batch=5)
    want, _ = selective_scan(**tensors, form="chunked")
    monkeypatch.setattr("mamba_portrait.networks.mamba.selective_scan._CPU_BLOCK", 2 * 32 * 48)
    leaves = {k: x.clone().requires_grad_() for k, x in tensors.items()}
    got, _ = selective_scan(**leaves, form="chunked")
    torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12)
    got.sum().backward()
    assert torch.isfinite(leaves["A"].grad).all()


def test_half_precision_inputs_are_scanned_in_float32():
    tensors = inputs(dtype=torch.bfloat16)
    want, _ = selective_scan(**cast(tensors, torch.float64), form="sequential")
    got, last = selective_scan(**tensors, form="chunked")
    assert got.dtype == torch.bfloat16 and last.dtype == torch.float32
    assert (got - want).abs().max() <= 1e-2 * want.abs().max()


def test_two_level_recurrence_of_any_length():
    for length in (1, 2, 3, 16, 17, 24, 99):
        decay, values = torch.rand(2, length, 3, dtype=torch.float64)
        start = torch.rand(3, dtype=torch.float64)
        want, got = values.clone(), values.clone()
        sequential(decay, want, start)
        two_level(decay.clone(), got, start)
        torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12)


def test_triton_kernel_equals_the_recurrence():
    """In Triton's interpreter, to be chosen before the kernel's file is imported: hence a process of its own."""
    pytest.importorskip("triton", reason="Triton is not installed (it comes with torch for CUDA)")
    run = subprocess.run([sys.executable, "-c", TRITON], env=os.environ | {"TRITON_INTERPRET": "1"})
    assert run.returncode == 0


TRITON = """
import torch
from mamba_portrait.networks.mamba.selective_scan import selective_scan
torch.manual_seed(0)
tensors = dict(u=torch.randn(2, 5, 2, 33), delta=torch.rand(2, 5, 2, 33), A=-torch.rand(2, 33, 5) * 8,
               B=torch.randn(2, 5, 2, 5), C=torch.randn(2, 5, 2, 5), skip=torch.randn(2, 33),
               state=torch.randn(2, 2, 33, 5))
want, got = (selective_scan(**tensors, form=form) for form in ("sequential", "triton"))
assert all((a - b).abs().max() < 1e-4 for a, b in zip(want, got))
"""


def test_kernels_are_given_what_they_take(monkeypatch):
    """A stand-in for mamba_ssm with its rules: channels first, A (D, N) in float32, one type for u, delta, B and C."""

    def selective_scan_fn(u, delta, A, B, C, D, return_last_state):
        assert len({x.dtype for x in (u, delta, B, C)}) == 1 and A.dtype == D.dtype == torch.float32
        groups = B.shape[1]
        sequences = [x.transpose(1, 2).unflatten(2, (groups, -1)) for x in (u, delta)]
        y, last = selective_scan(
            *sequences, A.unflatten(0, (groups, -1)), *(x.permute(0, 3, 1, 2) for x in (B, C)), D.view(groups, -1)
        )
        return y.flatten(2).transpose(1, 2), last.flatten(1, 2)

    interface = types.SimpleNamespace(selective_scan_fn=selective_scan_fn)
    monkeypatch.setitem(sys.modules, "mamba_ssm", types.ModuleType("mamba_ssm"))
    monkeypatch.setitem(sys.modules, "mamba_ssm.ops", types.ModuleType("mamba_ssm.ops"))
    monkeypatch.setitem(sys.modules, "mamba_ssm.ops.selective_scan_interface", interface)
    tensors = inputs(dtype=torch.float32) | {"u": inputs()["u"].half()}
    want, want_last = selective_scan(**tensors)
    got, last = selective_scan(**tensors, form="kernels")
    assert got.dtype == torch.float16 and got.shape == want.shape
    torch.testing.assert_close(got, want, rtol=2e-3, atol=2e-3)
    torch.testing.assert_close(last, want_last, rtol=1e-3, atol=1e-3)


def test_wrong_shapes_are_named():
    tensors = inputs()
    tensors["B"] = tensors["B"][:, :-1]
    with pytest.raises(ValueError, match="B has shape"):
        selective_scan(**tensors)


MAMBA_SHAPES = {
    "A_log": (64, 16),
    "D": (64,),
    "in_proj.weight": (128, 32),
    "conv1d.weight": (64, 1, 4),
    "conv1d.bias": (64,),
    "x_proj.weight": (34, 64),
    "dt_proj.weight": (64, 2),
    "dt_proj.bias": (64,),
    "out_proj.weight": (32, 64),
}


def test_mamba_has_the_published_names_and_shapes():
    assert {name: tuple(x.shape) for name, x in Mamba(32).state_dict().items()} == MAMBA_SHAPES


def test_mamba_steps_equal_the_full_pass():
    torch.manual_seed(0)
    block = Mamba(16).double()
    x = torch.randn(2, 23, 16, dtype=torch.float64)
    want = block(x)
    state, steps = block.initial_state(2), []
    for t in range(x.shape[1]):
        y, state = block.step(x[:, t], state)
        steps.append(y)
    torch.testing.assert_close(torch.stack(steps, 1), want, rtol=1e-7, atol=1e-7)


def test_mamba_carries_its_state_across_segments():
    torch.manual_seed(0)
    block = Mamba(16)
    x = torch.randn(2, 40, 16)
    first, state = block(x[:, :11], return_state=True)
    second, _ = block(x[:, 11:], state, return_state=True)
    torch.testing.assert_close(torch.cat([first, second], 1), block(x), rtol=1e-4, atol=1e-5)


def test_mamba_is_causal():
    torch.manual_seed(0)
    block = Mamba(16)
    x = torch.randn(1, 20, 16)
    changed = x.clone()
    changed[:, 12:] += 1
    assert torch.equal(block(x)[:, :12], block(changed)[:, :12])
