"""Encode a portrait."""

from ..host import intermediate_device, io, load_device, use_bf16
from ..pipelines import portrait
from .values.pictures import alpha_of, one_photo
from .values.sockets import Encoded, Renderer, Source, schema


class EncodeSource(io.ComfyNode):
    """Image encoder, depth and the portrait's own motion M_0."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "EncodeSource",
            "Encode Source (Avatar)",
            "Portrait",
            ["image encoder", "identity features", "reference image", "avatar", "face"],
            description="Encodes a portrait, the avatar, once: identity features, depth, and its own pose. All frames "
            "are rendered from this.",
            inputs=[
                Renderer.Input("renderer", tooltip="From Load Renderer."),
                io.Image.Input(
                    "image", tooltip="One portrait, best the square crop of Portrait Crop. It keeps its own resolution."
                ),
            ],
            outputs=[Source.Output(display_name="source", tooltip="The encoded portrait.")],
        )

    @classmethod
    def execute(cls, renderer, image) -> io.NodeOutput:
        photo = one_photo(image, "Encode Source")
        source = portrait.encode_source(
            renderer.on_device(),
            photo,
            alpha=alpha_of(image),
            bf16=use_bf16(load_device()),
            keep_on=intermediate_device(),
        )
        return io.NodeOutput(Encoded(source, renderer.name))
