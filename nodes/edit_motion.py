"""Edit, mix and plot motion."""

from ..host import intermediate_device, io
from ..media.motion_edit import blend_motions, concatenate_motions
from ..pipelines.regions import edit_regions, plot_regions
from .values.sockets import Motion, Renderer, schema

REGIONS = {
    "mouth": "lips, jaw, tongue and smile",
    "brows": "the brows",
    "eyes": "lids and gaze",
    "pose": "head and shoulders",
}
WITHIN_EYES = {"blink": "the lids alone", "gaze": "the gaze alone"}
TURNS = {"yaw": "Turns the head", "pitch": "Nods the head", "roll": "Tilts the head"}
SIDES = {"yaw": "the right of the image", "pitch": "the floor", "roll": "the left of the image"}


def _gain(region: str, what: str, **more) -> io.Float.Input:
    return io.Float.Input(
        region,
        default=1.0,
        min=-2.0,
        max=3.0,
        step=0.05,
        **more,
        tooltip=f"How much of the motion of {what} is kept: 0 none, 1 all, above 1 more than there was, below 0 the "
        "opposite.",
    )


def _turn(axis: str) -> io.Float.Input:
    return io.Float.Input(
        axis,
        default=0.0,
        min=-30.0,
        max=30.0,
        step=0.5,
        tooltip=f"{TURNS[axis]} by so many degrees in every frame; above 0 to {SIDES[axis]}.",
    )


class EditMotion(io.ComfyNode):
    """Gain by face region, smoothing, speed, offsets of the head."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "EditMotion",
            "Edit Motion",
            "Motion",
            ["motion gain", "smooth motion", "calm head", "exaggerate", "speed"],
            description="Makes motion larger, smaller or smoother, region by region, and turns the head: for example a "
            "livelier mouth on a calmer head, no blinks, a face that looks aside.",
            inputs=[
                Motion.Input("motion", tooltip="Any motion."),
                Renderer.Input("renderer", tooltip="From Load Renderer: its read-out maps motion to face regions."),
                *(_gain(region, what) for region, what in REGIONS.items()),
                io.Float.Input(
                    "smooth",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Gaussian smoothing, sigma in seconds: 0 none, 0.04 removes jitter, more calms the motion.",
                ),
                io.Float.Input(
                    "speed",
                    default=1.0,
                    min=0.1,
                    max=5.0,
                    step=0.05,
                    tooltip="2 plays the motion twice as fast, 0.5 at half the speed; the frame rate stays. Sound is "
                    "not changed.",
                ),
                *(_turn(axis) for axis in TURNS),
                *(_gain(part, what, optional=True) for part, what in WITHIN_EYES.items()),
            ],
            outputs=[Motion.Output(display_name="edited", tooltip="The edited motion.")],
        )

    @classmethod
    def execute(
        cls, motion, renderer, mouth, brows, eyes, pose, smooth, speed, yaw, pitch, roll, blink=1.0, gaze=1.0
    ) -> io.NodeOutput:
        gains = {"mouth": mouth, "brows": brows, "eyes": eyes, "pose": pose, "blink": blink, "gaze": gaze}
        turn = {"yaw": yaw, "pitch": pitch, "roll": roll}
        return io.NodeOutput(edit_regions(motion, renderer.on_device(), gains, turn=turn, smooth=smooth, speed=speed))


class MixMotion(io.ComfyNode):
    """Two motions to one: blended, or one after the other."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "MixMotion",
            "Mix Motion",
            "Motion",
            ["blend motion", "concatenate motion", "join motion"],
            description="Blends two motions, or plays one after the other with a crossfade. The first one's frame rate "
            "is kept.",
            inputs=[
                Motion.Input("first", tooltip="A motion."),
                Motion.Input("second", tooltip="Another motion."),
                io.Combo.Input(
                    "how",
                    options=["blend", "one after the other"],
                    default="blend",
                    tooltip="blend: both at once, weighted. one after the other: the second follows the first.",
                ),
                io.Float.Input(
                    "weight",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="With blend: 0 is the first motion, 1 the second.",
                ),
                io.Float.Input(
                    "crossfade",
                    default=0.2,
                    min=0.0,
                    max=5.0,
                    step=0.05,
                    tooltip="With one after the other: seconds of crossfade from the first to the second.",
                ),
            ],
            outputs=[Motion.Output(display_name="motion", tooltip="The mixed motion.")],
        )

    @classmethod
    def execute(cls, first, second, how, weight, crossfade) -> io.NodeOutput:
        if how == "blend":
            return io.NodeOutput(blend_motions(first, second, weight))
        return io.NodeOutput(concatenate_motions(first, second, crossfade))


class PlotMotion(io.ComfyNode):
    """Motion as curves."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "PlotMotion",
            "Plot Motion",
            "Motion",
            ["show motion", "motion curves", "graph"],
            description="Draws motion as curves over time: with a renderer, one row each for mouth, brows, eyes and "
            "pose.",
            inputs=[
                Motion.Input("motion", tooltip="Any motion."),
                Renderer.Input(
                    "renderer",
                    optional=True,
                    tooltip="From Load Renderer, for curves by region. Without it there is one curve: the distance "
                    "from the reference.",
                ),
                io.Int.Input("width", default=1400, min=300, max=4096, tooltip="Width of the picture in pixels."),
                io.Int.Input("height", default=900, min=200, max=4096, tooltip="Height of the picture in pixels."),
            ],
            outputs=[io.Image.Output(display_name="image", tooltip="The curves.")],
        )

    @classmethod
    def execute(cls, motion, width, height, renderer=None) -> io.NodeOutput:
        network = None if renderer is None else renderer.on_device()
        return io.NodeOutput(plot_regions(motion, network, (height, width))[None].to(intermediate_device()))
