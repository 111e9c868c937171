"""ACTalker from its published files, or from one self-describing safetensors file."""

import inspect
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ...files import whole_file
from ...networks.actalker.config import ACTalkerConfig
from ...networks.actalker.model import FLOAT32_PARAMETERS, IDENTITY_PARTS, PARTS, ACTalker
from ...networks.actalker.svd_parts import (
    AutoencoderKLTemporalDecoder,
    EulerDiscreteScheduler,
    UNetSpatioTemporalConditionModel,
)
from ..described import described, read_json
from .files import PUBLISHED, check_part, find_files, read_config, read_part

FORMAT, KIND, VERSION = "mamba_portrait", "actalker", "1"
NEEDED = ("unet", "vae", *IDENTITY_PARTS)  # the rest is needed only for a voice, or only for a driving video


def load_actalker(
    source: str | os.PathLike | dict[str, str | os.PathLike],
    *,
    dtype: torch.dtype = torch.float16,
    config: ACTalkerConfig | None = None,
) -> ACTalker:
    """Load ACTalker onto the CPU, in eval mode, without gradients.

    source: the folder that holds the published files (searched through), a dict of part to file, or one file
    written by `save_actalker`. dtype: of UNet, VAE and the networks beside them; voice, expression and identity
    networks and the scans' rates stay float32. config: sizes; None reads the configs beside the files.
    Parts for voice or motion whose files are absent are left out; using them raises RuntimeError.
    Raises FileNotFoundError for absent files, ValueError naming a file with other contents.
    """
    if isinstance(source, dict):
        files = {part: Path(path) for part, path in source.items()}
    elif Path(source).is_dir():
        files = find_files(Path(source))
    else:
        return _load_single(Path(source), dtype)
    absent = [PUBLISHED[part].name for part in NEEDED if part not in files]
    if absent:
        place = "there" if isinstance(source, dict) else f"in {source}"
        raise FileNotFoundError(
            f"ACTalker's files are not all {place}: missing {'; '.join(absent)}. docs/actalker.md describes each."
        )
    name = "The config beside ACTalker's files"
    model = described(name, lambda: _empty(config or config_beside(files), files))
    for part, path in files.items():
        state = read_part(part, path)
        check_part(part, path, state, getattr(model, part))
        _assign(model, part, state, dtype)
    return model.set_precision(dtype)


def save_actalker(model: ACTalker, path: str | os.PathLike) -> None:
    """Write all loaded parts to one safetensors file that describes itself; appears only when complete."""
    parts = [name for name in PARTS if getattr(model, name) is not None]
    metadata = {
        "format": FORMAT,
        "kind": KIND,
        "version": VERSION,
        "config": json.dumps(model.config.to_dict()),
        "parts": json.dumps(parts),
    }
    with whole_file(path) as partial:
        save_file({name: x.contiguous() for name, x in model.state_dict().items()}, partial, metadata)


def convert_actalker(
    source: str | os.PathLike | dict[str, str | os.PathLike],
    path: str | os.PathLike,
    *,
    dtype: torch.dtype = torch.float16,
    config: ACTalkerConfig | None = None,
) -> None:
    """Published files to one file: `load_actalker` followed by `save_actalker`."""
    save_actalker(load_actalker(source, dtype=dtype, config=config), path)


def _load_single(path: Path, dtype: torch.dtype) -> ACTalker:
    if not path.is_file():
        raise FileNotFoundError(f"There is no file or folder {path}.")
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT or metadata.get("kind") != KIND:
                raise ValueError(
                    f"{path.name} was not written by the ACTalker converter; give the published files' folder instead."
                )
            config = read_json(metadata.get("config", ""), f"{path.name} cannot be loaded: its config")
            parts = read_json(metadata.get("parts", ""), f"{path.name} cannot be loaded: its list of parts")
            if not isinstance(parts, list) or not all(part in PARTS for part in parts):
                raise ValueError(f"{path.name} cannot be loaded: its parts are none of ACTalker's, {', '.join(PARTS)}.")
            model = described(path.name, lambda: _empty(ACTalkerConfig.from_dict(config), parts))
            names = list(file.keys())
            for part in parts:
                prefix = part + "."
                state = {k.removeprefix(prefix): file.get_tensor(k) for k in names if k.startswith(prefix)}
                check_part(part, path, state, getattr(model, part))
                _assign(model, part, state, dtype)
    except SafetensorError as fault:
        raise ValueError(f"{path.name} is damaged or not a safetensors file; fetch it again.") from fault
    return model.set_precision(dtype)


def _empty(config: ACTalkerConfig, parts: Iterable[str]) -> ACTalker:
    with torch.device("meta"):
        return ACTalker(config, tuple(parts)).requires_grad_(False)


def _assign(model: ACTalker, part: str, state: dict, dtype: torch.dtype) -> None:
    """Load a part's tensors; the UNet is cast tensor by tensor, so that no second full copy is held."""
    if part == "unet":
        state = {k: v.float() if k.endswith(FLOAT32_PARAMETERS) else v.to(dtype) for k, v in state.items()}
    getattr(model, part).load_state_dict(state, strict=True, assign=True)
    getattr(model, part).requires_grad_(False)


def config_beside(files: Mapping[str, Path], config: ACTalkerConfig | None = None) -> ACTalkerConfig:
    """The published sizes, or those of `config`, updated by the configs in the SVD and Whisper folders that the files
    of "vae" and "whisper" lie in; a single file has none."""
    config, found = config or ACTalkerConfig(), {}
    if "vae" in files and files["vae"].parent.name == "vae":
        svd = files["vae"].parent.parent
        found = {
            "unet": _known(read_config(svd / "unet" / "config.json"), UNetSpatioTemporalConditionModel),
            "vae": _known(read_config(svd / "vae" / "config.json"), AutoencoderKLTemporalDecoder),
            "scheduler": _known(read_config(svd / "scheduler" / "scheduler_config.json"), EulerDiscreteScheduler),
        }
    if "whisper" in files:
        whisper = read_config(files["whisper"].parent / "config.json")
        found["whisper"] = {k: whisper[k] for k in config.whisper if k in whisper}
    return replace(config, **{name: getattr(config, name) | values for name, values in found.items()})


def _known(values: dict, builder: type) -> dict:
    return {k: v for k, v in values.items() if k in inspect.signature(builder.__init__).parameters}
