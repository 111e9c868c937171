"""ACTalker to be trained from the beginning: Stable Video Diffusion's UNet and VAE, pretrained encoders, and new layers
of its own between them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from ...networks.actalker.config import ACTalkerConfig
from ...networks.actalker.fresh import begin_neutral
from ...networks.actalker.model import ACTalker
from ...networks.actalker.svd_parts import UNetSpatioTemporalConditionModel
from .files import PUBLISHED, check_part, find_files, read_part, read_tensors
from .load import config_beside, load_actalker
from .svd_unet_single_file import belongs_to_unet, unet_from_single_file

ENCODERS = ("arcface", "whisper", "expression", "head_pose")  # pretrained, and frozen in training
TRAINED_SIZE = 640  # short side of the training pictures (supplement, A.1)
UNET_FILES = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.fp16.safetensors")


def actalker_on_svd(
    svd: str | os.PathLike,
    encoders: str | os.PathLike,
    seed: int = 0,
    image_size: int = TRAINED_SIZE,
) -> ACTalker:
    """All parts in float32 on the CPU, without gradients: SVD's own tensors, the encoders', and new layers by `seed`.

    svd: its folder in diffusers' layout (unet/, vae/, their configs), or the single file (svd_xt.safetensors), of which
    sizes are the published ones or the encoders' file's. encoders: a folder that holds ArcFace, Whisper and the motion
    networks (searched through), or a file written by `save_actalker`, whose ACTalker's own layers are not taken.
    Raises FileNotFoundError for absent files, ValueError naming a file with other contents.
    """
    svd, encoders = Path(svd), Path(encoders)
    files = _svd_files(svd)
    config, states = _read_encoders(encoders)
    config = replace(_sizes(config, files), image_size=image_size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = ACTalker(config).requires_grad_(False)
    with torch.device("meta"):
        published = UNetSpatioTemporalConditionModel(**config.unet)
    _take(model, "unet", files["unet"], _read_unet(files["unet"]), published)
    _take(model, "vae", files["vae"], read_part("vae", files["vae"]), model.vae)
    for part, (path, state) in states.items():
        _take(model, part, path, state, getattr(model, part))
    begin_neutral(model)
    return model.set_precision(torch.float32)


def _svd_files(svd: Path) -> dict[str, Path]:
    """Where UNet and VAE are."""
    if svd.is_file():
        return {"unet": svd, "vae": svd}
    if not svd.is_dir():
        raise FileNotFoundError(f"There is no file or folder {svd}; give Stable Video Diffusion's.")
    found = {}
    for part in ("unet", "vae"):
        there = [svd / part / name for name in UNET_FILES if (svd / part / name).is_file()]
        if not there:
            raise FileNotFoundError(
                f"{svd} holds no {part}/{UNET_FILES[0]}: give Stable Video Diffusion's folder in diffusers' layout, or "
                "its single file."
            )
        found[part] = there[0]
    return found


def _sizes(config: ACTalkerConfig, files: Mapping[str, Path]) -> ACTalkerConfig:
    """SVD's own sizes, from the configs beside its files."""
    return config if files["unet"] == files["vae"] else config_beside(files, config)


def _read_unet(path: Path) -> dict[str, Tensor]:
    """SVD's UNet under diffusers' names."""
    state = read_tensors(path, belongs_to_unet)
    return unet_from_single_file(state) if any(map(belongs_to_unet, state)) else state


def _read_encoders(place: Path) -> tuple[ACTalkerConfig, dict[str, tuple[Path, Mapping[str, Tensor]]]]:
    """The encoders' sizes and, by part, the file and its tensors."""
    if not place.is_dir():
        model = load_actalker(place, dtype=torch.float32)
        model.require(ENCODERS, "begin on Stable Video Diffusion")
        return model.config, {part: (place, getattr(model, part).state_dict()) for part in ENCODERS}
    files = find_files(place)
    if absent := [PUBLISHED[part].name for part in ENCODERS if part not in files]:
        raise FileNotFoundError(
            f"The encoders that ACTalker listens and looks with are not all in {place}: missing {'; '.join(absent)}. "
            "docs/actalker.md says where each is from."
        )
    config = config_beside({"whisper": files["whisper"]}, ACTalkerConfig())
    return config, {part: (files[part], read_part(part, files[part])) for part in ENCODERS}


def _take(model: ACTalker, part: str, path: Path, state: Mapping[str, Tensor], published: nn.Module) -> None:
    """Load a part's tensors, which must be those of `published`; layers beyond them stay."""
    check_part(part, path, state, published)
    getattr(model, part).load_state_dict({k: v.float() for k, v in state.items()}, strict=False)
