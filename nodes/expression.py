"""An expression on a still, or added to motion."""

from dataclasses import replace

from torch import Tensor

from ..host import intermediate_device, io, load_device, ui, use_bf16
from ..media.motion import Motion as MotionTrack
from ..pipelines import portrait, rendering
from ..pipelines.controls import CONTROLS, IDLE, PRESETS, read_keys
from ..pipelines.expression import EASE, Addition, expressed
from ..pipelines.regions import plot_regions
from ..pipelines.settings import RenderingSettings
from .values.sockets import Motion, Renderer, Source, same_network, schema
from .values.widgets import advanced

NONE = "none"
PREVIEW = 512  # pixels at most
PLOT = (420, 640)
SLIDERS = {
    "jaw": "Opens the mouth; below 0 closes one that is open.",
    "smile": "Raises the corners of the mouth; below 0 lowers them.",
    "pucker": "Rounds the lips, as in oo.",
    "spread": "Draws the lips apart to the sides, as in ee.",
    "brows": "Raises the brows; below 0 lowers them.",
    "furrow": "Draws the brows together.",
    "blink_left": "Shuts the lid on the left of the image; below 0 opens it wide.",
    "blink_right": "Shuts the lid on the right of the image; below 0 opens it wide.",
    "gaze_x": "Turns the eyes; above 0 to the right of the image.",
    "gaze_y": "Turns the eyes; above 0 up.",
    "yaw": "Turns the head by so many degrees; above 0 to the right of the image.",
    "pitch": "Nods the head by so many degrees; above 0 to the floor.",
    "roll": "Tilts the head by so many degrees; above 0 to the left of the image.",
}


def _slider(name: str) -> io.Float.Input:
    allowed = CONTROLS[name].allowed
    return io.Float.Input(
        name, default=0.0, min=allowed.low, max=allowed.high, step=allowed.step, tooltip=SLIDERS[name]
    )


def seconds_input(name: str, tooltip: str, default: float = 0.0, **more) -> io.Float.Input:
    """A time in seconds."""
    return io.Float.Input(
        name,
        display_name=f"{name} (seconds)",
        default=default,
        min=0.0,
        max=86400.0,
        step=0.05,
        tooltip=tooltip,
        **more,
    )


class EditExpression(io.ComfyNode):
    """Sliders, a preset and key frames, to motion and a preview."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "EditExpression",
            "Edit Expression (Face)",
            "Motion",
            ["expression editor", "smile", "pose", "gaze", "look at", "wink", "nod", "key frames", "animate"],
            description="Sets an expression by sliders and shows it on the portrait. Without motion it gives one "
            "frame, or a preset's or the key frames' length; with motion it is added from start to end, eased in and "
            "out.",
            inputs=[
                Renderer.Input("renderer", tooltip="From Load Renderer: its read-out maps motion to face regions."),
                Motion.Input(
                    "motion", optional=True, tooltip="Motion that the expression is added to, such as Sample Motion's."
                ),
                Source.Input(
                    "source",
                    optional=True,
                    tooltip="From Encode Source: the preview shows the expression on this portrait. Without it the "
                    "preview shows curves.",
                ),
                *(_slider(name) for name in SLIDERS),
                io.Combo.Input(
                    "preset",
                    options=[NONE, *PRESETS, IDLE],
                    default=NONE,
                    tooltip="A movement that begins at start, beside the sliders: none, nod, shake, smile, wink, "
                    "blink, look aside, surprise; with an end it is stretched to it. idle: breath, drift of the head, "
                    "blinks.",
                ),
                seconds_input("start", "Where in the motion the expression begins."),
                seconds_input("end", "Where it ends; 0 is the motion's end."),
                seconds_input("ease", "How long it takes to come and to go.", EASE),
                io.String.Input(
                    "keys",
                    display_name="key frames",
                    multiline=True,
                    default="",
                    tooltip="Lines of SECONDS: NAME=VALUE, ..., such as 1.5: smile=0.6, yaw=8. Between two lines "
                    "values change smoothly; times count from start. Names are those of the sliders, and smile_left, "
                    "blink, lower_lip and others.",
                ),
                advanced(
                    io.Int.Input(
                        "seed",
                        default=0,
                        min=0,
                        max=2**53 - 1,
                        tooltip="Of the preset idle: another one gives other blinks and another drift.",
                    )
                ),
            ],
            outputs=[
                Motion.Output(display_name="motion", tooltip="The motion: render, mix, save or edit it again."),
                io.Image.Output(
                    display_name="preview",
                    tooltip="The frame in which the expression is strongest, at most 512 pixels.",
                ),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls,
        renderer,
        jaw,
        smile,
        pucker,
        spread,
        brows,
        furrow,
        blink_left,
        blink_right,
        gaze_x,
        gaze_y,
        yaw,
        pitch,
        roll,
        preset,
        start,
        end,
        ease,
        keys,
        seed,
        motion=None,
        source=None,
    ) -> io.NodeOutput:
        sliders = {"jaw": jaw, "smile": smile, "pucker": pucker, "spread": spread, "brows": brows, "furrow": furrow}
        sliders |= {"blink_left": blink_left, "blink_right": blink_right, "gaze_x": gaze_x, "gaze_y": gaze_y}
        sliders |= {"yaw": yaw, "pitch": pitch, "roll": roll}
        held, points = {name: value for name, value in sliders.items() if value}, read_keys(keys)
        wanted = [held, preset if preset != NONE else None, points]
        additions = [Addition(what, start, end or None, ease, seed) for what in wanted if what]
        network = renderer.on_device()
        edited, strongest = expressed(network, additions, motion)
        picture = _preview(renderer, network, edited, strongest, source)[None].to(intermediate_device())
        return io.NodeOutput(edited, picture, ui=ui.PreviewImage(picture, cls=cls))


def _preview(renderer, network, motion: MotionTrack, number: int, source) -> Tensor:
    """One frame on the portrait (H,W,3), or without a portrait the curves."""
    if source is None:
        return plot_regions(motion, network, PLOT)
    encoded = same_network(source, renderer.name, "source")
    bf16 = use_bf16(load_device())
    large = max(encoded.image.shape[-2:]) > PREVIEW
    (frames,) = rendering.render(
        network,
        encoded,
        portrait.extract_appearance(network, encoded, bf16=bf16),
        replace(motion, values=motion.values[number : number + 1]),
        RenderingSettings(size=PREVIEW if large else None),
        bf16=bf16,
    )
    return frames[0][..., :3]
