"""From training runs' checkpoints to one network: reading, averaging, joining."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from ...model_loaders.pickles import read_pickle
from ...networks.renderer.model import Renderer
from .motion_model.train import averaged_motion_model
from .renderer.train import averaged_renderer

PLATE = ("matte.", "outline.")
FACTS = ("step", "samples", "spent")
"""What a run's checkpoint tells of its training: steps, samples seen, seconds."""


def read_run(checkpoint: str | Path) -> tuple[str, nn.Module, dict[str, Any]]:
    """(kind, the averaged network, facts of its training) of stage1.pt or stage2.pt.

    Raises FileNotFoundError, or ValueError when the file is not a training run's checkpoint.
    """
    path = Path(checkpoint)
    if not path.is_file():
        raise FileNotFoundError(f"There is no training checkpoint '{path}'.")
    state = read_pickle(path)
    network = {"renderer", "model"}
    numbers = [state.get(name, 0) for name in FACTS]
    right = isinstance(state.get("average"), dict) and all(isinstance(x, (int, float)) for x in numbers)
    if not right or "config" not in state or not network & state.keys():
        raise ValueError(f"{path.name} is not the checkpoint of `train stage1` or `train stage2`.")
    kind = "renderer" if "renderer" in state else "motion_model"
    facts = {name: round(float(state[name]), 1) for name in FACTS if name in state}
    facts["machine"] = platform.machine()
    load = averaged_renderer if kind == "renderer" else averaged_motion_model
    return kind, load(path), facts


def average_runs(module: nn.Module, checkpoint: str, others: Sequence[str]) -> list[dict[str, Any]]:
    """Put the mean of several runs' weights into `module`, read from `checkpoint`; the facts of the others.

    ValueError where one does not fit."""
    mean, facts = module.state_dict(), []
    for path in others:
        _, network, its_facts = read_run(path)
        _check_origin(network, path, module, checkpoint, "the mean of the two would be no network")
        facts.append(its_facts)
        for name, value in network.state_dict().items():
            mean[name] = mean[name] + (value - mean[name]) / (len(facts) + 1)
    module.load_state_dict(mean)
    return facts


def take_motion_encoder(kind: str, renderer: nn.Module, checkpoint: str, other: str) -> dict[str, Any]:
    """Replace the motion encoder of `renderer`, read from `checkpoint`, by another run's; the facts of that run.

    ValueError where the two do not fit."""
    its_kind, donor, facts = read_run(other)
    if {kind, its_kind} != {"renderer"}:
        raise ValueError("--motion-encoder joins two runs of `train stage1`; one of these is of `train stage2`.")
    nothing = "what its encoder says would mean nothing to the other's rendering"
    _check_origin(donor, other, renderer, checkpoint, nothing)
    renderer.motion_encoder.load_state_dict(donor.motion_encoder.state_dict())
    return facts


def take_matte(kind: str, renderer: nn.Module, checkpoint: str, other: str) -> tuple[nn.Module, dict[str, Any]]:
    """`renderer`, read from `checkpoint`, with the matte and the outline of another run; the facts of that run. What
    the outline reads has changed since, so it goes on learning after that (`train stage1 --parts matte`).

    ValueError where the two do not fit."""
    its_kind, donor, facts = read_run(other)
    if {kind, its_kind} != {"renderer"} or not donor.config.matte_widths:
        raise ValueError(
            f"--matte takes the matte of a run of `train stage1 --parts matte`; {Path(other).name} has none."
        )
    joined = Renderer(replace(renderer.config, matte_widths=donor.config.matte_widths))
    rest = {name: value for name, value in renderer.state_dict().items() if not name.startswith(PLATE)}
    joined.load_state_dict(donor.state_dict() | rest)
    _check_origin(donor, other, joined, checkpoint, "its matte was learnt beside another network")
    return joined.train(renderer.training), facts


def _check_origin(other: nn.Module, path: str, module: nn.Module, checkpoint: str, why: str) -> None:
    """ValueError, ending with `why`, unless two runs' networks can have gone on from the same weights."""
    if other.config != module.config or other.motion_language != module.motion_language:
        raise ValueError(f"{Path(path).name} was not trained from the same weights as {Path(checkpoint).name}: {why}.")
