"""The appearance vector of a portrait."""

from ..host import intermediate_device, io, load_device, use_bf16
from ..pipelines import portrait
from .values.sockets import Appearance, Encoded, Renderer, Source, same_network, schema


class ExtractAppearance(io.ComfyNode):
    """The appearance extractor: F_A."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ExtractAppearance",
            "Extract Appearance",
            "Portrait",
            ["appearance features", "identity embedding"],
            description="Encodes a portrait's appearance as one vector, a condition of rendering and of motion "
            "sampling. The shipped weights make next to no use of it.",
            inputs=[
                Renderer.Input("renderer", tooltip="From Load Renderer; the same one that encoded the source."),
                Source.Input("source", tooltip="From Encode Source."),
            ],
            outputs=[Appearance.Output(display_name="appearance", tooltip="The appearance vector.")],
        )

    @classmethod
    def execute(cls, renderer, source) -> io.NodeOutput:
        vector = portrait.extract_appearance(
            renderer.on_device(),
            same_network(source, renderer.name, "source"),
            bf16=use_bf16(load_device()),
            keep_on=intermediate_device(),
        )
        return io.NodeOutput(Encoded(vector, renderer.name))
