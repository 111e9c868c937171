"""The processes that train one network together: a single one, or those that `accelerate launch` or torchrun started.

Each computes its slice of the batch, and the loss is the mean over all samples: gradients are averaged after the
backward pass. What is no mean over samples (a division by the sum of weights, a deviation) is reduced over all
processes first, by `mean` and `deviation`, through which gradients pass. DistributedDataParallel is not used: it sends
gradients during the backward pass, between these reductions, in an order that depends on each process's graph.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn

SIZES = ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")  # set by torchrun or MPI
PATIENCE = timedelta(hours=6)  # how long a process waits for the others, such as while the main one encodes clips
BUCKET = 1 << 24  # numbers of gradients sent at once


def join(device: torch.device | str) -> torch.device:
    """Meet the other processes, if there are any; the device of this one, of the same kind as `device`.

    Raises ImportError where several were started and accelerate is not installed.
    """
    device = torch.device(device)
    if max(int(os.environ.get(name, "1")) for name in SIZES) == 1:
        return device
    try:
        from accelerate import PartialState
    except ImportError as fault:
        raise ImportError(
            "Several processes train together through accelerate: pip install accelerate (the extra `train`)."
        ) from fault
    first = not dist.is_initialized()
    state = PartialState(cpu=device.type == "cpu", timeout=PATIENCE)
    if first:
        atexit.register(dist.destroy_process_group)
    return device if device.type == "cpu" else state.device


def count() -> int:
    """How many processes train."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """The number of this process."""
    return dist.get_rank() if count() > 1 else 0


def is_main() -> bool:
    """Whether this process is the one that writes."""
    return rank() == 0


def shares(samples: int, parts: int = 1) -> list[range]:
    """Which samples of a batch this process computes, in `parts` parts one after the other.

    Raises ValueError where there are more processes and parts than samples.
    """
    if samples < parts * count():
        parts_each = f" in {parts} parts each" if parts > 1 else ""
        raise ValueError(f"A batch of {samples} is too small for {count()} process(es){parts_each}: give a larger one.")
    cuts = [samples * i // (parts * count()) for i in range(parts * count() + 1)]
    mine = [part * count() + rank() for part in range(parts)]
    return [range(cuts[i], cuts[i + 1]) for i in mine]


class _Sum(torch.autograd.Function):
    """The sum over processes. The gradient too is summed: each process's loss depends on all parts of the sum."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        x = x.contiguous().clone()
        dist.all_reduce(x)
        return x

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return _Sum.apply(gradient)


def total(x: Tensor) -> Tensor:
    """The sum of `x` over processes, in its shape."""
    return _Sum.apply(x) if count() > 1 else x


def mean(x: Tensor) -> Tensor:
    """The mean of all elements of `x` on all processes, a scalar in float32 at least."""
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    sums = total(torch.stack([wide.sum(), wide.new_full((), x.numel())]))
    return sums[0] / sums[1]


def deviation(x: Tensor) -> Tensor:
    """The standard deviation of all elements of `x` on all processes, likewise; unbiased, as Tensor.std()."""
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    elements = total(wide.new_full((), x.numel()))
    return (mean((wide - mean(wide)).square()) * elements / (elements - 1)).sqrt()


def average_gradients(parameters: Sequence[Tensor]) -> None:
    """Put the mean over processes into every gradient. A parameter that no process used keeps None."""
    if count() == 1:
        return
    used = torch.tensor([float(p.grad is not None) for p in parameters], device=_wire())
    dist.all_reduce(used)
    learning = [p for p, times in zip(parameters, used.tolist(), strict=True) if times]
    for p in learning:
        p.grad = torch.zeros_like(p) if p.grad is None else p.grad
    for bucket in _buckets(p.grad for p in learning):
        flat = torch.cat([gradient.flatten() for gradient in bucket])
        dist.all_reduce(flat)
        parts = (flat / count()).split([gradient.numel() for gradient in bucket])
        for gradient, part in zip(bucket, parts, strict=True):
            gradient.copy_(part.view_as(gradient))


def _buckets(tensors: Iterable[Tensor]) -> Iterator[list[Tensor]]:
    bucket: list[Tensor] = []
    for tensor in tensors:
        if bucket and sum(t.numel() for t in bucket) + tensor.numel() > BUCKET:
            yield bucket
            bucket = []
        bucket.append(tensor)
    if bucket:
        yield bucket


def _wire() -> torch.device:
    """Where numbers must lie to be sent."""
    return torch.device("cuda", torch.cuda.current_device()) if dist.get_backend() == "nccl" else torch.device("cpu")


def from_main(number: float) -> float:
    """A number of the main process, such as its clock, on all."""
    if count() == 1:
        return number
    sent = torch.tensor(number, dtype=torch.float64, device=_wire())
    dist.broadcast(sent, 0)
    return sent.item()


def copy_from_main(*modules: nn.Module) -> None:
    """Give the weights and buffers of the main process to all."""
    if count() > 1:
        for module in modules:
            for value in module.state_dict().values():
                sent = value.to(_wire()).contiguous()
                dist.broadcast(sent, 0)
                value.copy_(sent)


def wait() -> None:
    """Until all processes are here."""
    if count() > 1:
        dist.barrier()


@contextmanager
def main_first() -> Iterator[None]:
    """The main process goes through the block before the others, which find what it wrote."""
    if not is_main():
        wait()
    yield
    if is_main():
        wait()
