"""Person files: what a minute of somebody's film changes of the two networks, in one small safetensors file.

A file holds changes of a few weights, and in its metadata the ids of the base weights that these belong to
(`weights_id`); it is loaded with those and no others, whose files stay as they are. Tensors are named
KIND/WEIGHT, a change of the whole weight, or KIND/WEIGHT/left (outputs,rank) and KIND/WEIGHT/right (rank,inputs),
whose product is the change. Of a renderer two kinds of layers may change (`CHANGED`): those that see nothing but the
deviation of the motion from the portrait's own and have no bias, so that they give zero where the portrait is at rest,
and the last ones of the motion encoder, which reads the portrait and its driver alike. So a portrait at rest comes out
as the same picture, whatever a file says.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ..files import whole_file
from ..messages import shown
from .described import LARGEST, check_language, read_json

FORMAT, KIND, VERSION = "mamba_portrait", "person", "1"
CHANGED = {
    "renderer": (
        "deviation.linear_shift.weight",
        "deviation.to_maps.weight",
        "deviation.to_vector.weight",
        "lmdd.inject.weight",
        "lmdd.modulate.linear.weight",
        "decoder.modulate_low.linear.weight",
        "decoder.modulate_middle.linear.weight",
        "motion_encoder.mix.weight",
        "motion_encoder.pose.2.weight",
        "motion_encoder.pose.2.bias",
    ),
    "motion_model": ("ear.weight", "ear.bias"),
}
"""Weights that a file may change, of each kind of network. A network may lack some, by its config."""
SPOKEN = {"renderer": "renderer", "motion_model": "motion model"}
LARGEST_FILE = 16_000_000  # bytes
LARGEST_RANK = 256

Delta = tuple[Tensor, ...]
"""A change of a weight: one tensor of its shape, or the two factors."""


@dataclass(frozen=True)
class Person:
    """base: ids of the renderer and the motion model; deltas: of each kind of network, by the names of its weights;
    facts: what the making of it tells, such as the figures on held-out seconds."""

    base: Mapping[str, str]
    deltas: Mapping[str, Mapping[str, Delta]]
    facts: Mapping[str, Any] = field(default_factory=dict)
    file: str = "the person"


def weights_id(network: nn.Module) -> str:
    """Id of a network's weights: 16 hex digits of a hash in half precision, so that saving and loading keep it."""
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        digest.update(f"{name}{tuple(value.shape)}".encode())
        digest.update((value.detach().cpu().half() + 0.0).contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def save_person(path: str | os.PathLike, person: Person) -> Path:
    """Write a person's file, half precision for factors; it appears only when it is complete. ValueError for a name
    that is not *.safetensors."""
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"A person is a safetensors file, but the name given is '{path.name}'.")
    tensors = {}
    for kind, deltas in person.deltas.items():
        for name, delta in deltas.items():
            parts = {"": delta[0]} if len(delta) == 1 else dict(zip(("/left", "/right"), delta, strict=True))
            for part, value in parts.items():
                stored = value.detach().cpu()
                tensors[f"{kind}/{name}{part}"] = (stored.half() if part else stored.float()).contiguous()
    metadata = {"format": FORMAT, "kind": KIND, "version": VERSION, **person.base, "facts": json.dumps(person.facts)}
    with whole_file(path) as partial:
        partial.write_bytes(save(tensors, metadata))
    return path


def load_person(path: str | os.PathLike) -> Person:
    """Read a person's file. FileNotFoundError, or ValueError for files of other programs and damaged ones."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no person's file {path}; `personalise` writes one.")
    if path.stat().st_size > LARGEST_FILE:
        raise ValueError(f"{path.name} is no person's file: it has more than {LARGEST_FILE // 1_000_000} MB.")
    try:
        with safe_open(str(path), framework="pt") as opened:
            metadata = opened.metadata() or {}
            _check(metadata, path.name)
            tensors = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError, RuntimeError, TypeError) as error:
        raise ValueError(f"{path.name} is damaged or not a safetensors file; fetch it again.") from error
    base = {kind: check_language(metadata.get(kind, ""), path.name, f"{SPOKEN[kind]}'s id") for kind in CHANGED}
    facts = read_json(metadata.get("facts", "{}"), f"{path.name} cannot be loaded: what it tells of itself")
    return Person(base, _deltas(tensors, path.name), facts if isinstance(facts, dict) else {}, path.name)


def _check(metadata: Mapping[str, str], name: str) -> None:
    if metadata.get("format") != FORMAT or metadata.get("kind") != KIND:
        raise ValueError(f"{name} is no person's file: `personalise` makes one from a film.")
    if metadata.get("version") != VERSION:
        told = shown(metadata.get("version")).strip("'")
        raise ValueError(f"{name} has version {told} of a person's file, this package reads {VERSION}: update it.")


def _deltas(tensors: Mapping[str, Tensor], file: str) -> dict[str, dict[str, Delta]]:
    """Tensors by the networks and weights that they change. ValueError for what no file may change."""
    found: dict[str, dict[str, dict[str, Tensor]]] = {}
    for key, value in tensors.items():
        kind, _, rest = key.partition("/")
        name, _, part = rest.partition("/")
        if name not in CHANGED.get(kind, ()) or part not in ("", "left", "right"):
            raise ValueError(f"{file} changes {shown(key)}, which no person's file may: it is damaged.")
        value = value.float() if value.is_floating_point() else torch.full((), torch.nan)
        if not bool((value.abs() < LARGEST).all()):  # NaN too
            raise ValueError(f"{file} holds numbers in {shown(key)} that no weight has: it is damaged.")
        found.setdefault(kind, {}).setdefault(name, {})[part] = value
    deltas: dict[str, dict[str, Delta]] = {}
    for kind, weights in found.items():
        for name, parts in weights.items():
            if set(parts) not in ({""}, {"left", "right"}):
                raise ValueError(f"{file} holds half of a change of {name}: it is damaged.")
            deltas.setdefault(kind, {})[name] = tuple(parts[part] for part in sorted(parts))
    return deltas


@torch.no_grad()
def with_person(network: nn.Module, person: Person, kind: str) -> nn.Module:
    """Add a person's changes to a network of a kind, "renderer" or "motion_model", in place; returns it.

    ValueError where the changes belong to other base weights, or do not fit."""
    own = weights_id(network)
    if person.base[kind] != own:
        raise ValueError(
            f"{person.file} was made with another {SPOKEN[kind]} ({person.base[kind] or 'of no id'}) than this one "
            f"({own}): load that one, or personalise again with this one."
        )
    weights = dict(network.named_parameters())
    for name, delta in person.deltas.get(kind, {}).items():
        if name not in weights or not _fits(weights[name], delta):
            raise ValueError(f"{person.file} does not fit its {SPOKEN[kind]} in {name}: it is damaged.")
        weights[name] += change_of(delta, weights[name].shape).to(weights[name])
    network.person = person.file
    return network


def change_of(delta: Delta, shape: torch.Size) -> Tensor:
    """The change of a weight of such a shape."""
    return delta[0].view(shape) if len(delta) == 1 else (delta[0] @ delta[1]).view(shape)


def _fits(weight: Tensor, delta: Delta) -> bool:
    if len(delta) == 1:
        return delta[0].shape == weight.shape
    left, right = delta
    if left.ndim != 2 or right.ndim != 2 or weight.ndim < 2:
        return False
    rank = left.shape[1]
    return (
        1 <= rank <= LARGEST_RANK
        and right.shape[0] == rank
        and left.shape[0] == len(weight)
        and right.shape[1] == weight[0].numel()
    )
