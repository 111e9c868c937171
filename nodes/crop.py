"""Find a face in a photo and cut a square around it."""

from typing import Any

import torch

from ..host import intermediate_device, io
from ..media.crop import CROP_SCALE, CROP_SHIFT, cut
from ..media.faces import FINDERS, Face
from ..pipelines.framing import frame_portrait
from .values.pictures import alpha_of, one_photo
from .values.sockets import Crop, schema
from .values.widgets import FINDER_TOOLTIP, advanced, which_face_inputs


def face_choice(finder: str, face: str, number: int, box: tuple[int, int, int, int]) -> dict[str, Any]:
    """The widgets of face finding as arguments of `frame_portrait`; box is (x, y, width, height)."""
    x, y, width, height = box
    corners = (x, y, x + width, y + height) if finder == "box" else None
    return {"finder": finder, "box": corners, "which": number if face == "number" else face}


def face_mask(face: Face, height: int, width: int) -> torch.Tensor:
    """An ellipse on the face's box (1,H,W); all ones for the whole image."""
    if face.finder == "whole":
        return torch.ones(1, height, width)
    x0, y0, x1, y1 = (float(v) for v in face.box)
    x = (torch.arange(width) + 0.5 - (x0 + x1) / 2) / max((x1 - x0) / 2, 1e-6)
    y = (torch.arange(height) + 0.5 - (y0 + y1) / 2) / max((y1 - y0) / 2, 1e-6)
    return (x[None, :] ** 2 + y[:, None] ** 2 <= 1).float()[None]


def scale_input() -> io.Float.Input:
    """How much of the surroundings the crop takes; the same for portraits and driving videos."""
    return io.Float.Input(
        "scale",
        display_name="crop size",
        default=CROP_SCALE,
        min=1.0,
        max=5.0,
        step=0.05,
        tooltip="Side of the crop as a multiple of the face box: larger takes in more of hair and shoulders. "
        "The default is the framing of the training pictures.",
    )


def _box_input(name: str, what: str) -> io.Int.Input:
    return advanced(
        io.Int.Input(
            name,
            default=0,
            min=0,
            max=65535,
            optional=True,
            tooltip=f"{what} of the face box in pixels, with finder = box.",
        )
    )


class PortraitCrop(io.ComfyNode):
    """Photo to square portrait, and the crop for pasting it back."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "Crop",
            "Portrait Crop (Face)",
            "Portrait",
            ["face detection", "face crop", "detect face", "align face", "talking portrait"],
            description="Finds a face and cuts a square around it with the photo's own pixels. With several faces "
            "you choose which.",
            inputs=[
                io.Image.Input("image", tooltip="One photo of any size and shape."),
                io.Combo.Input(
                    "finder",
                    options=list(FINDERS),
                    default="auto",
                    tooltip=FINDER_TOOLTIP + "box: the box given below. whole: the whole picture, without detection.",
                ),
                *which_face_inputs(),
                scale_input(),
                advanced(
                    io.Float.Input(
                        "shift",
                        display_name="room above",
                        default=CROP_SHIFT,
                        min=-1.0,
                        max=1.0,
                        step=0.01,
                        tooltip="How far the crop lies above the face box, as a fraction of its side; room for hair.",
                    )
                ),
                _box_input("box_x", "Left edge"),
                _box_input("box_y", "Top edge"),
                _box_input("box_width", "Width"),
                _box_input("box_height", "Height"),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The square portrait."),
                Crop.Output(display_name="crop", tooltip="Where it was cut, for Paste Back."),
                io.Mask.Output(display_name="face_mask", tooltip="The face in the whole photo."),
            ],
        )

    @classmethod
    def execute(
        cls, image, finder, face, face_number, scale, shift, box_x=0, box_y=0, box_width=0, box_height=0
    ) -> io.NodeOutput:
        photo = one_photo(image, "Portrait Crop")
        choice = face_choice(finder, face, face_number, (box_x, box_y, box_width, box_height))
        framed = frame_portrait(photo, **choice, scale=scale, shift=shift)
        mask, picture, alpha = face_mask(framed.face, *photo.shape[:2]), framed.picture, alpha_of(image)
        if alpha is not None:
            picture = torch.cat([picture, cut(alpha[..., None], framed.crop)], -1)
        device = intermediate_device()
        return io.NodeOutput(picture[None].to(device), framed.crop, mask.to(device))
