"""Captured faces to motion, and motion to tables of blend shapes, through the renderer's named parameters."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import torch

from ..media.captures import FORMS, NEUTRALS, read_capture, write_capture
from ..media.motion import Motion, check_language
from ..media.motion_edit import resample_motion
from ..networks.renderer.model import Renderer
from .regions import motion_to_parameters, parameters_to_motion


def load_capture(
    path: str | Path,
    renderer: Renderer,
    *,
    fps: Fraction | None = None,
    rate: Fraction | None = None,
    neutral: str = NEUTRALS[0],
) -> Motion:
    """A capture as Motion relative to a face at rest.

    fps: of the motion (default: the capture's own); rate: of a file that tells none. Movement of the head's place is
    not in captures. ValueError for files that hold no capture, and for a renderer without named parameters."""
    if neutral not in NEUTRALS:
        raise ValueError(f"neutral must be one of {', '.join(NEUTRALS)}, not {neutral!r}.")
    capture = read_capture(path, rate)
    parameters = torch.from_numpy(capture.parameters)
    if neutral == "first frame":
        parameters = parameters - parameters[:1]
    rest = renderer.rest_motion().float().cpu()
    motion = Motion(parameters_to_motion(renderer, parameters), rest, capture.fps, renderer.motion_language)
    return motion if fps is None or fps == motion.fps else resample_motion(motion, fps=fps)


def save_capture(
    path: str | Path, motion: Motion, renderer: Renderer, *, form: str = FORMS[0], fps: Fraction | None = None
) -> Path:
    """Motion, relative to its reference, as a CSV in one of FORMS at `fps` frames a second (default: its own).

    Raises ValueError for motion of another renderer, or where the file cannot be written."""
    check_language(motion.language, renderer)
    motion = motion if fps is None or fps == motion.fps else resample_motion(motion, fps=fps)
    parameters = motion_to_parameters(renderer, motion.values) - motion_to_parameters(renderer, motion.reference[None])
    return write_capture(path, parameters.numpy(), motion.fps, form)
