"""The selective scan's forward pass as one Triton kernel, for CUDA without mamba_ssm.

Each program keeps the states of some channels of one row and group in registers and loops over the sequence, so inputs
and outputs are read and written once and states never. Importing this file needs triton.
"""

import torch
import triton
import triton.language as tl

_CHANNELS = 32  # of one program; one warp with N = 16 states each


@triton.jit
def _softplus(x):
    """log(1 + exp(x)); exact for small exp(x), where 1 + exp(x) is rounded, by Kahan's correction."""
    exp_x = tl.exp(tl.minimum(x, 20.0))
    one_plus = 1.0 + exp_x
    rounded = one_plus - 1.0
    small = rounded == 0.0
    value = tl.log(one_plus) * (exp_x / tl.where(small, 1.0, rounded))
    return tl.where(x > 20.0, x, tl.where(small, exp_x, value))


@triton.jit
def _scan(
    u, delta, bias, A, B, C, skip, start, y, last,
    u_row, u_step, u_group, delta_row, delta_step, delta_group,
    B_row, B_step, B_group, C_row, C_step, C_group,
    length, groups, channels,
    BIASED: tl.constexpr, SKIPPED: tl.constexpr, STARTED: tl.constexpr, MIRRORED: tl.constexpr,
    STATES: tl.constexpr, WIDTH: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """Strides of u, delta (row, L, G, D) and B, C (row, L, G, N) are given, the last is 1; all others are contiguous:
    y (row, L, G, D), A (G, N, D), bias, skip (G, D), start, last (row, G, N, D). As channels are contiguous everywhere,
    a thread holds all states of its channel, and their sum needs no other thread."""
    line = tl.program_id(0).to(tl.int64)  # row * groups + group
    row, group = line // groups, line % groups
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    state = tl.arange(0, WIDTH)
    channel_mask, state_mask = channel < channels, state < STATES
    mask = state_mask[:, None] & channel_mask[None, :]
    cell = state[:, None] * channels + channel[None, :]
    rate = tl.load(A + group * channels * STATES + cell, mask, 0.0).to(tl.float32) * 1.4426950408889634  # for exp2
    h = tl.zeros([WIDTH, CHANNELS], tl.float32)
    if STARTED:
        h = tl.load(start + line * channels * STATES + cell, mask, 0.0).to(tl.float32)
    if BIASED:
        shift = tl.load(bias + group * channels + channel, channel_mask, 0.0).to(tl.float32)
    if SKIPPED:
        direct = tl.load(skip + group * channels + channel, channel_mask, 0.0).to(tl.float32)
    u += row * u_row + group * u_group
    delta += row * delta_row + group * delta_group
    B += row * B_row + group * B_group
    C += row * C_row + group * C_group
    y += (row * length * groups + group) * channels
    position = group * 0
    while position < length:
        step = position
        if MIRRORED:
            step = tl.where(group == 1, length - 1 - position, position)
        dt = tl.load(delta + step * delta_step + channel, channel_mask, 0.0).to(tl.float32)
        x = tl.load(u + step * u_step + channel, channel_mask, 0.0).to(tl.float32)
        b = tl.load(B + step * B_step + state, state_mask, 0.0).to(tl.float32)
        c = tl.load(C + step * C_step + state, state_mask, 0.0).to(tl.float32)
        if BIASED:
            dt = _softplus(dt + shift)
        h = tl.exp2(dt[None, :] * rate) * h + (dt * x)[None, :] * b[:, None]
        out = tl.sum(h * c[:, None], 0)
        if SKIPPED:
            out += direct * x
        tl.store(y + step * groups * channels + channel, out, channel_mask)
        position += 1
    tl.store(last + line * channels * STATES + cell, h, mask)


def scan_triton(
    u, delta, A, B, C, start=None, *, bias=None, skip=None, mirrored: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """y (rows, L, G, D) in u's type and the last state (rows, G, D, N) in float32; shapes as in `selective_scan`.

    bias (G, D): added to delta before softplus. skip (G, D): the direct path. mirrored: group 1 is scanned from the
    last step to the first. u, delta, B and C may be views of any strides whose last is 1, expanded ones too.
    """
    rows, length, groups, channels = u.shape
    states = A.shape[-1]
    views = [x if x.stride(-1) == 1 else x.contiguous() for x in (u, delta, B, C)]
    whole = [None if x is None else x.contiguous() for x in (bias, A.mT, skip, None if start is None else start.mT)]
    y = torch.empty(u.shape, dtype=u.dtype, device=u.device)
    last = torch.empty(rows, groups, states, channels, device=u.device)
    strides = [stride for x in views for stride in x.stride()[:3]]
    u, delta, B, C = views
    bias, A, skip, start = whole
    _scan[(rows * groups, triton.cdiv(channels, _CHANNELS))](
        u, delta, bias, A, B, C, skip, start, y, last, *strides, length, groups, channels,
        BIASED=bias is not None, SKIPPED=skip is not None, STARTED=start is not None, MIRRORED=mirrored,
        STATES=states, WIDTH=triton.next_power_of_2(states), CHANNELS=_CHANNELS, num_warps=1,
    )  # fmt: skip
    return y, last.mT
