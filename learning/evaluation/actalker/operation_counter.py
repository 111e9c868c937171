"""Counts of a network's call on the meta device: arithmetic and memory traffic of each operation, and peak memory.

Operations are those of eager execution; attention and ACTalker's scans count as fused kernels, with neither the
attention matrix nor the states in memory. The time on a machine of given rates is estimated by the roofline model: an
operation takes the longer of the times for its arithmetic and for its traffic; kernel launches are left out.
"""

import contextlib
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple
from unittest import mock

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from ....networks.actalker import pcm


class Machine(NamedTuple):
    """Rates a second: FLOP of half-precision matrix products, bytes of memory traffic, exponentials.

    Those of `MACHINES` are the makers' peaks times usual efficiencies: 1/2 for matrix products, 3/4 for traffic, 1/3
    for exponentials, by the number of other instructions in the compiled scan (372 a step of 512 states).
    """

    name: str
    flop: float
    bytes: float
    exponentials: float


MACHINES = (
    Machine("H200", 0.5 * 989e12, 0.75 * 4.8e12, 3.7e12 / 3),
    Machine("H100", 0.5 * 989e12, 0.75 * 3.35e12, 3.7e12 / 3),
    Machine("A100", 0.5 * 312e12, 0.75 * 2.04e12, 2.4e12 / 3),
    Machine("RTX 4090", 0.5 * 165e12, 0.75 * 1.01e12, 5.2e12 / 3),
    Machine("RTX 3090", 0.5 * 71e12, 0.75 * 0.94e12, 2.2e12 / 3),
)


class Operation(NamedTuple):
    """Arithmetic and traffic of one operation; `scan` where it belongs to a PCM's bidirectional scan."""

    flop: int
    bytes: int
    exponentials: int
    scan: bool

    def seconds(self, machine: Machine) -> float:
        return max(self.flop / machine.flop, self.bytes / machine.bytes, self.exponentials / machine.exponentials)


@dataclass(frozen=True)
class Cost:
    """Of one call: weights and peak activations in bytes, and its operations.

    scan_steps: sequential steps of all scans; the two directions run in parallel.
    """

    weight_bytes: int
    peak_bytes: int
    operations: list[Operation]
    scan_steps: int = 0

    @property
    def flop(self) -> int:
        return sum(operation.flop for operation in self.operations)

    @property
    def scan_elements(self) -> int:
        """State updates: steps x channels x N of all frames and both directions, one exponential each."""
        return sum(operation.exponentials for operation in self.operations)

    def seconds(self, machine: Machine, scans_only: bool = False) -> float:
        """Time on a machine; with scans_only that of the bidirectional scans, projections and copies included."""
        return sum(o.seconds(machine) for o in self.operations if o.scan or not scans_only)


class OperationCounter(TorchDispatchMode):
    """Records each operation that runs under it; `peak` is the highest sum of bytes of live tensors made under it."""

    def __init__(self):
        super().__init__()
        self.operations: list[Operation] = []
        self.alive = self.peak = self.scan_steps = 0
        self.known = weakref.WeakSet()
        self.in_scan = False

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        made = [self._hold(x.untyped_storage()) for x in tree_leaves(result) if isinstance(x, Tensor)]
        if any(made) or func._schema.is_mutable:
            count = flop_registry.get(func._overloadpacket)
            flop = count(*args, **kwargs, out_val=result) if count else 0
            self.record(flop, *tree_leaves((args, kwargs, result)))
        return result

    def record(self, flop: int, *tensors, exponentials: int = 0) -> None:
        moved = sum(x.numel() * x.element_size() for x in tensors if isinstance(x, Tensor))
        self.operations.append(Operation(flop, moved, exponentials, self.in_scan))

    def _hold(self, storage: torch.UntypedStorage) -> bool:
        if storage in self.known:
            return False
        self.known.add(storage)
        self.alive += storage.nbytes()
        self.peak = max(self.peak, self.alive)
        weakref.finalize(storage, self._drop, storage.nbytes())
        return True

    def _drop(self, size: int) -> None:
        self.alive -= size

    def scan(self, u: Tensor, delta: Tensor, bias: Tensor, A: Tensor, B: Tensor, C: Tensor, skip: Tensor) -> Tensor:
        """Replaces `bidirectional_scan`: one kernel that reads its inputs once and writes both directions."""
        y = torch.empty_like(delta)
        self.scan_steps += u.shape[0] * u.shape[1]
        self.record(0, u, delta, B, C, y, exponentials=delta.numel() * A.shape[-1])
        return y[:, :, 0] + y[:, :, 1]

    def attention(self, query: Tensor, key: Tensor, value: Tensor, **kwargs) -> Tensor:
        """Replaces fused attention: two matrix products a head."""
        out = torch.empty_like(query)
        self.record(4 * query.numel() * key.shape[-2], query, key, value, out)
        return out

    @contextlib.contextmanager
    def counting(self) -> Iterator["OperationCounter"]:
        """Count what runs inside the `with`, fused kernels replaced."""
        scanned = pcm.BidirectionalScan.forward

        def forward(unit, sequence):
            self.in_scan = True
            try:
                return scanned(unit, sequence)
            finally:
                self.in_scan = False

        with (
            mock.patch.object(pcm, "bidirectional_scan", self.scan),
            mock.patch.object(pcm.BidirectionalScan, "forward", forward),
            mock.patch.object(torch.nn.functional, "scaled_dot_product_attention", self.attention),
            torch.no_grad(),
            self,
        ):
            yield self
