"""Decode Motion in three nodes, for whoever wants to change something between them: motion field, warp, paint."""

from ..host import io, load_device, use_bf16
from ..pipelines import layers, rendering
from .decode import (
    flow_output,
    gathered,
    mask_output,
    motion_fields,
    rendering_inputs,
    rendering_settings,
)
from .values.cancelling import cancellable
from .values.image_batch import image_batch
from .values.pictures import batch_of, plain
from .values.sockets import Encoded, Field, Flow, same_network, schema


def _inputs(*names: str) -> list:
    """Those of Decode Motion with these names."""
    return [socket for socket in rendering_inputs() if socket.id in names]


class MotionField(io.ComfyNode):
    """DIT and LMDD: motion to displacement and visibility."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "MotionField",
            "Motion Field (DIT / LMDD)",
            "Render",
            ["optical flow", "displacement", "dense motion", "warp field", "lmdd"],
            description="The first of three nodes that together are Decode Motion: computes from motion where each "
            "pixel of each frame comes from.",
            inputs=_inputs("renderer", "source", "appearance", "motion", "mode", "gain", "batch"),
            outputs=[
                Field.Output(display_name="field", tooltip="For Paint: everything that the decoder reads."),
                flow_output(),
                io.Mask.Output(
                    display_name="mask",
                    tooltip="Where the photo does not show what belongs into the frame (1), before Paint refines it.",
                ),
            ],
        )

    @classmethod
    def execute(cls, renderer, source, appearance, motion, mode, gain, batch) -> io.NodeOutput:
        settings = rendering_settings("photo", mode=mode, gain=gain, batch=batch)
        fields = motion_fields(renderer, source, appearance, motion, settings)
        return io.NodeOutput(Encoded(fields, renderer.name), fields.flow, fields.hidden)


class Warp(io.ComfyNode):
    """The photo moved by a flow."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "Warp",
            "Warp Portrait",
            "Render",
            ["warp", "displace", "optical flow", "move pixels"],
            description="The second of three nodes that together are Decode Motion: moves the portrait's own pixels by "
            "the flow. Nothing is generated.",
            inputs=[
                *_inputs("renderer", "source"),
                Flow.Input("flow", tooltip="From Motion Field or Edit Flow."),
                *_inputs("size"),
            ],
            outputs=[io.Image.Output(display_name="frames", tooltip="The warped portrait, once for every frame.")],
        )

    @classmethod
    def execute(cls, renderer, source, flow, size) -> io.NodeOutput:
        encoded = same_network(source, renderer.name, "source")
        height, width = rendering.frame_size(renderer.module, encoded, rendering_settings(size).size)
        images, filled = image_batch(flow.frames, height, width), 0
        with cancellable(renderer.on_device(rendering.working_memory(4, height, width))) as module:
            for part in layers.warp_photo(module, encoded, flow, (height, width)):
                images[filled : filled + len(part)] = part
                filled += len(part)
        return io.NodeOutput(images)


class Paint(io.ComfyNode):
    """The decoder's picture over the warped photo."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "Paint",
            "Paint (Decoder)",
            "Render",
            ["inpaint", "decoder", "mouth", "generate"],
            description="The last of three nodes that together are Decode Motion: paints what the photo does not show, "
            "such as the inside of the mouth and closed lids, over the warped frames.",
            inputs=[
                *_inputs("renderer", "source", "appearance"),
                Field.Input("field", tooltip="From Motion Field."),
                io.Image.Input("frames", tooltip="From Warp Portrait: the warped portrait, of any size."),
                *_inputs("articulation", "batch"),
                Flow.Input("flow", optional=True, tooltip="The flow of Warp Portrait, where it was edited."),
            ],
            outputs=[
                io.Image.Output(display_name="frames", tooltip="The frames, as an image batch."),
                io.Float.Output(display_name="fps", tooltip="Frames a second of these frames."),
                mask_output(),
            ],
        )

    @classmethod
    def execute(cls, renderer, source, appearance, field, frames, articulation, batch, flow=None) -> io.NodeOutput:
        encoded = same_network(source, renderer.name, "source")
        looks = same_network(appearance, renderer.name, "appearance")
        fields = same_network(field, renderer.name, "field")
        fields = fields if flow is None else fields.moved_by(flow)
        warped = plain(batch_of(frames, "frames"), "frames")
        height, width = warped.shape[1:3]
        with cancellable(renderer.on_device(rendering.working_memory(batch, height, width))) as module:
            parts = layers.paint(
                module, encoded, looks, fields, warped, articulation, batch=batch, bf16=use_bf16(load_device())
            )
            images, mask, *_ = gathered(parts, fields.frames, height, width)
        return io.NodeOutput(images, float(fields.fps), mask)
