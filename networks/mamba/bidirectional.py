"""A selective scan in both directions over one sequence, as the parallel-control layers of ACTalker run it."""

import torch
from torch import Tensor
from torch.nn import functional as F

from . import backend
from .selective_scan import selective_scan, triton_serves

# Elements of a stacked two-direction sequence (rows, L, 2, D) handled at once off the fused path; rows are independent.
_SLICE = 1 << 27


def bidirectional_scan(u: Tensor, delta: Tensor, bias: Tensor, A: Tensor, B: Tensor, C: Tensor, skip: Tensor) -> Tensor:
    """Sum of a scan from the first step to the last and one from the last to the first; y (rows, L, D) as u.

    u           (rows, L, D), read by both.
    delta       (rows, L, 2, D), step size before bias and softplus; direction 0 is forward.
    B, C        (rows, L, 2, N).
    A           (2, D, N), negative. bias, skip (2, D). These three best in float32.

    All inputs are in the order of u. On CUDA without gradients one Triton kernel scans both directions, so that nothing
    is flipped or stacked in memory (mamba_ssm's kernel would need both, and channels first); else `selective_scan`.
    """
    if triton_serves(u, delta, bias, A, B, C, skip):
        from .scan_triton import scan_triton

        backend.log_choice("our Triton kernel, both directions at once (Mamba-1)")
        both = u.unsqueeze(2).expand_as(delta)
        y, _ = scan_triton(both, delta, A, B, C, None, bias=bias, skip=skip, mirrored=True)
        return y[:, :, 0] + y[:, :, 1]
    rows = max(1, _SLICE // (2 * u.shape[1] * u.shape[2]))
    parts = zip(*(x.split(rows) for x in (u, delta, B, C)), strict=True)
    return torch.cat([_stacked(u, delta, bias, A, B, C, skip) for u, delta, B, C in parts])


def _stacked(u: Tensor, delta: Tensor, bias: Tensor, A: Tensor, B: Tensor, C: Tensor, skip: Tensor) -> Tensor:
    wide = torch.promote_types(u.dtype, torch.float32)
    delta = F.softplus(delta.to(wide) + bias.to(wide))
    both = torch.stack([u, u.flip(1)], 2)
    y, _ = selective_scan(both, _mirrored(delta), A.to(wide), _mirrored(B), _mirrored(C), skip.to(wide))
    return y[:, :, 0] + y[:, :, 1].flip(1)


def _mirrored(x: Tensor) -> Tensor:
    """(rows, L, 2, n) with the steps of direction 1 reversed."""
    return torch.stack([x[:, :, 0], x[:, :, 1].flip(1)], 2)
