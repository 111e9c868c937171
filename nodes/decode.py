"""Motion to frames: deviation, LMDD, warp, blend."""

from functools import partial

import torch

from ..host import io, load_device, progress_bar, use_bf16
from ..pipelines import layers, rendering
from ..pipelines.flow import Flow
from ..pipelines.forecast import of_rendering
from ..pipelines.settings import RenderingSettings
from .values.cancelling import cancellable
from .values.image_batch import check_memory, image_batch
from .values.previewing import previewed
from .values.sockets import Appearance, Motion, Renderer, Source, same_network, schema
from .values.sockets import Flow as FlowSocket
from .values.widgets import advanced, setting

PLANES = 4  # of a frame of Decode Motion: the picture and the mask
SIZES = ["photo", "256", "384", "512", "768", "1024"]


def rendering_settings(size: str, **values) -> RenderingSettings:
    """The settings for a choice of SIZES and what the other widgets say."""
    return RenderingSettings(size=None if size == "photo" else int(size), **values)


def gain_input() -> io.Float.Input:
    """The widget that scales all motion."""
    return setting(
        RenderingSettings,
        "gain",
        display_name="motion strength",
        tooltip="Factor on all motion of head, face and mouth: 0 is still, 1 unchanged, above 1 exaggerates.",
    )


def batch_input() -> io.Int.Input:
    """The widget of frames that are rendered at once."""
    return advanced(
        setting(
            RenderingSettings,
            "batch",
            display_name="frames at once",
            tooltip="Frames rendered at once. More is faster on a GPU and takes more memory; the pictures are the "
            "same.",
        )
    )


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
        gain_input(),
        setting(
            RenderingSettings,
            "articulation",
            display_name="mouth strength",
            tooltip="How strongly the inside of the mouth and its surroundings are generated while rendering; 1 is as "
            "trained. The size of the lips' motion is set by gain, and by audio_guidance of Sample Motion.",
        ),
        batch_input(),
    ]


def _rendered(
    renderer, source, appearance, motion, settings: RenderingSettings, render, *more, picture=None, first=0, **forecast
):
    """What `render` yields of a motion, as it is rendered; the other values are checked first. picture: the frames of
    a part, to be shown on the node; what the work is and about how long it takes is then said before, by `forecast`
    (see `of_rendering`). first: as of `rendering.render`."""
    encoded = same_network(source, renderer.name, "source")
    height, width = rendering.frame_size(renderer.module, encoded, settings.size)
    appearance = same_network(appearance, renderer.name, "appearance")
    with cancellable(renderer.on_device(rendering.working_memory(settings.batch, height, width))) as module:
        values, bf16 = (module, encoded, appearance, motion, settings), use_bf16(load_device())
        work = partial(render, *values, *more, bf16=bf16, **({"first": first} if first else {}))
        if picture is None:
            yield from work(progress=progress_bar(motion.frames))
        else:
            yield from previewed(work(), of_rendering(*values, bf16=bf16, first=first, **forecast), picture)


def rendered_frames(renderer, source, appearance, motion, settings: RenderingSettings, **forecast):
    """The frames in batches, as they are rendered: shared by the nodes that render."""
    picture = {"picture": lambda frames: frames}
    return _rendered(renderer, source, appearance, motion, settings, rendering.render, **picture, **forecast)


def motion_fields(renderer, source, appearance, motion, settings: RenderingSettings) -> layers.Fields:
    """The fields of a motion, for Motion Field. ValueError where they do not fit the memory."""
    needed = motion.frames * layers.bytes_a_frame(renderer.module)
    check_memory(
        needed, f"The fields of {motion.frames} frames", "use Decode Motion or Assemble Video, or a shorter voice"
    )

    def whole(*values, **rest):
        yield layers.motion_fields(*values, **rest)

    (fields,) = _rendered(renderer, source, appearance, motion, settings, whole)
    return fields


def mask_output() -> io.Mask.Output:
    """What is painted, shared with Paint."""
    return io.Mask.Output(
        display_name="mask",
        tooltip="Where the picture is painted (1): the inside of the mouth, lids, and what the photo does not show. "
        "Elsewhere it is the photo's own pixels, moved.",
    )


def flow_output() -> FlowSocket.Output:
    """The displacement, shared with Motion Field."""
    return FlowSocket.Output(display_name="flow", tooltip="Where each pixel of each frame comes from in the portrait.")


def gathered(parts, frames: int, height: int, width: int) -> tuple[torch.Tensor, ...]:
    """Batches of layers -> all frames (T,H,W,3), their masks (T,H,W), the flows of the batches, and what is transparent
    (T,H,W), zeros where the source has no alpha."""
    images, filled, flows = image_batch(frames, height, width, planes=PLANES), 0, []
    mask, clear = images.new_empty(frames, height, width), images.new_zeros(1, 1, 1).expand(frames, height, width)
    for part in parts:
        stop = filled + len(part.frames)
        images[filled:stop], mask[filled:stop] = part.frames[..., :3], part.painted
        if part.frames.shape[-1] == 4:
            clear = clear if filled else torch.empty_like(mask)
            clear[filled:stop] = 1 - part.frames[..., 3]
        flows.append(part.flow)
        filled = stop
    return images, mask, flows, clear


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
                mask_output(),
                flow_output(),
                io.Mask.Output(
                    display_name="transparent",
                    tooltip="What is transparent in each frame, where the source has alpha.",
                ),
            ],
        )

    @classmethod
    def execute(cls, renderer, source, appearance, motion, size, mode, gain, articulation, batch) -> io.NodeOutput:
        settings = rendering_settings(size, mode=mode, gain=gain, articulation=articulation, batch=batch)
        size = rendering.frame_size(renderer.module, source.value, settings.size)
        render, picture = layers.render_layers, lambda part: part.frames
        kept = {"kept": 4 * PLANES * size[0] * size[1]}
        parts = _rendered(renderer, source, appearance, motion, settings, render, size, picture=picture, **kept)
        images, mask, flows, clear = gathered(parts, motion.frames, *size)
        return io.NodeOutput(images, float(motion.fps), mask, Flow(torch.cat(flows), motion.fps), clear)
