"""Joint control of implicit motion: the voice rules the mouth, the driving video brows, eyes and head.

The counterpart of ACTalker's masks in a motion space without pixels: the renderer's linear read-out tells what each
motion does to the mouth, and that part is taken from the voice.
"""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from ..media.motion import Motion, check_language
from ..media.motion_edit import matched
from ..networks.renderer.model import Renderer
from ..vocabulary import INDEX, REGIONS
from .control import Control
from .regions import read_regions, write_regions


def join_motions(voice: Motion, driving: Motion, renderer: Renderer, control: Control | None = None) -> Motion:
    """One motion of both, at the voice's rate, about its reference, as long as the shorter.

    With both gates open the mouth's change is the voice's and all the rest the video's. What a gate gives up goes to
    the other source: audio 0.7 leaves the video 0.3 of the mouth, and a shut gate leaves it everything. Masks of the
    control are for pictures and have no part here. Raises ValueError for motion of another renderer, or when both gates
    are shut.
    """
    control = control or Control()
    if not (control.audio or control.motion):
        raise ValueError("Nothing moves the portrait: open the gate of the voice or of the driving video.")
    voice, driving = matched(voice, driving)
    check_language(voice.language, renderer)
    frames = min(voice.frames, driving.frames)
    heard, seen = ((motion.values[:frames] - motion.reference).to(voice.values) for motion in (voice, driving))
    heard_mouth, seen_mouth = _mouth_part(voice, heard, renderer), _mouth_part(driving, seen, renderer)
    audio, motion = control.audio, control.motion
    mouth = audio * heard_mouth + (1 - audio) * motion * seen_mouth
    others = motion * (seen - seen_mouth) + (1 - motion) * audio * (heard - heard_mouth)
    return replace(voice, values=voice.reference + mouth + others)


def _mouth_part(motion: Motion, change: Tensor, renderer: Renderer) -> Tensor:
    """What of a change (T,768) moves the mouth, by the read-out."""
    rest = read_regions(renderer, motion.reference[None])
    parameters = read_regions(renderer, motion.reference + change)
    opened = rest.expand_as(parameters).clone()
    mouth = [INDEX[name] for name in REGIONS["mouth"]]
    opened[:, mouth] = parameters[:, mouth]
    return (write_regions(renderer, opened) - write_regions(renderer, rest)).to(change)
