"""Joint control of implicit motion by a voice and a driving video.

Linear: the voice drives the mouth, the video brows, eyes and head. The renderer's linear read-out splits motion into a
mouth component, taken from the voice, and the rest. In parallel: a network joins both, with the masks on the grid of
motion (parallel_control.py).
"""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from ..media.motion import Motion, check_language
from ..media.motion_edit import matched
from ..networks.joint_control import JointControl
from ..networks.renderer.model import Renderer
from ..vocabulary import INDEX, REGIONS
from .control import Control
from .parallel_control import control_in_parallel
from .regions import motion_to_parameters, parameters_to_motion

LINEAR, PARALLEL = MODES = ("linear", "parallel control")


def join_motions(
    voice: Motion,
    driving: Motion,
    renderer: Renderer,
    control: Control | None = None,
    network: JointControl | None = None,
) -> Motion:
    """Both motions combined, at the frame rate of `voice`, relative to its reference, as long as the shorter.

    Without a network: with both gates at 1 the mouth's change is the voice's and all the rest the video's. The
    remainder of a gate goes to the other source: with audio 0.7 the video has 0.3 of the mouth, with audio 0 all of it.
    The control's masks are not used. With a network: the voice's words with the video's expression; the masks say
    where. Raises ValueError for motion of another renderer, or when both gates are 0.
    """
    control = control or Control()
    if not (control.audio or control.motion):
        raise ValueError("Nothing moves the portrait: open the gate of the voice or of the driving video.")
    voice, driving = matched(voice, driving)
    check_language(voice.language, renderer)
    if network is not None:
        change = control_in_parallel(voice, driving, renderer, control, network)
        return replace(voice, values=voice.reference + change.to(voice.values))
    frames = min(voice.frames, driving.frames)
    from_voice, from_video = ((m.values[:frames] - m.reference).to(voice.values) for m in (voice, driving))
    voice_mouth, video_mouth = _mouth_part(voice, from_voice, renderer), _mouth_part(driving, from_video, renderer)
    audio, motion = control.audio, control.motion
    mouth = audio * voice_mouth + (1 - audio) * motion * video_mouth
    others = motion * (from_video - video_mouth) + (1 - motion) * audio * (from_voice - voice_mouth)
    return replace(voice, values=voice.reference + mouth + others)


def _mouth_part(motion: Motion, change: Tensor, renderer: Renderer) -> Tensor:
    """The component of a change (T,768) that moves the mouth, by the read-out."""
    rest = motion_to_parameters(renderer, motion.reference[None])
    parameters = motion_to_parameters(renderer, motion.reference + change)
    opened = rest.expand_as(parameters).clone()
    mouth = [INDEX[name] for name in REGIONS["mouth"]]
    opened[:, mouth] = parameters[:, mouth]
    return (parameters_to_motion(renderer, opened) - parameters_to_motion(renderer, rest)).to(change)
