"""The flow of rendered frames: edited, and used to carry detail along."""

from ..host import io, progress_bar
from ..pipelines.flow import carry_along, edit_flow, flow_of_pictures
from .values.image_batch import image_batch
from .values.pictures import batch_of, masks, plain
from .values.sockets import Flow, schema


class EditFlow(io.ComfyNode):
    """Scale, mask or replace a flow."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "EditFlow",
            "Edit Flow",
            "Render",
            ["optical flow", "displacement", "mask motion", "freeze"],
            description="Scales a flow, everywhere or where a mask is, or takes it from elsewhere: another flow, or "
            "pictures of a displacement.",
            inputs=[
                Flow.Input("flow", tooltip="From Motion Field or Decode Motion."),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=-2.0,
                    max=2.0,
                    step=0.05,
                    tooltip="Factor on the displacement: 0 is still, 1 unchanged.",
                ),
                io.Mask.Input("mask", optional=True, tooltip="Where the flow is changed; one, or one for each frame."),
                Flow.Input("other", optional=True, tooltip="Another flow of as many frames, taken in its place."),
                io.Image.Input(
                    "pictures",
                    optional=True,
                    tooltip="A displacement from elsewhere, taken in its place: red to the right, green down, one half "
                    "is none, 0 and 1 are half the picture.",
                ),
            ],
            outputs=[Flow.Output(display_name="flow", tooltip="The edited flow, for Warp Portrait and Paint.")],
        )

    @classmethod
    def execute(cls, flow, strength, mask=None, other=None, pictures=None) -> io.NodeOutput:
        if other is not None and pictures is not None:
            raise ValueError("Both 'other' and 'pictures' came in: wire one of them.")
        if pictures is not None:
            other = flow_of_pictures(plain(batch_of(pictures, "pictures"), "pictures"), flow.fps)
        mask = None if mask is None else masks(mask, "mask")
        return io.NodeOutput(edit_flow(flow, strength, mask, other))


class CarryAlong(io.ComfyNode):
    """Detail from elsewhere, moved with the face."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "CarryAlong",
            "Carry Detail Along",
            "Render",
            ["restore", "detail", "upscale", "deflicker", "temporal", "face restore", "ebsynth"],
            description="Adds detail that a restorer, upscaler or detailer made, moved along with the face, so that it "
            "does not flicker. The result is as large as the detailed pictures.",
            inputs=[
                io.Image.Input("frames", tooltip="The frames, from Decode Motion."),
                io.Image.Input(
                    "detailed",
                    tooltip="One picture: the portrait, restored or enlarged; it is moved by the flow, and only what "
                    "is painted comes from the frames. Or all frames, each restored: only what is painted is taken "
                    "from them.",
                ),
                Flow.Input("flow", tooltip="From Decode Motion of the same frames."),
                io.Mask.Input("mask", tooltip="From Decode Motion: where the picture is painted."),
                io.Float.Input(
                    "steadiness",
                    default=2.0,
                    min=0.0,
                    max=10.0,
                    step=0.5,
                    tooltip="With restored frames: over how many neighbouring frames their changes are averaged, on "
                    "the moving face. 0 takes each frame as it is; more flickers less and is softer.",
                ),
            ],
            outputs=[io.Image.Output(display_name="frames", tooltip="The frames with the detail.")],
        )

    @classmethod
    def execute(cls, frames, detailed, flow, mask, steadiness) -> io.NodeOutput:
        frames, detailed = (
            plain(batch_of(frames, "frames"), "frames"),
            plain(batch_of(detailed, "detailed"), "detailed"),
        )
        pictures = image_batch(len(frames), *detailed.shape[1:3])
        steps = carry_along(frames, detailed, flow, masks(mask, "mask"), steadiness, progress_bar(len(frames)))
        for index, picture in enumerate(steps):
            pictures[index] = picture[0]
        return io.NodeOutput(pictures)
