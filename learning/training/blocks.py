"""Less memory and more speed for the blocks of a network: activation checkpointing, and torch.compile.

Both change how a block is computed, not what: parameters, state dicts and numbers stay what they are, but for rounding.
They are for each block, not for the whole network: its stages are called one by one, and compiling many equal blocks
takes as long as compiling one.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from .loop import Plan

KINDS = frozenset(
    "ResBlock ResBlock3D CrossBlock "  # renderer
    "Block Mamba2 BidirectionalMamba2 "  # motion model
    "ControlledTransformer SpatioTemporalResBlock".split()  # ACTalker
)
"""Classes that a network consists of. Batch norms, whose statistics a second pass would change twice, are in none."""


def blocks_of(network: nn.Module) -> Iterator[nn.Module]:
    """The outermost blocks of a network."""
    for child in network.children():
        if type(child).__name__ in KINDS:
            yield child
        else:
            yield from blocks_of(child)


def prepare_blocks(network: nn.Module, plan: Plan) -> None:
    """Compute the blocks of a network as the plan says. ValueError for a backend that torch.compile has not."""
    if plan.compile and plan.compile not in (known := torch.compiler.list_backends(exclude_tags=())):
        raise ValueError(f"torch.compile has no backend '{plan.compile}' here; use {' or '.join(known)}.")
    for block in blocks_of(network):
        if plan.compile:
            block.compile(backend=plan.compile)
        if plan.checkpointing:
            block.forward = partial(checkpoint, block.forward, use_reentrant=False)
