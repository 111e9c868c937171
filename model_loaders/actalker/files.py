"""ACTalker's published files: which file has which part, their tensors' names, reading without code and checks."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from ...messages import shown
from ..described import check_numbers, read_json
from ..pickles import named, read_pickle
from .svd_single_file import belongs_to_vae, vae_from_single_file

State = Mapping[str, Tensor]


class Published(NamedTuple):
    """Where a part is published: glob patterns below a folder, preferred first, and a name for messages."""

    patterns: tuple[str, ...]
    name: str


_VASA = "MX31c*"  # expression and head pose in one file
PUBLISHED = {
    "unet": Published(("unet-*.safetensors", "unet-*.pth"), "unet-136000.pth"),
    "vae": Published(
        (
            "vae/diffusion_pytorch_model.safetensors",
            "vae/diffusion_pytorch_model*.safetensors",
            "vae/diffusion_pytorch_model*.bin",
            "*svd*.safetensors",
            "*vae*.safetensors",
        ),
        "vae/ of stable-video-diffusion-img2vid-xt-1-1 in diffusers form, or the single file svd_xt_1_1.safetensors",
    ),
    "arcface": Published(("backbone.safetensors", "backbone.pth"), "backbone.pth (ArcFace r50)"),
    "identity_projector": Published(("id_proj_model-*",), "id_proj_model-136000.pth"),
    "face_mask_encoder": Published(("pose_guider-*",), "pose_guider-136000.pth"),
    "whisper": Published(
        ("whisper-tiny*/model.safetensors", "whisper-tiny*/pytorch_model.bin", "whisper*.safetensors"),
        "whisper-tiny/model.safetensors",
    ),
    "audio_projector": Published(("audio_linear-*",), "audio_linear-136000.pth"),
    "expression": Published(("expression.safetensors", "expression.pth", _VASA), "expression.pth or MX31c_32k.ckpt"),
    "head_pose": Published(("headpose.safetensors", "headpose.pth", _VASA), "headpose.pth or MX31c_32k.ckpt"),
    "motion_projector": Published(("vasa_linear-*",), "vasa_linear-136000.pth"),
}


def find_files(folder: Path) -> dict[str, Path]:
    """The file of each part found anywhere below a folder; absent parts are left out.

    Of several training steps the last is taken. Raises FileNotFoundError if the folder is not there.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}; give the one that holds ACTalker's files.")
    found = {}
    for part, published in PUBLISHED.items():
        for pattern in published.patterns:
            if files := [path for path in folder.rglob(pattern) if path.is_file()]:
                found[part] = max(files, key=_training_step)
                break
    return found


def _training_step(path: Path) -> tuple[int, str]:
    """The number at the end of `unet-136000.pth` as sort key; files without one are sorted by name."""
    number = re.search(r"-(\d+)$", path.stem)
    return int(number[1]) if number else -1, path.name


def read_part(part: str, path: Path) -> dict[str, Tensor]:
    """The tensors of one part under our names, from the file it was published in.

    Raises FileNotFoundError, or ValueError for a file that cannot be read safely.
    """
    if part == "vae":
        return _read_vae(path)
    state = read_tensors(path)
    if part == "expression" and "generator" in state:
        marker, inner = "expression_model.", named(state["generator"], path, "its generator")
        return {k.split(marker, 1)[1]: v for k, v in inner.items() if marker in k}
    if part == "head_pose" and "pose_model" in state:
        return named(state["pose_model"], path, "its pose_model")
    if "state_dict" in state and not isinstance(state["state_dict"], Tensor):
        state = named(state["state_dict"], path, "its state_dict")
    if part == "whisper":
        marker = "encoder."
        return {k.split(marker, 1)[1]: v for k, v in state.items() if k.startswith((marker, f"model.{marker}"))}
    return {k.removeprefix("module."): v for k, v in state.items()}


def _read_vae(path: Path) -> dict[str, Tensor]:
    """From diffusers' file or, without reading the rest of it, from a checkpoint of the whole SVD in one file."""
    state = read_tensors(path, belongs_to_vae)
    return vae_from_single_file(state) if any(map(belongs_to_vae, state)) else state


def read_tensors(path: Path, preferred: Callable[[str], bool] | None = None) -> dict:
    """All tensors of a file, or of a safetensors file the preferred ones alone if it has any.

    Raises FileNotFoundError, or ValueError for a file that cannot be read safely."""
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, "pt") as file:
                names = list(file.keys())
                chosen = list(filter(preferred, names)) if preferred else []
                return {name: file.get_tensor(name) for name in chosen or names}
        return read_pickle(path, mmap=True)
    except (SafetensorError, OSError) as fault:
        raise ValueError(
            f"{path.name} cannot be read ({type(fault).__name__}): it is damaged or no checkpoint. Fetch it again."
        ) from fault


def check_part(part: str, path: Path, state: State, module: nn.Module) -> None:
    """Raise ValueError that names the file and what differs, unless names, shapes and kinds of numbers are exactly the
    module's, and the numbers finite."""
    wanted = module.state_dict()
    odd = [name for name, x in state.items() if not isinstance(x, Tensor) or x.layout != torch.strided]
    odd += [n for n, x in wanted.items() if n in state and n not in odd and _kind(state[n]) != _kind(x)]
    if odd:
        raise ValueError(f"{path.name} is not ACTalker's {part}: {shown(odd[0])} is no tensor of its kind of numbers.")
    expected = {name: tuple(x.shape) for name, x in wanted.items()}
    found = {name: tuple(x.shape) for name, x in state.items()}
    faults = []
    if missing := [name for name in expected if name not in found]:
        faults.append(f"{len(missing)} tensors are missing, first {_name(missing[0])} {expected[missing[0]]}")
    if surplus := [name for name in found if name not in expected]:
        faults.append(f"{len(surplus)} tensors are not known, first {_name(surplus[0])} {found[surplus[0]]}")
    if wrong := [name for name in expected if name in found and found[name] != expected[name]]:
        a = wrong[0]
        faults.append(f"{len(wrong)} tensors have another shape, first {_name(a)}: {found[a]}, expected {expected[a]}")
    if faults:
        published = f"ACTalker's {part} ({PUBLISHED[part].name}, {len(expected)} tensors)"
        raise ValueError(f"{path.name} is not {published}: {'; '.join(faults)}.")
    for name, value in state.items():
        check_numbers(path.name, name, value)


def _name(tensor: str) -> str:
    return shown(tensor).strip("'")


def _kind(value: Tensor) -> tuple[bool, bool]:
    return value.is_floating_point(), value.is_complex()


def read_config(path: Path) -> dict:
    """A diffusers or transformers config without private entries such as _class_name; empty where there is none.
    ValueError for a file that is no such config."""
    if not path.is_file():
        return {}
    values = read_json(path.read_text(encoding="utf-8", errors="replace"), f"{path.parent.name}/{path.name}")
    return {k: v for k, v in named(values, path, "it").items() if not k.startswith("_")}
