"""Load the two networks of the pack."""

import re
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from ..host import ManagedModel, io, model_file, model_files
from ..model_loaders.checkpoint import SHIPPED, load_motion_model, load_renderer
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


def _choices(kind: str) -> list[str]:
    return [SHIPPED[kind], *(name for name in files_of(kind) if name != SHIPPED[kind])]


def _load(kind: str, weights: str, load: Callable[[Path | None], torch.nn.Module]) -> ManagedModel:
    file = files_of(kind).get(weights)
    shipped = file is None and weights == SHIPPED[kind]  # if it is absent, the loader's error says so
    return ManagedModel(load(None if shipped else model_file(file or weights)), weights)


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
                )
            ],
            outputs=[
                Renderer.Output(display_name="renderer", tooltip="The renderer, for every node that has such a socket.")
            ],
        )

    @classmethod
    def execute(cls, weights: str) -> io.NodeOutput:
        return io.NodeOutput(_load("renderer", weights, load_renderer))


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
                )
            ],
            outputs=[
                MotionModel.Output(
                    display_name="motion_model", tooltip="The motion model, for the audio nodes and Sample Motion."
                )
            ],
        )

    @classmethod
    def execute(cls, weights: str) -> io.NodeOutput:
        return io.NodeOutput(_load("motion_model", weights, load_motion_model))
