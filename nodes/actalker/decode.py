"""ACTalker's latents to pictures, a few frames at a time."""

from ...host import intermediate_device, io, progress_bar
from ..values.sockets import ACTalker, schema
from ..values.widgets import advanced
from .encode import VAE_BYTES_A_PIXEL

LATENT_SIDE = 8  # the VAE's spatial reduction


class ACTalkerDecode(io.ComfyNode):
    """SVD's temporal VAE."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ACTalkerDecode",
            "ACTalker Decode",
            "ACTalker",
            ["vae decode", "svd vae", "latent to image"],
            description="Decodes the latents to pictures with SVD's temporal VAE, chunk by chunk. Any frame "
            "interpolation node may follow; Frames to Video adds the sound.",
            inputs=[
                ACTalker.Input("actalker", tooltip="From Load ACTalker."),
                io.Latent.Input("latent", tooltip="From ACTalker Sample."),
                advanced(
                    io.Int.Input(
                        "chunk",
                        display_name="frames at once",
                        default=10,
                        min=1,
                        max=100,
                        tooltip="Frames decoded together; 10 as published. Fewer take less memory, more are steadier.",
                    )
                ),
            ],
            outputs=[io.Image.Output(display_name="frames", tooltip="The frames, 12.5 a second.")],
        )

    @classmethod
    def execute(cls, actalker, latent, chunk) -> io.NodeOutput:
        from ...pipelines.actalker.stages import decode

        latents, device, images = latent["samples"], intermediate_device(), None
        pixels = latents.shape[-2:].numel() * LATENT_SIDE**2
        need = min(chunk, len(latents)) * pixels * VAE_BYTES_A_PIXEL * actalker.widening
        model = actalker.on_device("vae", memory_required=need)
        filled = 0
        for part in decode(model, latents, chunk=chunk, progress=progress_bar(len(latents)), keep_on=device):
            if images is None:
                images = part.new_empty((len(latents), *part.shape[1:]))
            images[filled : filled + len(part)] = part
            filled += len(part)
        return io.NodeOutput(images)
