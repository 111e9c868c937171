"""Motion to frames: deviation, LMDD, warp, blend."""

import torch

from ..host import io, load_device, progress_bar, use_bf16
from ..pipelines import portrait
from ..pipelines.settings import RenderingSettings
from .values.cancelling import cancellable
from .values.image_batch import image_batch
from .values.sockets import Appearance, Motion, Renderer, Source, same_network, schema
from .values.widgets import advanced, setting

SIZES = ["photo", "256", "384", "512", "768", "1024"]


def rendering_settings(size: str, **values) -> RenderingSettings:
    """The settings for a choice of SIZES and what the other widgets say."""
    return RenderingSettings(size=None if size == "photo" else int(size), **values)


def rendering_inputs() -> list:
    """The inputs that Decode Motion and Assemble Video share."""
    return [
        Renderer.Input("renderer", tooltip="From Load Renderer; the same one that encoded the source."),
        Source.Input("source", tooltip="From Encode Source: the portrait to move."),
        Appearance.Input("appearance", tooltip="From Extract Appearance of the same source."),
        Motion.Input("motion", tooltip="From Sample Motion, Encode Driving Video, Load, Edit or Mix Motion."),
        io.Combo.Input(
            "size",
            options=SIZES,
            default="photo",
            tooltip="Side of the frames in pixels. photo keeps the portrait's own size and detail (it is warped, not "
            "generated anew); a portrait smaller than the renderer's 256 is enlarged to that.",
        ),
        setting(
            RenderingSettings,
            "mode",
            display_name="pose and lips",
            tooltip="relative: the change of the motion is added to the portrait's own pose; for a voice, lips "
            "that are parted "
            "in the photo close first. keep_lips: they stay parted between words. absolute: the driver's expression "
            "and head rotation are used as they are, but not the position in the picture. expression: only his "
            "expression is; the head moves from the portrait's own pose.",
        ),
        setting(
            RenderingSettings,
            "gain",
            display_name="motion strength",
            tooltip="Factor on all motion of head, face and mouth: 0 is still, 1 unchanged, above 1 exaggerates.",
        ),
        setting(
            RenderingSettings,
            "articulation",
            display_name="mouth strength",
            tooltip="How strongly the inside of the mouth and its surroundings are generated while rendering; 1 is as "
            "trained. The size of the lips' motion is set by gain, and by audio_guidance of Sample Motion.",
        ),
        advanced(
            setting(
                RenderingSettings,
                "batch",
                display_name="frames at once",
                tooltip="Frames rendered at once. More is faster on a GPU and takes more memory; the pictures are the "
                "same.",
            )
        ),
    ]


def rendered_frames(renderer, source, appearance, motion, settings: RenderingSettings):
    """The frames in batches, as they are rendered: shared by the two nodes that render."""
    encoded = same_network(source, renderer.name, "source")
    height, width = portrait.frame_size(renderer.module, encoded, settings.size)
    appearance = same_network(appearance, renderer.name, "appearance")
    with cancellable(renderer.on_device(portrait.working_memory(settings.batch, height, width))) as module:
        yield from portrait.render(
            module,
            encoded,
            appearance,
            motion,
            settings,
            bf16=use_bf16(load_device()),
            progress=progress_bar(motion.frames),
        )


class DecodeMotion(io.ComfyNode):
    """The LMDD and warp decoder, to a batch of frames."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "DecodeMotion",
            "Decode Motion (LMDD / Warp)",
            "Render",
            ["render", "animate", "talking head", "avatar", "warp", "latent motion decoupling", "lmdd"],
            description="Renders motion on the portrait and gives the frames as images. All frames are held in memory: "
            "for long clips use Assemble Video, which writes them as they come. Cancel takes effect within a batch.",
            inputs=rendering_inputs(),
            outputs=[
                io.Image.Output(display_name="frames", tooltip="The frames, as an image batch."),
                io.Float.Output(display_name="fps", tooltip="Frames a second of these frames."),
                io.Mask.Output(
                    display_name="transparent",
                    tooltip="What is transparent in each frame, where the source has alpha.",
                ),
            ],
        )

    @classmethod
    def execute(cls, renderer, source, appearance, motion, size, mode, gain, articulation, batch) -> io.NodeOutput:
        settings = rendering_settings(size, mode=mode, gain=gain, articulation=articulation, batch=batch)
        images = image_batch(motion.frames, *portrait.frame_size(renderer.module, source.value, settings.size))
        clear = torch.zeros(1, 1, 1).expand(images.shape[:3])
        if source.value.image.shape[1] == 4:
            clear = torch.empty(images.shape[:3])
        filled = 0
        for frames in rendered_frames(renderer, source, appearance, motion, settings):
            part = slice(filled, filled + len(frames))
            images[part] = frames[..., :3]
            if frames.shape[-1] == 4:
                clear[part] = 1 - frames[..., 3]
            filled += len(frames)
        return io.NodeOutput(images, float(motion.fps), clear.to(images.device))
