"""Paste frames of the crop back into the whole picture."""

from ..host import io, progress_bar
from ..media.crop import FEATHER, paste_back
from .values.image_batch import image_batch
from .values.pictures import batch_of, plain
from .values.sockets import Crop, schema


def feather_input() -> io.Float.Input:
    """The soft edge, shared with Assemble Video."""
    return io.Float.Input(
        "feather",
        display_name="soft edge",
        default=FEATHER,
        min=0.0,
        max=0.5,
        step=0.01,
        tooltip="When frames are pasted back into the photo: width of the soft edge, as a part of the crop's "
        "side. 0 is a hard edge.",
    )


class PasteBack(io.ComfyNode):
    """Blend cropped frames into the photo they were cropped from."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "PasteBack",
            "Paste Back",
            "Render",
            ["merge", "composite", "stitch", "uncrop"],
            description="Pastes the frames of a crop back into the photo, with a soft edge, and gives the whole "
            "pictures. For several faces chain one after the other.",
            inputs=[
                io.Image.Input(
                    "photo",
                    tooltip="The whole photo that was given to Portrait Crop, or the frames of another Paste "
                    "Back of it.",
                ),
                io.Image.Input("frames", tooltip="Frames of the crop, of any size."),
                Crop.Input("crop", tooltip="From Portrait Crop: where the crop lies in the photo."),
                feather_input(),
                Crop.Input(
                    "beside",
                    optional=True,
                    tooltip="The crop of another face of this photo: where both crops lie, each face keeps its half.",
                ),
            ],
            outputs=[io.Image.Output(display_name="frames", tooltip="The whole photo, once for every frame.")],
        )

    @classmethod
    def execute(cls, photo, frames, crop, feather, beside=None) -> io.NodeOutput:
        whole, frames = batch_of(photo, "photo"), batch_of(frames, "frames")
        if len(whole) not in (1, len(frames)):
            raise ValueError(
                f"Paste Back takes one photo, or as many pictures as frames, but {len(whole)} came in at 'photo' and "
                f"{len(frames)} at 'frames'."
            )
        progress = progress_bar(len(frames))
        pictures = image_batch(len(frames), *whole.shape[1:3])
        for start in range(0, len(frames), 8):
            part, below = (
                plain(frames[start : start + 8], "frames"),
                whole[start : start + 8] if len(whole) > 1 else whole,
            )
            others = [] if beside is None else [beside]
            pictures[start : start + 8] = paste_back(plain(below, "photo"), part, crop, feather, others)
            progress(min(start + 8, len(frames)), len(frames))
        return io.NodeOutput(pictures)
