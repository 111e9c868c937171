"""Load the two networks of the pack."""

import re
from collections.abc import Callable

import torch
from safetensors import SafetensorError, safe_open

from ..host import ManagedModel, io, model_file, model_files
from ..model_loaders.checkpoint import (
    SHIPPED,
    SHIPPED_HALF,
    WEIGHTS,
    checkpoint_exists,
    load_motion_model,
    load_renderer,
    shipped,
)
from .personalise import NONE, as_person, person_input
from .values.sockets import MotionModel, Renderer, schema

_PART = re.compile(r"-\d{5}-of-\d{5}(?=\.safetensors$)")


def files_of(kind: str) -> dict[str, str]:
    """Names to choose from -> a file to load each by: checkpoints of this kind, those in several parts once."""
    found = {}
    for name in model_files():
        try:
            with safe_open(str(model_file(name)), framework="pt") as file:
                if (file.metadata() or {}).get("kind") == kind:
                    found.setdefault(_PART.sub("", name), name)
        except (SafetensorError, OSError):  # incomplete files and those of other programs are not offered
            continue
    return found


def half_bodies_ship() -> bool:
    """Whether both networks for half bodies come with the package."""
    return all(checkpoint_exists(WEIGHTS / name) for name in SHIPPED_HALF.values())


def _choices(kind: str) -> list[str]:
    ours = [SHIPPED[kind]] + [SHIPPED_HALF[kind]] * checkpoint_exists(shipped(kind, "half"))
    return [*ours, *(name for name in files_of(kind) if name not in ours)]


def _load(kind: str, weights: str, load: Callable[..., torch.nn.Module]) -> ManagedModel:
    file = files_of(kind).get(weights)
    if file is None and weights in (SHIPPED[kind], SHIPPED_HALF[kind]):  # if absent, the loader's error says so
        return ManagedModel(load(None, "half" if weights == SHIPPED_HALF[kind] else "head"), weights)
    return ManagedModel(load(model_file(file or weights)), weights)


class LoadRenderer(io.ComfyNode):
    """The stage-1 network: portrait and motion to frames."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "LoadRenderer",
            "Load Renderer",
            "Loaders",
            ["portrait model", "talking head", "avatar", "stage 1", "lmdd", "checkpoint"],
            description="Loads the network that encodes a portrait and renders motion on it. The one that ships with "
            "the pack needs no download.",
            inputs=[
                io.Combo.Input(
                    "weights",
                    options=_choices("renderer"),
                    default=SHIPPED["renderer"],
                    tooltip="A renderer checkpoint from models/mamba_portrait; the first one ships with the pack.",
                ),
                person_input(),
            ],
            outputs=[
                Renderer.Output(display_name="renderer", tooltip="The renderer, for every node that has such a socket.")
            ],
        )

    @classmethod
    def execute(cls, weights: str, person: str = NONE) -> io.NodeOutput:
        return io.NodeOutput(as_person(_load("renderer", weights, load_renderer), person, "renderer"))


class LoadMotionModel(io.ComfyNode):
    """The stage-2 network: voice to motion."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "LoadMotionModel",
            "Load Motion Model",
            "Loaders",
            ["talking head", "lip sync", "lipsync", "stage 2", "audio to motion", "mamba", "checkpoint"],
            description="Loads the network that encodes a voice (Mamba-g, Mamba-l) and generates its motion by "
            "diffusion.",
            inputs=[
                io.Combo.Input(
                    "weights",
                    options=_choices("motion_model"),
                    default=SHIPPED["motion_model"],
                    tooltip="A motion model checkpoint from models/mamba_portrait; the first one ships with the pack.",
                ),
                person_input(),
            ],
            outputs=[
                MotionModel.Output(
                    display_name="motion_model", tooltip="The motion model, for the audio nodes and Sample Motion."
                )
            ],
        )

    @classmethod
    def execute(cls, weights: str, person: str = NONE) -> io.NodeOutput:
        return io.NodeOutput(as_person(_load("motion_model", weights, load_motion_model), person, "motion_model"))
