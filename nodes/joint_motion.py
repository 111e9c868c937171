"""Voice and driving video together, in implicit motion."""

from ..host import io
from ..model_loaders.checkpoint import load_joint_control
from ..pipelines.joint import LINEAR, MODES, PARALLEL, join_motions
from .values.sockets import Control, Motion, Renderer, schema


class JointMotion(io.ComfyNode):
    """The mouth from the voice, the rest from the video."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "JointMotion",
            "Joint Motion",
            "Motion",
            ["mix motion by region", "audio and video", "joint control", "lip sync", "dub", "talking head"],
            description="Joins the motion of a voice and that of a driving video: the voice moves the mouth, the "
            "video brows, eyes and head. It is as long as the shorter of the two, at the voice's frame rate.",
            inputs=[
                Motion.Input("voice", tooltip="From Sample Motion: the motion of the mouth."),
                Motion.Input("driving", tooltip="From Encode Driving Video: the motion of all the rest."),
                Renderer.Input("renderer", tooltip="From Load Renderer: its read-out maps motion to face regions."),
                Control.Input(
                    "control",
                    optional=True,
                    tooltip="From Control Gates. The remainder of a gate goes to the other source; without this input "
                    "both gates are 1.",
                ),
                io.Combo.Input(
                    "mode",
                    options=list(MODES),
                    default=LINEAR,
                    optional=True,
                    tooltip="linear: the mouth is the voice's alone. parallel control: the voice's words with the "
                    "video's expression, such as a smile, joined by a network; masks count here.",
                ),
            ],
            outputs=[Motion.Output(display_name="motion", tooltip="The joint motion.")],
        )

    @classmethod
    def execute(cls, voice, driving, renderer, control=None, mode=LINEAR) -> io.NodeOutput:
        network = load_joint_control() if mode == PARALLEL else None
        return io.NodeOutput(join_motions(voice, driving, renderer.on_device(), control, network))
