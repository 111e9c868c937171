"""Voice and driving video together, in implicit motion."""

from ..host import io
from ..pipelines.joint import join_motions
from .values.sockets import Control, Motion, Renderer, schema


class JointMotion(io.ComfyNode):
    """The voice rules the mouth, the video the rest."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "JointMotion",
            "Joint Motion",
            "Motion",
            ["mix motion by region", "audio and video", "joint control", "lip sync a driving video"],
            description="Joins the motion of a voice and that of a driving video: the voice moves the mouth, the "
            "video brows, eyes and head. "
            "It is as long as the shorter of the two, at the voice's frame rate.",
            inputs=[
                Motion.Input("voice", tooltip="From Sample Motion: what the mouth does."),
                Motion.Input("driving", tooltip="From Encode Driving Video: what everything else does."),
                Renderer.Input("renderer", tooltip="From Load Renderer: it knows which part of the motion moves what."),
                Control.Input(
                    "control",
                    optional=True,
                    tooltip="From Control Gates. What a gate gives up goes to the other source; without it both are "
                    "open.",
                ),
            ],
            outputs=[Motion.Output(display_name="motion", tooltip="The joint motion.")],
        )

    @classmethod
    def execute(cls, voice, driving, renderer, control=None) -> io.NodeOutput:
        return io.NodeOutput(join_motions(voice, driving, renderer.on_device(), control))
