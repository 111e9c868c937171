"""Motion of a chosen length and frame rate: idle motion, trimming and loops, fitting to a sound."""

import math
from fractions import Fraction

from ..host import io
from ..media.audio import frame_count
from ..media.motion_edit import resample_motion, slice_motion
from ..media.motion_length import JOIN, fit_length, repeat_motion
from ..media.timing import exact_rate
from ..pipelines.expression import idle
from ..vocabulary import FPS, LENGTH_MODES
from .expression import seconds_input
from .values.sockets import Motion, Renderer, schema
from .values.sound import sound_of


def _rate_input(default: float, least: float, tooltip: str) -> io.Float.Input:
    return io.Float.Input("fps", default=default, min=least, max=240.0, step=0.001, tooltip=tooltip)


def _join_input() -> io.Float.Input:
    return io.Float.Input(
        "join",
        display_name="join (seconds)",
        default=JOIN,
        min=0.0,
        max=10.0,
        step=0.05,
        tooltip="In a loop: how long the end takes to become the beginning.",
    )


def _frames(audio: dict | None, seconds: float, fps: Fraction) -> int | None:
    """Of the sound where there is one, else of the seconds; None for 0 seconds."""
    if audio is not None:
        waveform, rate = sound_of(audio)
        return max(1, frame_count(waveform.shape[-1], rate, fps))
    return max(1, math.floor(seconds * fps + Fraction(1, 2))) if seconds else None


class IdleMotion(io.ComfyNode):
    """Motion without a voice."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "IdleMotion",
            "Idle Motion",
            "Motion",
            ["idle", "breathing", "blink", "listening", "no voice", "waiting"],
            description="Motion of a person who waits or listens: breath, blinks, a head that drifts, small glances. "
            "The lips stay at rest.",
            inputs=[
                Renderer.Input("renderer", tooltip="From Load Renderer."),
                io.Audio.Input("audio", optional=True, tooltip="A sound that says how long, instead of the seconds."),
                io.Float.Input(
                    "seconds", default=5.0, min=0.1, max=3600.0, step=0.1, tooltip="How long, without a sound."
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=2**53 - 1,
                    control_after_generate=True,
                    tooltip="Another one gives other blinks, glances and drift.",
                ),
                io.Float.Input(
                    "amount",
                    default=1.0,
                    min=0.0,
                    max=2.0,
                    step=0.05,
                    tooltip="Factor on drift, breath and glances: 0 leaves the blinks alone.",
                ),
                _rate_input(float(FPS), 1.0, "Frames a second; 29.97 means 30000/1001."),
            ],
            outputs=[Motion.Output(display_name="motion", tooltip="The motion: render or mix it, or add speech.")],
        )

    @classmethod
    def execute(cls, renderer, seconds, seed, amount, fps, audio=None) -> io.NodeOutput:
        rate = exact_rate(fps)
        return io.NodeOutput(idle(renderer.on_device(), _frames(audio, seconds, rate), rate, seed, amount))


class TrimMotion(io.ComfyNode):
    """A part of a motion, once or several times."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "TrimMotion",
            "Trim and Loop Motion",
            "Motion",
            ["cut motion", "trim", "loop", "repeat"],
            description="Takes a part of a motion, and repeats it if wanted, each end becoming the next beginning.",
            inputs=[
                Motion.Input("motion", tooltip="Any motion."),
                seconds_input("start", "Where the part begins."),
                seconds_input("end", "Where it ends; 0 is the motion's end."),
                io.Int.Input("times", default=1, min=1, max=1000, tooltip="How often the part is played."),
                _join_input(),
            ],
            outputs=[Motion.Output(display_name="motion", tooltip="The part, as often as wanted.")],
        )

    @classmethod
    def execute(cls, motion, start, end, times, join) -> io.NodeOutput:
        return io.NodeOutput(repeat_motion(slice_motion(motion, start, end or None), times, join))


class FitLength(io.ComfyNode):
    """Length and frame rate."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "FitLength",
            "Fit Motion Length",
            "Motion",
            ["length", "duration", "frame rate", "fps", "loop", "retime", "speed", "bounce", "hold"],
            description="Makes motion as long as a sound or as so many seconds, and gives it another frame rate. Lips "
            "and sound stay together unless the motion is retimed.",
            inputs=[
                Motion.Input("motion", tooltip="Any motion."),
                io.Audio.Input("audio", optional=True, tooltip="A sound that says how long, instead of the seconds."),
                io.Float.Input(
                    "seconds",
                    default=0.0,
                    min=0.0,
                    max=86400.0,
                    step=0.1,
                    tooltip="How long, without a sound; 0 keeps the length.",
                ),
                io.Combo.Input(
                    "mode",
                    options=list(LENGTH_MODES),
                    default="hold",
                    tooltip="What becomes of motion that is too short. cut: it stays short. hold: its last frame "
                    "stands. loop: it begins again. bounce: it is played back and forth. retime: it is played slower, "
                    "and faster where it is too long; otherwise what is too long is cut.",
                ),
                _join_input(),
                _rate_input(0.0, 0.0, "Frames a second of the result, such as 24, 29.97 or 60; 0 keeps the motion's."),
            ],
            outputs=[Motion.Output(display_name="motion", tooltip="The motion of that length and rate.")],
        )

    @classmethod
    def execute(cls, motion, seconds, mode, join, fps, audio=None) -> io.NodeOutput:
        if fps:
            if fps < 1:
                raise ValueError(f"'fps' must be 0, which keeps the motion's rate, or at least 1, not {fps:g}.")
            motion = resample_motion(motion, fps=exact_rate(fps))
        frames = _frames(audio, seconds, motion.fps)
        return io.NodeOutput(motion if frames is None else fit_length(motion, frames, mode, join))
