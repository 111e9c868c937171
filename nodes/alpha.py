"""Frames with transparency to the output folder."""

import torch

from ..host import io, progress_bar, save_path, ui
from ..media.alpha_video import AlphaVideoWriter
from ..media.photo import save_image
from ..media.timing import exact_rate
from ..pipelines.settings import RenderingSettings
from ..vocabulary import FPS
from .values.cancelling import one_by_one
from .values.pictures import batch_of, plain
from .values.sockets import schema
from .values.sound import sound_of
from .values.widgets import setting

WEBM, PICTURES = "webm", "png pictures"


class SaveAlpha(io.ComfyNode):
    """A WEBM with alpha, or numbered PNG files."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "SaveAlpha",
            "Save Film with Transparency",
            "Render",
            ["alpha", "transparent", "webm", "png sequence", "cutout", "overlay"],
            description="Writes frames with what is transparent in them into the output folder: a WEBM with alpha and "
            "sound, or a picture for each frame.",
            inputs=[
                io.Image.Input("frames", tooltip="From Decode Motion."),
                io.Mask.Input("mask", tooltip="What is transparent, from Decode Motion."),
                io.Audio.Input("audio", optional=True, tooltip="The sound of the WEBM."),
                io.Float.Input(
                    "fps",
                    default=float(FPS),
                    min=1.0,
                    max=240.0,
                    step=0.001,
                    tooltip="Frames a second; 29.97 means 30000/1001.",
                ),
                io.Combo.Input(
                    "format",
                    options=[WEBM, PICTURES],
                    default=WEBM,
                    tooltip="webm: a film (VP9) that browsers and editors lay over other pictures. png pictures: a "
                    "numbered PNG for each frame, without sound.",
                ),
                io.String.Input(
                    "filename_prefix",
                    default="video/transparent",
                    tooltip="Name in the output folder, or in a subfolder of it; a number and the ending are added.",
                ),
                setting(RenderingSettings, "quality", "Constant rate factor: lower is better and larger."),
            ],
            outputs=[io.String.Output(display_name="path", tooltip="The film, or the first picture.")],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, frames, mask, fps, format, filename_prefix, quality, audio=None) -> io.NodeOutput:
        frames = batch_of(frames, "frames")
        mask = mask.reshape(-1, *mask.shape[-2:])
        if mask.shape[1:] != frames.shape[1:3] or len(mask) not in (1, len(frames)):
            raise ValueError(
                f"The frames are {len(frames)} of {frames.shape[2]}x{frames.shape[1]} and the mask {len(mask)} of "
                f"{mask.shape[2]}x{mask.shape[1]}: give the mask that comes with the frames."
            )
        mask, progress = mask.expand(len(frames), -1, -1), progress_bar(len(frames))

        def parts():
            for start in range(0, len(frames), 8):
                colour = plain(frames[start : start + 8], "frames")
                alpha = 1 - mask[start : start + 8].cpu().float().clamp(0, 1)
                yield torch.cat([colour, alpha[..., None]], -1)
                progress(min(start + 8, len(frames)), len(frames))

        if format == PICTURES:
            paths = [save_image(save_path(filename_prefix, "png"), one[0]) for one in one_by_one(parts())]
        else:
            sound = None if audio is None else sound_of(audio)
            paths = [save_path(filename_prefix, "webm")]
            with AlphaVideoWriter(paths[0], fps=exact_rate(fps), audio=sound, crf=quality) as writer:
                for one in one_by_one(parts()):
                    writer.write(one)
        count = f"{len(paths)} pictures from " if format == PICTURES else ""
        return io.NodeOutput(str(paths[0].absolute()), ui=ui.PreviewText(f"{count}{paths[0].name}"))
