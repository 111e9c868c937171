"""ACTalker's own layers beside a trained Stable Video Diffusion: new ones, which at first leave it as it is.

The papers do not say how they begin. As published the parallel-control layer replaces the hidden state, so that a
random one would undo what the UNet knows: here it begins as the identity but for the size of a token, which `fit_sizes`
takes from data. The adapters' values, the identity's token and the face mask's feature begin at zero. SVD was trained
with an empty token in a part of its steps, and knows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from .adapters import DecoupledAttention
from .model import ACTalker
from .pcm import ParallelControlMamba


@torch.no_grad()
def begin_neutral(model: ACTalker) -> None:
    """Set the beginning of the layers that SVD does not have; what else is in them stays random."""
    for module in model.unet.modules():
        if isinstance(module, ParallelControlMamba):
            _begin_as_identity(module)
        elif isinstance(module, DecoupledAttention):
            for values in module.to_v_ip:
                values.weight.zero_()
    for last in (model.identity_projector.proj3, model.face_mask_encoder.conv_out):
        last.weight.zero_()
        last.bias.zero_()


def _begin_as_identity(layer: ParallelControlMamba) -> None:
    """x and -x side by side have mean zero, so that the norm divides by the size of x alone; the scans pass what they
    read (`Ds`), and their states are not read yet (the rows of C)."""
    width, channels = layer.in_proj1.weight.shape
    eye = torch.eye(channels).repeat(-(-width // channels), 1)[:width]
    eye[channels:] *= -1
    layer.in_proj1.weight.copy_(eye)
    layer.in_proj2.weight.copy_(eye)
    layer.out_proj.weight.copy_(eye.T / (width / channels))
    for unit in (layer.audio_unit, layer.exp_unit):
        unit.x_proj_weight[:, unit.rank + unit.states :] = 0


@contextmanager
def fit_sizes(model: ACTalker) -> Iterator[None]:
    """The UNet's first call inside the `with` scales each parallel-control layer's output to the size of its input (the
    root of the mean square over all tokens), from the first layer to the last."""

    @torch.no_grad()
    def fit(layer: ParallelControlMamba, given: tuple[Tensor, ...]) -> None:
        layer.out_proj.weight.mul_(given[0].float().square().mean().sqrt())

    layers = [module for module in model.unet.modules() if isinstance(module, ParallelControlMamba)]
    handles = [layer.register_forward_pre_hook(fit) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
