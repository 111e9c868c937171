"""The selective scan's forward pass as one Triton kernel, for CUDA without mamba_ssm.

Each program keeps the states of some channels of one row and group in registers and walks along the sequence, so memory
is read and written once per input and output and never for a state. Importing this file needs triton.
"""

import torch
import triton
import triton.language as tl

_CHANNELS = 32  # of one program; one warp with N = 16 states each


@triton.jit
def _scan(
    u, delta, A, B, C, start, y, last,
    length, groups, channels,
    STATES: tl.constexpr, WIDTH: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """u, delta, y (row, L, G, D); B, C (row, L, G, N); A (G, D, N); start, last (row, G, D, N), all contiguous."""
    line = tl.program_id(0)  # row * groups + group
    row, group = line // groups, line % groups
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    state = tl.arange(0, WIDTH)
    here = channel < channels
    both = here[:, None] & (state < STATES)[None, :]
    cell = channel[:, None] * STATES + state[None, :]
    rate = tl.load(A + group * channels * STATES + cell, both, 0.0).to(tl.float32)
    h = tl.load(start + line.to(tl.int64) * channels * STATES + cell, both, 0.0).to(tl.float32)
    step = row.to(tl.int64) * length * groups + group
    end = step + length * groups
    while step < end:
        at = step * channels + channel
        dt = tl.load(delta + at, here, 0.0).to(tl.float32)
        x = tl.load(u + at, here, 0.0).to(tl.float32)
        b = tl.load(B + step * STATES + state, state < STATES, 0.0).to(tl.float32)
        c = tl.load(C + step * STATES + state, state < STATES, 0.0).to(tl.float32)
        h = tl.exp(dt[:, None] * rate) * h + (dt * x)[:, None] * b[None, :]
        tl.store(y + at, tl.sum(h * c[None, :], 1), here)
        step += groups
    tl.store(last + line.to(tl.int64) * channels * STATES + cell, h, both)


def scan_triton(u, delta, A, B, C, start) -> tuple[torch.Tensor, torch.Tensor]:
    """y (rows, L, G, D) in u's type and the last state (rows, G, D, N) in float32; shapes as in `selective_scan`."""
    rows, length, groups, channels = u.shape
    states = A.shape[-1]
    u, delta, A, B, C, start = (x.contiguous() for x in (u, delta, A, B, C, start))
    y = torch.empty_like(u)
    last = torch.empty(rows, groups, channels, states, device=u.device)
    _scan[(rows * groups, triton.cdiv(channels, _CHANNELS))](
        u, delta, A, B, C, start, y, last, length, groups, channels,
        STATES=states, WIDTH=triton.next_power_of_2(states), CHANNELS=_CHANNELS, num_warps=1,
    )  # fmt: skip
    return y, last
