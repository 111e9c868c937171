"""Joint control by parallel branches: the network of `networks/joint_control.py` on two motions.

The network knows the named part of motion. What is left of it is mixed as the gates say, the video before the voice.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..media.motion import Motion
from ..media.motion_edit import smooth_motion
from ..networks.joint_control import AROUND, CELLS, GRID, JointControl, Source
from ..networks.renderer.model import Renderer
from .control import Control
from .regions import motion_to_parameters, parameters_to_motion

COVERED = 0.25  # of a cell, by a mask, from which the cell is the mask's
AT_ONCE = 256  # frames, which are independent of each other


def mask_cells(mask: Tensor | None, name: str) -> Tensor:
    """A mask (H,W) in 0..1 over the portrait -> the cells (64,) bool of the 8x8 grid that it covers by a quarter or
    more, row by row; without a mask all. `name` begins the error where there is none."""
    if mask is None:
        return torch.ones(CELLS, dtype=torch.bool)
    cells = F.adaptive_avg_pool2d(mask.detach().float().cpu()[None, None], GRID).flatten() >= COVERED
    if not cells.any():
        raise ValueError(
            f"{name} covers a quarter of none of the {GRID} x {GRID} cells of the portrait: paint a larger area."
        )
    return cells


@torch.inference_mode()
def control_in_parallel(
    voice: Motion, driving: Motion, renderer: Renderer, control: Control, network: JointControl
) -> Tensor:
    """Changes of motion (T,768) of a face that both control, of motions at one frame rate; as long as the shorter.

    A source whose gate is 0 is not looked at. Raises ValueError for a network of another motion space, and for a mask
    without a cell."""
    if network.motion_language != renderer.motion_language:
        raise ValueError(
            "The network of joint control was trained for another renderer (motion language "
            f"{network.motion_language or 'unknown'}, this renderer's {renderer.motion_language}): train one for this "
            "renderer, or choose the linear mode."
        )
    frames = min(voice.frames, driving.frames)
    given = (
        (voice, control.audio, mask_cells(control.audio_mask, "The voice's mask")),
        (driving, control.motion, mask_cells(control.motion_mask, "The driving video's mask")),
    )
    sources, free = [], torch.zeros(frames, voice.values.shape[1])
    for motion, gate, cells in given:  # the video after the voice, which it covers
        if not gate:
            sources.append(None)
            continue
        change = (motion.values - motion.reference).cpu()
        named = _named(renderer, motion, change)
        around = smooth_motion(Motion(named, motion.reference, motion.fps), AROUND).values
        sources.append(Source(torch.stack([named, around], 1)[:frames], torch.full((frames,), float(gate)), cells))
        free = (1 - gate) * free + gate * (change - named)[:frames]
    answer = torch.cat([network(*part) for part in _parts(*sources, frames)])
    return _named(renderer, voice, answer) + free


def _named(renderer: Renderer, motion: Motion, change: Tensor) -> Tensor:
    """The part of a change (T,768) that the renderer's parameters name."""
    reference = motion.reference[None].cpu()
    ends = (parameters_to_motion(renderer, motion_to_parameters(renderer, x)) for x in (reference + change, reference))
    moved, still = ends
    return moved - still


def _parts(audio: Source | None, motion: Source | None, frames: int):
    """Both sources in parts of AT_ONCE frames."""
    for start in range(0, frames, AT_ONCE):
        rows = slice(start, start + AT_ONCE)
        yield [
            None if source is None else Source(source.tokens[rows], source.gate[rows], source.cells)
            for source in (audio, motion)
        ]
