"""Self-describing checkpoints: safetensors with the network's config in the metadata, loaded as modules.

The metadata hold what the file is (`format`, `kind`, `version`), the network's config (`config`, JSON), its training
(`training`, JSON), the id of its motion's names (`motion_language`, see MotionParameters.language) and, where motion
has a part without names, that of its encoder (`motion_encoder`). Checkpoints above 16 MB are split into shards
`name-00001-of-00003.safetensors` and so on beside an index, `name.safetensors.index.json`; they are loaded by
`name.safetensors`. Pickles are never read.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ..files import whole_file
from ..messages import shown
from .described import check_language, network_of, read_json
from .person import load_person, with_person

FORMAT = "mamba_portrait"
VERSIONS = {"renderer": "3", "motion_model": "2", "face_finder": "1", "sync_judge": "1", "joint_control": "1"}
"""Of each kind. Renderers of version 1 had a bounded DIT vector, in those of version 2 the head's position in a photo
was part of M_0; motion models of version 1 had no audio regression."""
SHARD_BYTES = 16_000_000  # small enough for repositories without large-file storage
HEADER_BYTES = 200_000  # room in a shard for names, shapes and metadata

WEIGHTS = Path(__file__).resolve().parents[1] / "weights"
WEIGHTS_VARIABLE = "MAMBA_PORTRAIT_WEIGHTS"
SHIPPED = {
    "renderer": "renderer_lite.safetensors",
    "motion_model": "motion_lite.safetensors",
    "joint_control": "joint_control.safetensors",
}
SHIPPED_HALF = {"renderer": "renderer_half.safetensors", "motion_model": "motion_half.safetensors"}
"""Those for half bodies, framing "half" of `vocabulary.FRAMINGS`."""
PICKLES = {".pt", ".pth", ".ckpt", ".bin", ".pkl", ".pickle"}

_SHARD = re.compile(r"-\d{5}-of-\d{5}$")


def save_checkpoint(
    path: str | os.PathLike, module: nn.Module, kind: str, config: Any, extra: Mapping[str, Any] | None = None
) -> Path:
    """Write a network as self-describing fp16 safetensors; returns the path to load it by.

    config: a dict, or a config object with `to_dict`. extra: more metadata, such as {"training": {...}}; values that
    are not strings become JSON. Matrices and kernels are stored in half precision; buffers (statistics), vectors
    (biases, decay rates) and what would overflow stay float32. Each file appears only when complete, the index last.
    Raises ValueError for an unknown kind or a name that is not *.safetensors.
    """
    path = Path(path)
    if kind not in VERSIONS:
        raise ValueError(f"unknown kind of checkpoint {kind!r}; use one of {', '.join(VERSIONS)}")
    if path.suffix != ".safetensors":
        raise ValueError(f"checkpoints are safetensors files, but the name given is '{path.name}'")
    values = config if isinstance(config, Mapping) else config.to_dict()
    metadata = {"format": FORMAT, "kind": kind, "version": VERSIONS[kind], "config": json.dumps(values)}
    if language := getattr(module, "motion_language", ""):
        metadata["motion_language"] = language
    if encoder := getattr(module, "motion_encoder_id", ""):
        metadata["motion_encoder"] = encoder
    for key, value in (extra or {}).items():
        metadata.setdefault(key, value if isinstance(value, str) else json.dumps(value))
    shards = _split(_stored(module))
    old = _shard_files(path)
    if len(shards) == 1:
        _write(path, save(shards[0], metadata))
        _remove([_index_file(path), *old])
        return path
    names = [f"{path.stem}-{i + 1:05d}-of-{len(shards):05d}.safetensors" for i in range(len(shards))]
    for name, shard in zip(names, shards, strict=True):
        _write(path.with_name(name), save(shard, metadata))
    weight_map = {key: name for name, shard in zip(names, shards, strict=True) for key in shard}
    index = {"metadata": metadata, "weight_map": weight_map}
    _write(_index_file(path), json.dumps(index, indent=1).encode())
    _remove([path, *(file for file in old if file.name not in names)])
    return path


def load_checkpoint(path: str | os.PathLike) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read a checkpoint, whole or in shards: (state with floats in float32 on the CPU, metadata).

    `path` may name the checkpoint, its index or any of its shards. Raises FileNotFoundError, or ValueError for pickles,
    for files of other programs, for damaged ones and for those of a newer version.
    """
    path = _whole_name(Path(path))
    if path.suffix in PICKLES:
        raise ValueError(f"{path.name} may run code when opened; convert it with `python -m mamba_portrait export`.")
    files = _files(path)
    state: dict[str, Tensor] = {}
    metadata: dict[str, str] = {}
    for file in files:
        try:
            with safe_open(str(file), framework="pt") as opened:
                metadata = opened.metadata() or {}
                _check(metadata, path)
                for key in opened.keys():  # noqa: SIM118 - not a dict
                    value = opened.get_tensor(key)
                    state[key] = value.float() if value.is_floating_point() else value
        except (SafetensorError, OSError, RuntimeError, TypeError) as error:  # the last two for dtypes of the future
            raise ValueError(f"{file.name} is damaged or not a safetensors file; fetch it again.") from error
    return state, metadata


def load_renderer(
    path: str | os.PathLike | None = None, framing: str = "head", person: str | os.PathLike | None = None
) -> nn.Module:
    """A stage-1 `Renderer`, ready to use on the CPU; None loads the one that ships for a framing. person: a file of
    somebody's changes (person.py), of this one. Errors as `load_checkpoint` and `load_person`."""
    from ..networks.renderer.config import RendererConfig
    from ..networks.renderer.model import Renderer

    network = load_network("renderer", path, lambda config, _: Renderer(RendererConfig.from_dict(config)), framing)
    return network if person is None else with_person(network, load_person(person), "renderer")


def load_motion_model(
    path: str | os.PathLike | None = None, framing: str = "head", person: str | os.PathLike | None = None
) -> nn.Module:
    """A stage-2 `MotionModel`, ready to use on the CPU; None loads the one that ships for a framing. person and errors
    as of `load_renderer`."""
    from ..networks.motion_model.config import MotionModelConfig
    from ..networks.motion_model.model import MotionModel

    def build(config: dict, language: str) -> MotionModel:
        return MotionModel(MotionModelConfig.from_dict(config), language)

    network = load_network("motion_model", path, build, framing)
    return network if person is None else with_person(network, load_person(person), "motion_model")


def load_joint_control(path: str | os.PathLike | None = None) -> nn.Module:
    """A `JointControl` of voice and driving video, ready to use on the CPU; None loads the one that ships. Errors as
    `load_checkpoint`."""
    from ..networks.joint_control import JointControl, JointControlConfig

    def build(config: dict, language: str) -> JointControl:
        return JointControl(JointControlConfig.from_dict(config), language)

    return load_network("joint_control", path, build)


def shipped(kind: str, framing: str = "head") -> Path:
    """Where the shipped checkpoint of a kind lies: in the package, or in the folder named by MAMBA_PORTRAIT_WEIGHTS."""
    name = (SHIPPED_HALF if framing == "half" else SHIPPED)[kind]
    return Path(os.environ.get(WEIGHTS_VARIABLE) or WEIGHTS) / name


def checkpoint_exists(path: str | os.PathLike) -> bool:
    """Whether a checkpoint can be loaded by this name, whole or in shards."""
    path = _whole_name(Path(path))
    return path.is_file() or _index_file(path).is_file()


def load_network(
    kind: str, path: str | os.PathLike | None, build: Callable[[Any, str], nn.Module], framing: str = "head"
) -> nn.Module:
    """A network of a kind from its checkpoint, ready to use on the CPU; None loads the one that ships. Errors as
    `load_checkpoint`, and ValueError where config and tensors do not fit one another.

    build: (config, motion language) -> network; it raises ValueError for an impossible config."""
    file = Path(path) if path is not None else shipped(kind, framing)
    if path is None and not checkpoint_exists(file):
        raise FileNotFoundError(
            f"The weights {file.name} are not in {file.parent}: update the pack, train them (see README), "
            f"or name their folder in {WEIGHTS_VARIABLE}."
        )
    state, metadata = load_checkpoint(file)
    if metadata["kind"] != kind:
        raise ValueError(f"{file.name} holds a {metadata['kind'].replace('_', ' ')}, not a {kind.replace('_', ' ')}.")
    config = read_json(metadata["config"], f"{file.name} cannot be loaded: its config")
    language = check_language(metadata.get("motion_language", ""), file.name)
    network = network_of(file.name, lambda: build(config, language), state).eval().requires_grad_(False)
    if kind == "motion_model":
        network.motion_encoder_id = check_language(metadata.get("motion_encoder", ""), file.name, "motion_encoder")
    return network


def _stored(module: nn.Module) -> dict[str, Tensor]:
    """The state as it is stored."""
    buffers = {name for name, _ in module.named_buffers()}
    stored = {}
    for name, value in module.state_dict().items():
        value = value.detach().cpu()
        if value.is_floating_point():
            half = value.half()
            exact = name in buffers or value.ndim < 2 or not bool(torch.isfinite(half).all())
            value = value.float() if exact else half
        stored[name] = value.clone(memory_format=torch.contiguous_format)
    return stored


def _split(state: dict[str, Tensor]) -> list[dict[str, Tensor]]:
    """The state in shards of at most SHARD_BYTES, in its order; a larger tensor is a shard of its own."""
    parts: list[dict[str, Tensor]] = [{}]
    used = 0
    for name, value in state.items():
        size = value.numel() * value.element_size()
        if parts[-1] and used + size > SHARD_BYTES - HEADER_BYTES:
            parts.append({})
            used = 0
        parts[-1][name] = value
        used += size
    return parts


def _index_file(path: Path) -> Path:
    return path.with_name(path.name + ".index.json")


def _shard_files(path: Path) -> list[Path]:
    found = path.parent.glob("*.safetensors")
    return [file for file in found if _SHARD.sub("", file.stem) == path.stem and file.stem != path.stem]


def _whole_name(path: Path) -> Path:
    """name.safetensors for an index or a shard of it; any other path as it is."""
    if path.name.endswith(".safetensors.index.json"):
        return path.with_name(path.name.removesuffix(".index.json"))
    if path.suffix == ".safetensors" and _SHARD.search(path.stem):
        return path.with_name(_SHARD.sub("", path.stem) + ".safetensors")
    return path


def _files(path: Path) -> list[Path]:
    """The files that make up a checkpoint; FileNotFoundError names the first that is missing."""
    if path.is_file():
        return [path]
    if not _index_file(path).is_file():
        raise FileNotFoundError(f"Checkpoint not found: {path}")
    index = _index_file(path)
    content = read_json(index.read_text("utf8", errors="replace"), index.name)
    weight_map = content.get("weight_map") if isinstance(content, dict) else None
    names = list(weight_map.values()) if isinstance(weight_map, dict) else [None]
    if not names or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{index.name} names no parts of a checkpoint: it is damaged, fetch it again.")
    names = sorted(set(names))
    for name in names:
        if not 0 < len(name) < 256 or Path(name).name != name or not path.with_name(name).is_file():
            raise FileNotFoundError(f"{path.name} is incomplete: its part {shown(name)} is missing.")
    return [path.with_name(name) for name in names]


def _check(metadata: dict[str, str], path: Path) -> None:
    if metadata.get("format") != FORMAT or metadata.get("kind") not in VERSIONS or "config" not in metadata:
        raise ValueError(f"{path.name} is not a Mamba Portrait checkpoint: it does not say so in its metadata.")
    if metadata.get("version") != (version := VERSIONS[metadata["kind"]]):
        told = shown(metadata.get("version")).strip("'")
        raise ValueError(
            f"{path.name} has checkpoint version {told}, this package reads {version}: update the older of the two."
        )


def _write(path: Path, data: bytes) -> None:
    with whole_file(path) as partial:
        partial.write_bytes(data)


def _remove(files: Iterable[Path]) -> None:
    for file in files:
        file.unlink(missing_ok=True)
