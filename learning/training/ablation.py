"""The paper's ablations: a branch is cut from a network's config, and from the weights that it goes on from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import nn

STAGE1 = {"appearance": "use_appearance", "transformer": "use_transformer", "attention": "use_attention"}
STAGE2 = {"appearance": "appearance", "mamba-g": "mamba_global", "mamba-l": "mamba_local"}
BRANCHES = tuple(dict.fromkeys((*STAGE1, *STAGE2)))  # the rows of the paper's table


def cut_config(config: Any, branches: Sequence[str], switches: dict[str, str]) -> Any:
    """A config without the branches; switches: STAGE1 or STAGE2. ValueError for a branch that the stage has not."""
    if foreign := [name for name in branches if name not in switches]:
        raise ValueError(
            f"this stage has no branch {', '.join(foreign)}: choose of {', '.join(switches)}; the others are of the "
            "other stage"
        )
    return replace(config, **{switches[name]: False for name in branches})


def cut_network(network: nn.Module, branches: Sequence[str], switches: dict[str, str]) -> nn.Module:
    """A network of the same class with the same weights where a branch was not cut; the given one for no branches."""
    if not branches:
        return network
    options = {"motion_language": network.motion_language} if "mamba-g" in switches else {}
    cut = type(network)(cut_config(network.config, branches, switches), **options)
    kept = set(cut.state_dict())
    cut.load_state_dict({name: value for name, value in network.state_dict().items() if name in kept})
    return cut.train(network.training)
