"""Mamba-2: chunked form, layer, step and carried state against the sequential float64 reference."""

import pytest
import torch

from mamba_portrait.networks.mamba.mamba2 import BidirectionalMamba2, Mamba2
from mamba_portrait.networks.mamba.ssd import ssd_chunked, ssd_sequential


def operands(length, batch=2, heads=4, channels=8, groups=2, state=5, dtype=torch.float32, step=0.1, seed=0):
    g = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=g, dtype=dtype)

    dt = step * torch.rand(batch, length, heads, generator=g, dtype=dtype)
    A = -torch.exp(normal(heads))
    return dict(
        x=normal(batch, length, heads, channels),
        dt=dt,
        A=A,
        B=normal(batch, length, groups, state),
        C=normal(batch, length, groups, state),
        D=normal(heads),
        initial_state=normal(batch, heads, channels, state),
    )


def relative(a, b):
    return ((a.double() - b.double()).norm() / b.double().norm()).item()


@pytest.mark.parametrize("length", [1, 63, 64, 65, 200])
@pytest.mark.parametrize("chunk", [16, 64])
def test_chunked_equals_sequential(length, chunk):
    given = operands(length)
    y, state = ssd_chunked(**given, chunk=chunk)
    y_ref, state_ref = ssd_sequential(**given)
    assert relative(y, y_ref) < 1e-4 and relative(state, state_ref) < 1e-4


def test_large_steps_give_finite_values_and_gradients():
    given = {k: v.requires_grad_() for k, v in operands(130, step=500.0).items()}
    y, _ = ssd_chunked(**given)
    y.square().mean().backward()
    assert relative(y.detach(), ssd_sequential(**given)[0].detach()) < 1e-4
    assert all(v.grad.isfinite().all() for v in given.values())


def test_gradients_equal_those_of_the_reference():
    def gradients(scan, **kw):
        given = {k: v.requires_grad_() for k, v in operands(37, dtype=torch.float64).items()}
        y, state = scan(**given, **kw)
        (y.sin().sum() + state.cos().sum()).backward()
        return {k: v.grad for k, v in given.items()}

    mine, reference = gradients(ssd_chunked, chunk=16), gradients(ssd_sequential)
    for name in reference:
        assert relative(mine[name], reference[name]) < 1e-9, name


def test_state_dict_has_the_names_and_shapes_of_mamba_ssm():
    layer = Mamba2(64, d_state=16, headdim=32)
    shapes = {name: tuple(p.shape) for name, p in layer.state_dict().items()}
    assert shapes == {
        "dt_bias": (4,),
        "A_log": (4,),
        "D": (4,),
        "in_proj.weight": (128 + 128 + 2 * 16 + 4, 64),
        "conv1d.weight": (160, 1, 4),
        "conv1d.bias": (160,),
        "norm.weight": (128,),
        "out_proj.weight": (64, 128),
    }


def test_layer_equals_a_plain_reading_of_the_definition():
    torch.manual_seed(0)
    layer = Mamba2(32, headdim=16, ngroups=2).double()
    u = torch.randn(2, 50, 32, dtype=torch.float64)
    z, xBC, dt = (u @ layer.in_proj.weight.T).split([64, 64 + 64, 4], -1)
    xBC = torch.nn.functional.silu(layer.conv1d(xBC.transpose(1, 2))[..., :50].transpose(1, 2))
    x, B, C = xBC.split([64, 32, 32], -1)
    x, B, C = x.reshape(2, 50, 4, 16), B.reshape(2, 50, 2, 16), C.reshape(2, 50, 2, 16)
    dt = torch.nn.functional.softplus(dt + layer.dt_bias)
    y, _ = ssd_sequential(x, dt, -layer.A_log.exp(), B, C, layer.D)
    y = (y.reshape(2, 50, 64) * torch.nn.functional.silu(z)).reshape(2, 50, 2, 32)
    y = (y / (y.square().mean(-1, keepdim=True) + 1e-5).sqrt()).reshape(2, 50, 64) * layer.norm.weight
    assert relative(layer(u), y @ layer.out_proj.weight.T) < 1e-10


def test_steps_equal_the_full_pass():
    torch.manual_seed(0)
    layer = Mamba2(32, headdim=16).eval()
    u = torch.randn(2, 70, 32)
    state, outputs = layer.empty_state(2), []
    for t in range(70):
        y, state = layer.step(u[:, t], state)
        outputs.append(y)
    full, final = layer(u, return_state=True)
    assert relative(torch.stack(outputs, 1), full) < 1e-4
    assert relative(state.ssm, final.ssm) < 1e-4 and torch.allclose(state.conv, final.conv, atol=1e-5)


@pytest.mark.parametrize("cuts", [(1, 2), (64,), (3, 64, 100)])
def test_state_carries_across_calls(cuts):
    torch.manual_seed(0)
    layer = Mamba2(32, headdim=16).eval()
    u = torch.randn(2, 150, 32)
    state, parts = None, []
    for part in u.tensor_split(cuts, dim=1):
        y, state = layer(part, state, return_state=True)
        parts.append(y)
    assert relative(torch.cat(parts, 1), layer(u)) < 1e-4


def test_mamba2_is_causal_and_the_bidirectional_layer_is_not():
    torch.manual_seed(0)
    u = torch.randn(1, 40, 32)
    changed = u.clone()
    changed[:, 30] += 1
    causal, both = Mamba2(32, headdim=16), BidirectionalMamba2(32, headdim=16)
    assert torch.allclose(causal(u)[:, :30], causal(changed)[:, :30], atol=1e-6)
    assert (both(u) - both(changed))[:, :30].abs().max() > 1e-4
    reversed_time = both(u.flip(1)).flip(1)
    assert (reversed_time - both(u)).abs().max() > 1e-3  # the two directions differ


def test_impossible_head_width_is_named():
    with pytest.raises(ValueError, match="headdim"):
        Mamba2(30, headdim=64)
