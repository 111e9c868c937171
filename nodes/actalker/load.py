"""Load ACTalker: its published files, one converted file, or a reduced model with random weights."""

import logging
from pathlib import Path

import torch

from ...host import ManagedModel, io, load_device, model_file, model_subfolders
from ...precision import warn_of_slow_bf16
from ..loaders import files_of
from ..values.sockets import ACTalker, schema

log = logging.getLogger("mamba_portrait")

FOLDER = "actalker"
REDUCED = "reduced random weights (for trying the graph)"
PRECISIONS = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}
GROUPS = {
    "unet": ("unet",),
    "vae": ("vae",),
    "identity": ("arcface", "identity_projector", "face_mask_encoder"),
    "voice": ("whisper", "audio_projector"),
    "motion": ("expression", "head_pose", "motion_projector"),
}
"""Parts that are needed together. Each group is a model of its own in the host's model management, so that the UNet can
be offloaded while the VAE decodes."""


class ManagedACTalker:
    """All of ACTalker under the host's model management, group by group.

    `config` is the networks' config; `widening` the size of the weights' dtype relative to fp16.
    """

    def __init__(self, model: torch.nn.Module, name: str):
        self.name, self.config, self._model = name, model.config, model
        self.widening = model.unet.conv_in.weight.element_size() // 2
        self._groups = {}
        for group, parts in GROUPS.items():
            loaded = [part for name in parts if (part := getattr(model, name)) is not None]
            if loaded:
                self._groups[group] = ManagedModel(torch.nn.ModuleList(loaded), f"{name}: {group}")

    def on_device(self, *groups: str, memory_required: int = 0) -> torch.nn.Module:
        """The model with these groups on the compute device; for groups that were not loaded the pipeline raises."""
        for group in groups:
            if group in self._groups:
                self._groups[group].on_device(memory_required)
        return self._model


def published_folders() -> dict[str, Path]:
    """Choices -> folders named `actalker` that are not empty, in the model folders or beside them."""
    found = {}
    for folder in model_subfolders(FOLDER):
        if any(folder.iterdir()):
            found.setdefault(f"published files in {folder.parent.name}/{folder.name}", folder)
    return found


def load(weights: str, precision: str) -> ManagedACTalker:
    """Load a choice of the drop-down. ImportError names the extra, FileNotFoundError or ValueError the file."""
    from ...model_loaders.actalker.load import load_actalker
    from ...model_loaders.actalker.reduced import reduced_actalker

    if precision == "auto":
        precision = "fp16" if load_device().type == "cuda" else "fp32"
    if precision == "bf16":
        warn_of_slow_bf16(load_device())
    if weights == REDUCED:
        log.warning("ACTalker: random weights at a reduced size. The graph runs, its picture is noise.")
        return ManagedACTalker(reduced_actalker().set_precision(PRECISIONS[precision]), weights)
    source = published_folders().get(weights) or model_file(files_of("actalker").get(weights, weights))
    return ManagedACTalker(load_actalker(source, dtype=PRECISIONS[precision]), weights)


class LoadACTalker(io.ComfyNode):
    """All networks of ACTalker."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "LoadACTalker",
            "Load ACTalker",
            "ACTalker",
            ["svd", "stable video diffusion", "talking head", "checkpoint"],
            description="Loads ACTalker: its published files from a folder named actalker, or one converted file. No "
            "weights ship with the pack; the reduced random weights only show that a graph runs.",
            inputs=[
                io.Combo.Input(
                    "weights",
                    options=[REDUCED, *published_folders(), *files_of("actalker")],
                    default=REDUCED,
                    tooltip="Published files lie in models/actalker or models/mamba_portrait/actalker, in any "
                    "subfolders; a converted file in models/mamba_portrait. The random weights give noise.",
                ),
                io.Combo.Input(
                    "precision",
                    options=["auto", *PRECISIONS],
                    default="auto",
                    tooltip="Of UNet and VAE. auto: fp16 on CUDA, as published, fp32 elsewhere; fp32, fp16, "
                    "bf16: that one. Encoders and scan rates stay fp32.",
                ),
            ],
            outputs=[ACTalker.Output(display_name="actalker", tooltip="The networks, for all nodes of this category.")],
        )

    @classmethod
    def execute(cls, weights, precision) -> io.NodeOutput:
        return io.NodeOutput(load(weights, precision))
