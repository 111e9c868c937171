"""The selective scan of Mamba-1 (S6; Gu & Dao 2023, section 3.2): sequential reference and fast forms.

    h_t = exp(delta_t A) * h_{t-1} + delta_t u_t B_t        h: (D, N)
    y_t = h_t C_t + skip * u_t                              y: (D,)

Sequences are (batch, L, D), or (batch, L, G, D) for G independent scans side by side whose B and C each serve the D
channels of one group (two directions, say). Inside, a chunk of the state lies as (steps, batch, G, N, D): the channels
are contiguous, the recurrence is one fused multiply-add a step, and C is contracted by a matrix product. The backward
pass recomputes each chunk from the state at its start, so memory grows with L / chunk and not with L.
"""

import functools

import torch
from torch.autograd.function import once_differentiable

from . import backend
from .recurrence import Solver, sequential, solve_reverse, two_level

FORMS = ("auto", "sequential", "chunked", "two_level", "triton", "kernels")

# Elements of one (steps, batch, G, N, D) block. CPU: a block stays in the cache. CUDA: 2 GiB a float32 block.
_CPU_BLOCK = 1 << 20
_CUDA_BLOCK = 1 << 29
_CPU_CHUNK = (32, 128)
_CUDA_CHUNK = 8192


def selective_scan(
    u: torch.Tensor,
    delta: torch.Tensor,
    A: torch.Tensor,
    B: torch.Tensor,
    C: torch.Tensor,
    skip: torch.Tensor | None = None,
    *,
    state: torch.Tensor | None = None,
    form: str = "auto",
    chunk: int | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Run the selective scan and return (y as u, state after the last step).

    u, delta    (batch, L, D) or (batch, L, G, D); delta is the step size after softplus, >= 0.
    A           (D, N) or (G, D, N), negative.
    B, C        (batch, L, N) or (batch, L, G, N).
    skip        (D,) or (G, D), the direct path ("D" in the paper), or None.
    state       (batch, D, N) or (batch, G, D, N) to start from, float32 or float64; None is zero.
    form        which implementation. "auto" takes the chunked form on the CPU; on CUDA mamba_ssm's kernels if they
                import and no state is given, else our Triton kernel where no gradient is needed and Triton works, else
                the two-level form.
    chunk       steps held at once; chosen from the sizes when None.

    The arithmetic is float32 (float64 for float64 inputs) whatever the input precision; y has u's dtype.
    Raises ValueError for shapes that do not fit together or an unknown form.
    """
    if form not in FORMS:
        raise ValueError(f"selective_scan: form must be one of {', '.join(FORMS)}, not {form!r}.")
    if u.dim() == 3:
        y, last = selective_scan(
            u.unsqueeze(2), delta.unsqueeze(2), A.unsqueeze(0), B.unsqueeze(2), C.unsqueeze(2),
            None if skip is None else skip.unsqueeze(0),
            state=None if state is None else state.unsqueeze(1), form=form, chunk=chunk,
        )  # fmt: skip
        return y.squeeze(2), last.squeeze(1)
    _check_shapes(u, delta, A, B, C)
    form = _choose(form, state, (u, delta, A, B, C))
    if form == "kernels":
        return _scan_kernels(u, delta, A, B, C, skip)
    dtype = torch.float64 if u.dtype == torch.float64 else torch.float32
    if state is None:
        state = u.new_zeros(u.shape[0], *A.shape, dtype=dtype)
    if form == "sequential":
        y, last = selective_scan_reference(u, delta, A, B, C, state)
    elif form == "triton":
        y, last = _triton_scan()(u, delta, A, B, C, state)
    else:
        solver = sequential if form == "chunked" else two_level
        y, last = _ChunkedScan.apply(u, delta, A.to(dtype).mT, B, C, state.to(dtype).mT, solver, chunk)
        last = last.mT
    if skip is not None:
        y = y + (skip.to(torch.promote_types(skip.dtype, y.dtype)) * u).to(y.dtype)
    return y, last


def selective_scan_reference(u, delta, A, B, C, state) -> tuple[torch.Tensor, torch.Tensor]:
    """The recurrence as it is written, a step at a time, for (batch, L, G, D) inputs in their own precision."""
    h, outputs = state.to(u.dtype), []
    for t in range(u.shape[1]):
        dt = delta[:, t].unsqueeze(-1)
        h = torch.exp(dt * A) * h + dt * u[:, t].unsqueeze(-1) * B[:, t].unsqueeze(-2)
        outputs.append((h * C[:, t].unsqueeze(-2)).sum(-1))
    return torch.stack(outputs, 1), h


def _check_shapes(u, delta, A, B, C) -> None:
    batch, length, groups, channels = u.shape
    states = A.shape[-1]
    expected = {"delta": (delta, u.shape), "A": (A, (groups, channels, states))}
    expected |= {"B": (B, (batch, length, groups, states)), "C": (C, (batch, length, groups, states))}
    for name, (tensor, shape) in expected.items():
        if tuple(tensor.shape) != tuple(shape):
            raise ValueError(f"selective_scan: {name} has shape {tuple(tensor.shape)}, expected {tuple(shape)}.")
    if length == 0:
        raise ValueError("selective_scan: the sequence is empty; give at least one step.")


def _choose(form: str, state: torch.Tensor | None, inputs: tuple[torch.Tensor, ...]) -> str:
    device = inputs[0].device
    if form != "auto":
        return form
    if device.type == "cpu":
        return "chunked"
    if device.type != "cuda":
        return "two_level"
    if state is None and backend.kernels() is not None:
        backend.log_choice("mamba_ssm kernels (Mamba-1)")
        return "kernels"
    if triton_serves(*inputs):
        backend.log_choice("our Triton kernel (Mamba-1)")
        return "triton"
    backend.log_choice("PyTorch, two-level (Mamba-1)")
    return "two_level"


def triton_serves(*inputs: torch.Tensor) -> bool:
    """Whether our Triton kernel can scan these: on CUDA, without gradients, not in float64, and if Triton works."""
    device = inputs[0].device
    if device.type != "cuda" or any(x.dtype == torch.float64 for x in inputs):
        return False
    differentiated = torch.is_grad_enabled() and any(x.requires_grad for x in inputs)
    return not differentiated and _triton_works(device)


def _triton_scan():
    from .scan_triton import scan_triton

    return scan_triton


@functools.cache
def _triton_works(device: torch.device) -> bool:
    """Whether Triton imports, compiles for this GPU and agrees with the reference there; tested once per device.

    Every exception counts as no: a driver, compiler or library that does not fit fails in many ways.
    """
    try:
        g = torch.Generator().manual_seed(0)
        u, delta, B, C = (torch.rand(1, 5, 1, 3, generator=g).to(device) for _ in range(4))
        A, state = -torch.rand(1, 3, 3, generator=g).to(device), torch.rand(1, 1, 3, 3, generator=g).to(device)
        got, _ = _triton_scan()(u, delta, A, B, C, state)
        want, _ = selective_scan_reference(u, delta, A, B, C, state)
        return bool((got - want).abs().max() < 1e-4)
    except Exception as fault:
        backend.log_choice(f"no Triton on {device}: {type(fault).__name__}")
        return False


def _scan_kernels(u, delta, A, B, C, skip):
    """mamba_ssm's fused kernel: channels first, groups folded into the channels."""
    from mamba_ssm.ops.selective_scan_interface import selective_scan_fn

    # the kernel takes one dtype for all four: the widest, so that float32 step sizes are not rounded
    one = functools.reduce(torch.promote_types, (x.dtype for x in (delta, B, C)), u.dtype)
    channels_first = [x.to(one).flatten(2).transpose(1, 2).contiguous() for x in (u, delta)]
    grouped = [x.to(one).permute(0, 2, 3, 1).contiguous() for x in (B, C)]
    y, last = selective_scan_fn(
        *channels_first,
        A.flatten(0, 1).float(),
        *grouped,
        None if skip is None else skip.flatten().float(),
        return_last_state=True,
    )
    return y.to(u.dtype).transpose(1, 2).unflatten(2, u.shape[2:]), last.unflatten(1, A.shape[:2])


class _ChunkedScan(torch.autograd.Function):
    """Scan chunk by chunk; keeps only the state at each chunk's start and recomputes the rest going backward.

    Within, A is (G, N, D) and the state (batch, G, N, D). Batches are cut into slices so that a block stays in budget.
    """

    @staticmethod
    def forward(ctx, u, delta, A, B, C, start, solver: Solver, chunk: int | None):
        rows, chunk = _block_size(u, A, solver, chunk)
        y = torch.empty_like(u)
        last = torch.empty_like(start, memory_format=torch.contiguous_format)
        keep = any(ctx.needs_input_grad[:6])
        starts = []
        for row in range(0, u.shape[0], rows):
            part = slice(row, row + rows)
            state = start[part]
            row_starts = []
            for step in range(0, u.shape[1], chunk):
                if keep:
                    row_starts.append(state)
                block = _Block(u, delta, A, B, C, part, slice(step, step + chunk))
                states = block.solve(solver, state)
                y[part, step : step + chunk] = torch.matmul(block.C.unsqueeze(-2), states).squeeze(-2).transpose(0, 1)
                state = states[-1].clone()
            last[part] = state
            starts.append(row_starts)
        ctx.save_for_backward(u, delta, A, B, C)
        ctx.starts, ctx.solver, ctx.rows, ctx.chunk = starts, solver, rows, chunk
        return y, last

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_y, grad_last):
        u, delta, A, B, C = ctx.saved_tensors
        grads = [torch.empty_like(x) for x in (u, delta, B, C)]
        grad_A = torch.zeros_like(A)
        grad_start = torch.empty_like(grad_last)
        for row_starts, row in zip(ctx.starts, range(0, u.shape[0], ctx.rows), strict=True):
            part = slice(row, row + ctx.rows)
            carry = grad_last[part]
            for index in range(len(row_starts) - 1, -1, -1):
                steps = slice(index * ctx.chunk, (index + 1) * ctx.chunk)
                block = _Block(u, delta, A, B, C, part, steps)
                dy = grad_y[part, steps].transpose(0, 1).to(A.dtype)
                *pieces, carry = block.adjoint(ctx.solver, row_starts[index], dy, carry, grad_A)
                for grad, piece in zip(grads, pieces, strict=True):
                    grad[part, steps] = piece.transpose(0, 1)
            grad_start[part] = carry
        du, ddelta, dB, dC = grads
        return du, ddelta, grad_A, dB, dC, grad_start, None, None


class _Block:
    """Some rows and steps of one scan, time first: u, delta (T, b, G, D), B, C (T, b, G, N), A (G, N, D)."""

    def __init__(self, u, delta, A, B, C, rows: slice, steps: slice):
        self.u, self.delta, self.B, self.C = (x[rows, steps].transpose(0, 1).to(A.dtype) for x in (u, delta, B, C))
        self.A = A

    def decay(self) -> torch.Tensor:
        return torch.mul(self.delta.unsqueeze(-2), self.A).exp_()

    def solve(self, solver: Solver, start: torch.Tensor) -> torch.Tensor:
        """All states of the block (T, b, G, N, D)."""
        states = (self.delta * self.u).unsqueeze(-2) * self.B.unsqueeze(-1)
        solver(self.decay(), states, start)
        return states

    def adjoint(self, solver: Solver, start, dy, carry, grad_A):
        """Gradients of u, delta, B, C and of the state before the block; adds A's to grad_A.

        carry is dL/dh beyond the block's last step, already multiplied by the decay that leads there.
        """
        states = self.solve(solver, start)
        decay = self.decay()
        adjoint = self.C.unsqueeze(-1) * dy.unsqueeze(-2)  # g_t = C_t dy_t + a_{t+1} g_{t+1}
        adjoint[-1] += carry
        solve_reverse(solver, decay, adjoint)
        drive = self.delta * self.u
        dC = torch.matmul(states, dy.unsqueeze(-1)).squeeze(-1)
        dB = torch.matmul(adjoint, drive.unsqueeze(-1)).squeeze(-1)
        ddrive = torch.matmul(self.B.unsqueeze(-2), adjoint).squeeze(-2)
        before = decay[0] * adjoint[0]
        # dL/d(delta_t A) = g_t a_t h_{t-1}, built in place of g
        adjoint.mul_(decay)
        adjoint[1:].mul_(states[:-1])
        adjoint[0].mul_(start)
        grad_A += (adjoint * self.delta.unsqueeze(-2)).sum((0, 1))
        ddelta = ddrive * self.u + adjoint.mul_(self.A).sum(-2)
        return ddrive * self.delta, ddelta, dB, dC, before


def _block_size(u: torch.Tensor, A: torch.Tensor, solver: Solver, chunk: int | None) -> tuple[int, int]:
    """Rows and steps of a block: as many steps as fit the budget within the form's range, then as many rows."""
    on_cpu = solver is sequential
    budget = _CPU_BLOCK if on_cpu else _CUDA_BLOCK
    batch, length = u.shape[:2]
    per_step = A.numel()
    if chunk is None:
        low, high = _CPU_CHUNK if on_cpu else (_CUDA_CHUNK, _CUDA_CHUNK)
        chunk = max(low, min(high, budget // (per_step * batch)))
    chunk = min(chunk, length)
    return max(1, min(batch, budget // (per_step * chunk))), chunk
