"""Linear recurrences h_t = a_t * h_{t-1} + b_t solved in place along the first axis, in either direction.

Two forms of the same numbers. `sequential` is one fused multiply-add a step and fastest on a CPU, where a step's state
stays in cache. `two_level` cuts the sequence into about sqrt(T) pieces, scans all pieces at once and then carries the
piece ends across: about 2 sqrt(T) kernel launches instead of T, for GPUs without a fused kernel. Neither divides nor
takes logarithms, so decays that underflow to zero stay exact (the log-space cumulative sum gives NaN there).
"""

import math
from collections.abc import Callable

import torch

Solver = Callable[[torch.Tensor, torch.Tensor, torch.Tensor | None], None]


def sequential(decay: torch.Tensor, values: torch.Tensor, start: torch.Tensor | None) -> None:
    """Turn b into h in place.

    decay (T, ...) holds a, values (T, ...) holds b on entry and h on return, start (...) is h before the first step.
    """
    if start is not None:
        values[0].addcmul_(decay[0], start)
    for step in range(1, values.shape[0]):
        values[step].addcmul_(decay[step], values[step - 1])


def two_level(decay: torch.Tensor, values: torch.Tensor, start: torch.Tensor | None) -> None:
    """As `sequential`, in about 2 sqrt(T) launches; decay is overwritten with its running products."""
    length = values.shape[0]
    if start is not None:
        values[0].addcmul_(decay[0], start)
    width = max(1, math.isqrt(length))
    whole = length // width * width
    pieces_a = decay[:whole].unflatten(0, (-1, width))
    pieces_h = values[:whole].unflatten(0, (-1, width))
    for step in range(1, width):
        pieces_h[:, step].addcmul_(pieces_a[:, step], pieces_h[:, step - 1])
        pieces_a[:, step].mul_(pieces_a[:, step - 1])
    for piece in range(1, pieces_h.shape[0]):
        pieces_h[piece].addcmul_(pieces_a[piece], pieces_h[piece - 1, -1:])
    for step in range(whole, length):
        values[step].addcmul_(decay[step], values[step - 1])


def solve_reverse(solver: Solver, decay: torch.Tensor, values: torch.Tensor) -> None:
    """Solve g_t = b_t + a_{t+1} * g_{t+1} in place on values, from the last step to the first (the scan's adjoint).

    decay[0] is not used; the caller adds what comes from beyond the last step to values[-1].
    """
    if solver is sequential:
        for step in range(values.shape[0] - 2, -1, -1):
            values[step].addcmul_(decay[step + 1], values[step + 1])
        return
    # flipped, step t of the reverse recurrence decays by a_{t+1}: a roll by one, whose first entry is never read
    turned = values.flip(0)
    solver(decay.roll(-1, 0).flip(0), turned, None)
    values.copy_(turned.flip(0))
