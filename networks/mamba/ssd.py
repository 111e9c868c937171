"""State-space duality (Mamba-2, Dao & Gu 2024): the selective scan with one scalar decay a head, as matrix products.

    h_t = exp(dt_t A) h_{t-1} + dt_t x_t B_t^T        y_t = h_t C_t + D x_t

Shapes in this file: x (batch, length, heads, channels), dt (batch, length, heads) after softplus, A (heads,) negative,
B and C (batch, length, groups, state), D (heads,) or None, states (batch, heads, channels, state). The heads of one
group share B and C.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from . import backend


def ssd_sequential(
    x: Tensor, dt: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor | None = None, initial_state: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The recurrence as written, one position after another, in float64: the reference. Returns (y, final state)."""
    batch, length, heads, channels = x.shape
    x, dt, A = x.double(), dt.double(), A.double()
    B, C = (m.double().repeat_interleave(heads // m.shape[2], dim=2) for m in (B, C))
    state = x.new_zeros(batch, heads, channels, B.shape[-1]) if initial_state is None else initial_state.double()
    outputs = []
    for t in range(length):
        decay = torch.exp(dt[:, t] * A)[..., None, None]
        state = decay * state + (dt[:, t, :, None] * x[:, t])[..., None] * B[:, t, :, None, :]
        outputs.append((state * C[:, t, :, None, :]).sum(-1))
    y = torch.stack(outputs, 1)
    return (y if D is None else y + D.double()[:, None] * x), state


def ssd_step(
    x: Tensor, dt: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor | None, state: Tensor
) -> tuple[Tensor, Tensor]:
    """One position: x (batch, heads, channels), dt (batch, heads), B, C (batch, groups, state). Returns (y, state)."""
    B, C = (m.repeat_interleave(x.shape[1] // m.shape[1], dim=1) for m in (B, C))
    state = torch.exp(dt * A)[..., None, None] * state + (dt[..., None] * x)[..., None] * B[:, :, None, :]
    y = (state * C[:, :, None, :]).sum(-1)
    return (y if D is None else y + D[:, None] * x), state


def ssd_chunked(
    x: Tensor,
    dt: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None = None,
    initial_state: Tensor | None = None,
    chunk: int = 64,
) -> tuple[Tensor, Tensor]:
    """The same in chunks: attention-like products inside a chunk, a short recurrence over the chunks' states.

    Runs in fp32 (or the wider input type) whatever autocast says. Only differences of cumulative log decays that are
    <= 0 are exponentiated, so large steps give zeros and never NaN. Returns (y, final state).
    """
    with torch.autocast(x.device.type, enabled=False):
        return _ssd_chunked(x, dt, A, B, C, D, initial_state, min(chunk, x.shape[1]))


def _ssd_chunked(x, dt, A, B, C, D, initial_state, chunk):
    wide = torch.promote_types(x.dtype, torch.float32)
    x, dt, A, B, C = (m.to(wide) for m in (x, dt, A, B, C))
    batch, length, heads, channels = x.shape
    groups, state_size = B.shape[2:]
    ratio, pad = heads // groups, -length % chunk

    def chunks(m: Tensor, *split: int) -> Tensor:  # (batch, length, ...) -> (batch, chunks, ..., chunk[, last])
        m = F.pad(m, (0, 0) * (m.dim() - 2) + (0, pad)) if pad else m  # a step size of zero leaves the state unchanged
        return m.reshape(batch, -1, chunk, *split)

    inputs = chunks(x * dt[..., None], groups, ratio, channels).permute(0, 1, 3, 4, 2, 5)  # b c g r l p
    log_decay = chunks(dt * A, groups, ratio).permute(0, 1, 3, 4, 2).cumsum(-1)  # b c g r l
    B = chunks(B, groups, state_size).transpose(2, 3)  # b c g l n
    C = chunks(C, groups, state_size).transpose(2, 3)

    future = torch.ones(chunk, chunk, dtype=torch.bool, device=x.device).triu(1)
    decay = (log_decay[..., :, None] - log_decay[..., None, :]).masked_fill(future, -torch.inf).exp()
    y = ((C @ B.transpose(-1, -2))[:, :, :, None] * decay) @ inputs

    to_end = (log_decay[..., -1:] - log_decay).exp()
    written = (inputs * to_end[..., None]).transpose(-1, -2) @ B[:, :, :, None]  # b c g r p n
    state = None if initial_state is None else initial_state.to(wide).unflatten(1, (groups, ratio))
    if state is None and written.shape[1] == 1:
        state = written[:, 0]
    else:
        state = torch.zeros_like(written[:, 0]) if state is None else state
        entering = []
        for chunk_state, chunk_decay in zip(written.unbind(1), log_decay[..., -1].exp().unbind(1), strict=True):
            entering.append(state)
            state = chunk_decay[..., None, None] * state + chunk_state
        from_past = C[:, :, :, None] @ torch.stack(entering, 1).transpose(-1, -2)  # b c g r l p
        y = y + from_past * log_decay.exp()[..., None]
    y = y.permute(0, 1, 4, 2, 3, 5).reshape(batch, -1, heads, channels)[:, :length]
    return (y if D is None else y + D.to(wide)[:, None] * x), state.flatten(1, 2)


def ssd(
    x: Tensor,
    dt: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None = None,
    initial_state: Tensor | None = None,
    chunk: int = 64,
) -> tuple[Tensor, Tensor]:
    """The scan by the fastest implementation: `mamba_ssm`'s kernel on CUDA where it imports, else `ssd_chunked`."""
    package = backend.kernels() if x.is_cuda else None
    if package is None:
        backend.log_choice("Mamba-2 in chunked matrix form (PyTorch)")
        return ssd_chunked(x, dt, A, B, C, D, initial_state, chunk)
    backend.log_choice("Mamba-2 by mamba_ssm kernels")
    scan = package.ops.triton.ssd_combined.mamba_chunk_scan_combined
    return scan(x, dt, A, B, C, chunk, D=D, initial_states=initial_state, return_final_states=True)
