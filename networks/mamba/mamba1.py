"""The Mamba-1 block (Gu & Dao 2023, figure 3); parameter names and shapes as `mamba_ssm.Mamba`."""

import math
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from .selective_scan import selective_scan

PIECE = 1024  # steps that the bidirectional layer processes at once


class MambaState(NamedTuple):
    """The state of a Mamba block: the last d_conv - 1 inputs (batch, d_inner, d_conv - 1), and the scan's state."""

    conv: torch.Tensor
    scan: torch.Tensor


class Mamba(nn.Module):
    """Gated selective state space block, (batch, L, d_model) to the same.

    d_state is N, expand the widening (d_inner = expand * d_model), dt_rank the rank of the step-size projection
    ("auto": d_model / 16 rounded up). dt_min, dt_max bound the step sizes at initialisation.
    """

    def __init__(
        self,
        d_model: int,
        d_state: int = 16,
        d_conv: int = 4,
        expand: int = 2,
        dt_rank: int | str = "auto",
        dt_min: float = 1e-3,
        dt_max: float = 0.1,
        dt_init_floor: float = 1e-4,
        conv_bias: bool = True,
        bias: bool = False,
    ):
        super().__init__()
        self.d_inner = expand * d_model
        self.d_state = d_state
        self.dt_rank = math.ceil(d_model / 16) if dt_rank == "auto" else int(dt_rank)
        self.in_proj = nn.Linear(d_model, 2 * self.d_inner, bias=bias)
        self.conv1d = nn.Conv1d(self.d_inner, self.d_inner, d_conv, groups=self.d_inner, bias=conv_bias)
        self.x_proj = nn.Linear(self.d_inner, self.dt_rank + 2 * d_state, bias=False)
        self.dt_proj = nn.Linear(self.dt_rank, self.d_inner)
        self.A_log = nn.Parameter(log_rates(self.d_inner, d_state))
        self.D = nn.Parameter(torch.ones(self.d_inner))
        self.out_proj = nn.Linear(self.d_inner, d_model, bias=bias)
        nn.init.uniform_(self.dt_proj.weight, -(self.dt_rank**-0.5), self.dt_rank**-0.5)
        with torch.no_grad():
            self.dt_proj.bias.copy_(step_size_bias((self.d_inner,), dt_min, dt_max, dt_init_floor))

    def initial_state(self, batch: int) -> MambaState:
        weight = self.conv1d.weight
        conv = weight.new_zeros(batch, self.d_inner, self.conv1d.kernel_size[0] - 1)
        return MambaState(conv, torch.zeros(batch, self.d_inner, self.d_state, device=weight.device))

    def forward(
        self, x: torch.Tensor, state: MambaState | None = None, return_state: bool = False
    ) -> torch.Tensor | tuple[torch.Tensor, MambaState]:
        """(batch, L, d_model) to the same; with return_state also the state, to go on from in the next call."""
        inner, gate = self.in_proj(x).chunk(2, -1)
        inner = inner.transpose(1, 2)
        past = self.conv1d.kernel_size[0] - 1
        padded = F.pad(inner, (past, 0)) if state is None else torch.cat([state.conv.to(inner.dtype), inner], -1)
        inner = F.silu(self.conv1d(padded)).transpose(1, 2)
        steps, B, C = self.x_proj(inner).split([self.dt_rank, self.d_state, self.d_state], -1)
        delta = F.softplus(self.dt_proj(steps))
        A = -torch.exp(self.A_log.to(torch.promote_types(self.A_log.dtype, torch.float32)))
        y, last = selective_scan(inner, delta, A, B, C, self.D, state=None if state is None else state.scan)
        out = self.out_proj(y * F.silu(gate))
        if not return_state:
            return out
        return out, MambaState(padded[..., padded.shape[-1] - past :], last)

    def step(self, x: torch.Tensor, state: MambaState) -> tuple[torch.Tensor, MambaState]:
        """One step: (batch, d_model) and the state before, to (batch, d_model) and the state after."""
        out, state = self.forward(x.unsqueeze(1), state, return_state=True)
        return out.squeeze(1), state


class BidirectionalMamba(nn.Module):
    """One block forward and one backward over the sequence, summed; (batch, L, d_model) to the same.

    A long sequence is processed in pieces of PIECE steps with carried state, because the inner activations are many
    times wider than the sequence."""

    def __init__(self, d_model: int, **options):
        super().__init__()
        self.past, self.future = Mamba(d_model, **options), Mamba(d_model, **options)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return _in_pieces(self.past, x) + _in_pieces(self.future, x.flip(1)).flip(1)


def _in_pieces(layer: Mamba, x: torch.Tensor) -> torch.Tensor:
    done, state = [], layer.initial_state(x.shape[0])
    for piece in x.split(PIECE, 1):
        y, state = layer(piece, state, return_state=True)
        done.append(y)
    return torch.cat(done, 1)


def log_rates(channels: int, states: int) -> torch.Tensor:
    """A's logarithm at initialisation, S4D-real: log 1 .. log N for every channel."""
    return torch.log(torch.arange(1, states + 1, dtype=torch.float32)).repeat(channels, 1)


def step_size_bias(shape: tuple[int, ...], low: float = 1e-3, high: float = 0.1, floor: float = 1e-4) -> torch.Tensor:
    """Bias whose softplus is log-uniform in [low, high]: step sizes spread over the time scales a layer may need."""
    steps = torch.exp(torch.empty(shape).uniform_(math.log(low), math.log(high))).clamp(min=floor)
    return steps + torch.log(-torch.expm1(-steps))
