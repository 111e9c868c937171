"""Cancel takes effect within a batch of large pictures, not after it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from ...host import check_interrupt


@contextmanager
def cancellable(network: nn.Module) -> Iterator[nn.Module]:
    """The network, of which each layer, while the block lasts, raises `Interrupted` once the user has cancelled."""
    hooks = [layer.register_forward_pre_hook(_look) for layer in network.modules()]
    try:
        yield network
    finally:
        for hook in hooks:
            hook.remove()


def _look(*_: object) -> None:
    check_interrupt()


def one_by_one(parts: Iterable[Tensor]) -> Iterator[Tensor]:
    """Batches (b,H,W,C) -> pictures (1,H,W,C), before each of which `Interrupted` is raised once the user has
    cancelled: each is encoded then, or pasted into a photo."""
    for part in parts:
        for picture in part:
            check_interrupt()
            yield picture[None]
