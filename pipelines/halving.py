"""Work in batches that goes on in smaller ones where memory runs out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

T = TypeVar("T")

log = logging.getLogger("mamba_portrait")

OUT_OF_MEMORY = ("out of memory", "not enough memory", "can't allocate memory")
"""What RuntimeErrors say where a device has no error of its own for it."""


class Halving:
    """work(batch (b,...)) -> (b,...), or a tuple of such, called with halves of a batch, and of all later ones,
    once memory ran out; it is said once a halving. A batch of one that does not fit raises the device's own error."""

    def __init__(self, work: Callable[[Tensor], T], what: str):
        self._work, self._what, self._most = work, what, None

    def __call__(self, batch: Tensor) -> T:
        most = self._most or len(batch)
        try:
            parts = [self._work(part) for part in batch.split(most)]
        except RuntimeError as error:
            if not out_of_memory(error) or min(most, len(batch)) == 1:
                raise
        else:
            return parts[0] if len(parts) == 1 else joined(parts)
        self._smaller(min(most, len(batch)) // 2)
        return self(batch)

    def _smaller(self, most: int) -> None:
        """Outside of the handler, so that the error no longer holds what it was raised in."""
        if self._most is None or most < self._most:
            self._most = most
            log.warning("Memory ran out: %s goes on with %d at once.", self._what, most)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def joined(parts: Sequence[T]) -> T:
    """Tensors (b,...), tuples of them or None, one after the other."""
    first = parts[0]
    if first is None or isinstance(first, Tensor):
        return first if first is None else torch.cat(list(parts))
    columns = [joined(column) for column in zip(*parts, strict=True)]
    return type(first)(*columns) if hasattr(first, "_fields") else tuple(columns)


def out_of_memory(error: RuntimeError) -> bool:
    """Whether a RuntimeError says that a device has no memory left."""
    kind = getattr(torch, "OutOfMemoryError", torch.cuda.OutOfMemoryError)
    return isinstance(error, kind) or any(words in str(error).lower() for words in OUT_OF_MEMORY)
