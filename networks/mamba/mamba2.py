"""The Mamba-2 layer; parameter names and shapes are those of `mamba_ssm.Mamba2`, so state dicts interchange."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .norms import GatedRMSNorm
from .ssd import ssd, ssd_step

BLOCK = 1024  # positions that the bidirectional layer processes at once


class Mamba2State(NamedTuple):
    """The state of one layer, carried from call to call."""

    conv: Tensor  # (batch, d_conv - 1, d_inner + 2 * groups * d_state): the last inputs of the convolution
    ssm: Tensor  # (batch, heads, headdim, d_state)


def causal_conv(x: Tensor, weight: Tensor, bias: Tensor, past: Tensor | None) -> tuple[Tensor, Tensor]:
    """Depthwise causal convolution of x (batch, length, channels) by weight (channels, 1, taps): (y, new past).

    A sum of shifted products: several times faster on a CPU than a grouped convolution, and without transposes.
    """
    taps, length = weight.shape[-1], x.shape[1]
    past = x.new_zeros(x.shape[0], taps - 1, x.shape[2]) if past is None else past.to(x.dtype)
    extended = torch.cat([past, x], 1)
    y = bias + extended[:, :length] * weight[:, 0, 0]
    for k in range(1, taps):
        y = torch.addcmul(y, extended[:, k : k + length], weight[:, 0, k])
    return y, extended[:, length:]


class SSDMixer(nn.Module):
    """The inner part of a Mamba-2 layer: convolution, scan and gated norm between the two projections.

    Takes the projected [z, x, B, C, dt] (batch, length, projected_width) and gives (batch, length, d_inner).
    """

    def __init__(
        self,
        d_model: int,
        d_state: int = 16,
        d_conv: int = 4,
        expand: int = 2,
        headdim: int = 64,
        ngroups: int = 1,
        chunk_size: int = 64,
    ):
        super().__init__()
        self.d_inner = expand * d_model
        if self.d_inner % headdim or (self.d_inner // headdim) % ngroups:
            raise ValueError(
                f"Mamba2: expand * d_model = {self.d_inner} must be a multiple of headdim = {headdim}, "
                f"and the number of heads a multiple of ngroups = {ngroups}"
            )
        self.d_state, self.headdim, self.ngroups, self.chunk_size = d_state, headdim, ngroups, chunk_size
        self.nheads = self.d_inner // headdim
        conv_width = self.d_inner + 2 * ngroups * d_state
        self.projected_width = self.d_inner + conv_width + self.nheads
        self.conv1d = nn.Conv1d(conv_width, conv_width, d_conv, groups=conv_width, padding=d_conv - 1)
        step = torch.exp(torch.rand(self.nheads) * (math.log(0.1) - math.log(0.001)) + math.log(0.001)).clamp_min(1e-4)
        self.dt_bias = nn.Parameter(step + torch.log(-torch.expm1(-step)))  # softplus(dt_bias) = step
        self.A_log = nn.Parameter(torch.empty(self.nheads).uniform_(1, 16).log())
        self.D = nn.Parameter(torch.ones(self.nheads))
        self.norm = GatedRMSNorm(self.d_inner, ngroups)

    def _split(self, projected: Tensor) -> list[Tensor]:
        return projected.split([self.d_inner, self.conv1d.in_channels, self.nheads], -1)

    def _heads(self, mixed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        width = self.ngroups * self.d_state
        parts = F.silu(mixed).split([self.d_inner, width, width], -1)
        counts = (self.nheads, self.ngroups, self.ngroups)
        return tuple(part.unflatten(-1, (count, -1)) for part, count in zip(parts, counts, strict=True))

    def mix(self, projected: Tensor, state: Mamba2State | None = None) -> tuple[Tensor, Mamba2State]:
        """Whole sequence, continuing from `state`; returns the mixed sequence and the state after its last position."""
        z, xBC, dt = self._split(projected)
        mixed, conv = causal_conv(xBC, self.conv1d.weight, self.conv1d.bias, state and state.conv)
        x, B, C = self._heads(mixed)
        dt = F.softplus(dt.float() + self.dt_bias) if dt.dtype != torch.float64 else F.softplus(dt + self.dt_bias)
        y, ssm = ssd(x, dt, -self.A_log.exp(), B, C, self.D, state and state.ssm, self.chunk_size)
        return self.norm(y.flatten(-2).to(z.dtype), z), Mamba2State(conv, ssm)

    def mix_step(self, projected: Tensor, state: Mamba2State) -> tuple[Tensor, Mamba2State]:
        """One position: projected (batch, projected_width)."""
        z, xBC, dt = self._split(projected)
        window = torch.cat([state.conv.to(xBC.dtype), xBC[:, None]], 1)
        x, B, C = self._heads((window * self.conv1d.weight[:, 0].T).sum(1) + self.conv1d.bias)
        y, ssm = ssd_step(x, F.softplus(dt + self.dt_bias), -self.A_log.exp(), B, C, self.D, state.ssm)
        return self.norm(y.flatten(-2).to(z.dtype), z), Mamba2State(window[:, 1:], ssm)

    def empty_state(self, batch: int, device=None, dtype=None) -> Mamba2State:
        """The state before the first position."""
        taps = self.conv1d.kernel_size[0]
        return Mamba2State(
            torch.zeros(batch, taps - 1, self.conv1d.in_channels, device=device, dtype=dtype),
            torch.zeros(batch, self.nheads, self.headdim, self.d_state, device=device, dtype=dtype),
        )


class Mamba2(SSDMixer):
    """u (batch, length, d_model) -> the same shape; causal."""

    def __init__(self, d_model: int, **options):
        super().__init__(d_model, **options)
        self.in_proj = nn.Linear(d_model, self.projected_width, bias=False)
        self.out_proj = nn.Linear(self.d_inner, d_model, bias=False)

    def forward(self, u: Tensor, state: Mamba2State | None = None, return_state: bool = False):
        """The whole sequence, continuing from `state`; with `return_state` also the state after it."""
        y, state = self.mix(self.in_proj(u), state)
        y = self.out_proj(y)
        return (y, state) if return_state else y

    def step(self, u: Tensor, state: Mamba2State) -> tuple[Tensor, Mamba2State]:
        """One position u (batch, d_model); start from `empty_state`."""
        y, state = self.mix_step(self.in_proj(u), state)
        return self.out_proj(y), state


class BidirectionalMamba2(nn.Module):
    """One scan forward and one backward between shared projections, summed.

    Each direction has its own convolution and scan: with shared ones, the layer could not tell an onset from an offset.
    A long sequence is processed in blocks with carried state, first forward, then backward, because the inner
    activations are many times wider than the sequence.
    """

    def __init__(self, d_model: int, **options):
        super().__init__()
        self.past, self.future = SSDMixer(d_model, **options), SSDMixer(d_model, **options)
        self.in_proj = nn.Linear(d_model, self.past.projected_width, bias=False)
        self.out_proj = nn.Linear(self.past.d_inner, d_model, bias=False)

    def forward(self, u: Tensor) -> Tensor:
        blocks, mixed, state = u.split(BLOCK, 1), [], None
        for block in blocks:
            projected = self.in_proj(block)
            past, state = self.past.mix(projected, state)
            mixed.append(past)
        state = None
        for i in reversed(range(len(blocks))):
            projected = projected if i + 1 == len(blocks) else self.in_proj(blocks[i])
            future, state = self.future.mix(projected.flip(1), state)
            mixed[i] = self.out_proj(mixed[i] + future.flip(1))
        return torch.cat(mixed, 1)
