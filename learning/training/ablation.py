"""Networks of another form that go on from trained weights: branches cut, as in the paper's ablations, or switched to
another form, with the layers that both forms must learn anew."""

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


def changed_network(network: nn.Module, config: Any, renew: Sequence[str]) -> nn.Module:
    """A new network of `config` with the trained one's weights wherever it has the same of the same shape, but for the
    modules `renew` ("lmdd.focus"), which begin anew. Two forms that are compared renew the modules of both, so that
    each learns its own from the start. ValueError for a module that neither form has."""
    options = {"motion_language": network.motion_language} if "mouth" in vars(config) else {}
    changed = type(network)(config, **options)
    trained, own = network.state_dict(), changed.state_dict()
    for name in renew:
        if not any(key.startswith(f"{name}.") for key in (*trained, *own)):
            raise ValueError(f"renew: the network has no module {name}; name one as its parameters do, or a part of it")
    anew = tuple(f"{name}." for name in renew)
    kept = {
        key: value
        for key, value in trained.items()
        if key in own and own[key].shape == value.shape and not key.startswith(anew)
    }
    changed.load_state_dict(own | kept)
    return changed.train(network.training)
