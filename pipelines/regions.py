"""Editing motion by face region, through the read-out's parameters (those of drawn heads, vocabulary.py)."""

from __future__ import annotations

import math

import torch

from ..media.motion import Motion, check_language
from ..media.motion_edit import edit_motion
from ..media.motion_plot import plot_motion
from ..networks.renderer.model import Renderer
from ..vocabulary import COUNT, INDEX, PARAMETERS, REGIONS

WITHIN = {"blink": ("blink_left", "blink_right"), "gaze": ("gaze_x", "gaze_y")}
"""Parts of a region that have a gain of their own, beside the region's."""


def edit_regions(
    motion: Motion,
    renderer: Renderer,
    gains: dict[str, float],
    *,
    turn: dict[str, float] | None = None,
    smooth: float = 0.0,
    speed: float = 1.0,
) -> Motion:
    """Scale the motion of each region (1 leaves it), turn the head, smooth, change the speed.

    gains: by region, and by part of one (`WITHIN`), which multiply. turn: degrees of yaw, pitch and roll, added to
    every frame. smooth: seconds. speed: 2 plays twice as fast.
    Raises ValueError for motion of another renderer, as `plot_regions` does: the read-out does not apply to it.
    """
    check_language(motion.language, renderer)
    device = next(renderer.parameters()).device
    gain = torch.ones(COUNT)
    for region, value in gains.items():
        gain[[INDEX[name] for name in (WITHIN | REGIONS)[region]]] *= value
    offset = None
    if turn and any(turn.values()):
        pose = torch.zeros(COUNT, device=device)
        for name, degrees in turn.items():
            pose[INDEX[name]] = math.radians(degrees)
        offset = parameters_to_motion(renderer, pose) - parameters_to_motion(renderer, torch.zeros_like(pose))
    return edit_motion(
        motion,
        speed=speed,
        smooth=smooth,
        parameter_gain=None if bool((gain == 1).all()) else gain,
        read=lambda values: motion_to_parameters(renderer, values),
        write=lambda values: parameters_to_motion(renderer, values),
        offset=offset,
    )


@torch.inference_mode()
def motion_to_parameters(renderer: Renderer, values: torch.Tensor) -> torch.Tensor:
    """Motion (T,768) to the read-out's parameters (T,24), in the order of vocabulary.py; those of arms are left out."""
    return renderer.read_parameters(values.to(next(renderer.parameters()).device))[..., :COUNT].float().cpu()


@torch.inference_mode()
def parameters_to_motion(renderer: Renderer, parameters: torch.Tensor) -> torch.Tensor:
    """Parameters (T,24) to motion (T,768); directions that they do not describe are as at rest."""
    return renderer.motion_from_parameters(parameters.to(next(renderer.parameters()).device)).float().cpu()


def plot_regions(motion: Motion, renderer: Renderer | None, size: tuple[int, int]) -> torch.Tensor:
    """Curves of the motion over time -> picture (H,W,3) in [0,1]; with a renderer, a row for each region."""
    if renderer is None:
        return plot_motion(motion, size=size)
    check_language(motion.language, renderer)
    return plot_motion(motion, motion_to_parameters(renderer, motion.values), PARAMETERS, REGIONS, size)
