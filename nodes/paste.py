"""Paste frames of the crop back into the whole picture."""

from ..host import io, progress_bar
from ..media.crop import FEATHER, paste_back
from .values.image_batch import image_batch
from .values.pictures import batch_of, one_photo, plain
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
            "pictures.",
            inputs=[
                io.Image.Input("photo", tooltip="The whole photo that was given to Portrait Crop."),
                io.Image.Input("frames", tooltip="Frames of the crop, of any size."),
                Crop.Input("crop", tooltip="From Portrait Crop: where the crop lies in the photo."),
                feather_input(),
            ],
            outputs=[io.Image.Output(display_name="frames", tooltip="The whole photo, once for every frame.")],
        )

    @classmethod
    def execute(cls, photo, frames, crop, feather) -> io.NodeOutput:
        whole, frames = one_photo(photo, "Paste Back", "photo"), batch_of(frames, "frames")
        progress = progress_bar(len(frames))
        pictures = image_batch(len(frames), *whole.shape[:2])
        for start in range(0, len(frames), 8):
            part = plain(frames[start : start + 8], "frames")
            pictures[start : start + 8] = paste_back(whole, part, crop, feather)
            progress(min(start + 8, len(frames)), len(frames))
        return io.NodeOutput(pictures)
