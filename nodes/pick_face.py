"""One of several faces, by a click, a box, a mask, its side or its number."""

import cv2
import torch

from ..host import intermediate_device, io
from ..media.crop import CROP_SCALE, Crop, crop_portrait
from ..media.faces import CHOICES, FINDERS, Face, choose_face, find_faces
from ..media.photo import to_uint8
from .control import single_mask
from .crop import face_mask, scale_input
from .values.pictures import one_photo
from .values.sockets import Crop as CropSocket
from .values.sockets import schema
from .values.widgets import FINDER_TOOLTIP, advanced

WAYS = (*CHOICES, "number", "point", "box", "mask")
BoundingBox = io.Custom("BOUNDING_BOX")  # of hosts that have it; others never wire it
PICKED, FOUND, INK = (60, 200, 90), (235, 235, 235), (20, 20, 20)


def overlay(photo: torch.Tensor, faces: list[Face], picked: Face, crop: Crop) -> torch.Tensor:
    """The photo (H,W,3) with a numbered box around each face, in the order of their sizes, and the crop of the picked
    one."""
    picture = to_uint8(photo).copy()
    thick = max(1, min(picture.shape[:2]) // 150)
    for number, face in enumerate(faces):
        colour = PICKED if face is picked else FOUND
        x0, y0, x1, y1 = (round(v) for v in face.box)
        cv2.rectangle(picture, (x0, y0), (x1, y1), colour, thick, cv2.LINE_AA)
        size = max(0.4, face.size / 200)
        cv2.putText(
            picture, str(number), (x0 + 4, y0 + round(30 * size)), cv2.FONT_HERSHEY_SIMPLEX, size, INK, 3 * thick
        )
        cv2.putText(
            picture, str(number), (x0 + 4, y0 + round(30 * size)), cv2.FONT_HERSHEY_SIMPLEX, size, colour, thick
        )
    corner = crop.x0 + crop.size, crop.y0 + crop.size
    cv2.rectangle(picture, (crop.x0, crop.y0), corner, PICKED, thick, cv2.LINE_AA)
    return torch.from_numpy(picture).float() / 255


def middle_of_mask(mask: torch.Tensor | None, height: int, width: int) -> tuple[float, float]:
    """(x, y), the centre of a mask's weight in pixels of the photo."""
    mask = single_mask(mask)
    if mask is None:
        raise ValueError("Pick Face by mask needs a mask: paint one over the face, or choose another way.")
    weight = mask.clamp(min=0)
    total = float(weight.sum())
    if total <= 0:
        raise ValueError("The mask is empty: paint it over the face that is meant.")
    rows, columns = (torch.arange(n) + 0.5 for n in mask.shape)
    x, y = float((weight.sum(0) * columns).sum()) / total, float((weight.sum(1) * rows).sum()) / total
    return x * width / mask.shape[1], y * height / mask.shape[0]


def given_box(bounding_box, x: int, y: int, width: int, height: int) -> tuple[float, float, float, float]:
    """The corners of a host's bounding box, or of the numbers."""
    if bounding_box is not None:
        bounding_box = bounding_box[0] if isinstance(bounding_box, (list, tuple)) else bounding_box
        try:
            x, y, width, height = (float(bounding_box[key]) for key in ("x", "y", "width", "height"))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError("The bounding box has no x, y, width and height: wire another one, or none.") from error
    return float(x), float(y), float(x + width), float(y + height)


def _number(name: str, label: str, tooltip: str) -> io.Int.Input:
    return io.Int.Input(name, display_name=label, default=0, min=0, max=65535, optional=True, tooltip=tooltip)


class PickFace(io.ComfyNode):
    """Choose a face of a photo with several."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "PickFace",
            "Pick Face (Several People)",
            "Portrait",
            ["choose face", "select face", "several faces", "two people", "face crop", "multi person"],
            description="Finds all faces of a photo and picks one: by its side or size, its number, a point, a box or "
            "a mask. The overlay shows which face has which number. Gives the square around it, as Portrait Crop does.",
            inputs=[
                io.Image.Input("image", tooltip="One photo with one or more faces."),
                io.Combo.Input(
                    "pick",
                    options=list(WAYS),
                    default="left",
                    tooltip="largest, left, right, center: by size or place. number: as the overlay shows, 0 is the "
                    "largest. point: the face at x and y. box: the box below, or the wired one, is the face. mask: the "
                    "face under the middle of the mask.",
                ),
                io.Combo.Input(
                    "finder",
                    options=[name for name in FINDERS if name not in ("box", "whole")],
                    default="auto",
                    tooltip=FINDER_TOOLTIP.strip(),
                ),
                scale_input(),
                io.Mask.Input("mask", optional=True, tooltip="With pick = mask: painted over the face."),
                BoundingBox.Input(
                    "bounding_box",
                    optional=True,
                    tooltip="With pick = box, in hosts with such a socket.",
                    extra_dict={"forceInput": True},  # no widget of the page's: its box would always count as given
                ),
                _number("number", "number", "With pick = number: as the overlay shows."),
                _number("x", "x", "With pick = point or box: distance from the left edge in pixels."),
                _number("y", "y", "With pick = point or box: distance from the upper edge in pixels."),
                advanced(_number("width", "box width", "With pick = box: from brows to chin, in pixels.")),
                advanced(_number("height", "box height", "With pick = box: from brows to chin, in pixels.")),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The square portrait of that face."),
                CropSocket.Output(display_name="crop", tooltip="Where it was cut, for Paste Back."),
                io.Mask.Output(display_name="face_mask", tooltip="That face in the whole photo."),
                io.Image.Output(
                    display_name="overlay", tooltip="The photo with all faces numbered, the picked one green."
                ),
                io.Int.Output(display_name="count", tooltip="How many faces were found."),
            ],
        )

    @classmethod
    def execute(
        cls,
        image,
        pick,
        finder,
        scale=CROP_SCALE,
        mask=None,
        bounding_box=None,
        number=0,
        x=0,
        y=0,
        width=0,
        height=0,
    ) -> io.NodeOutput:
        photo = one_photo(image, "Pick Face")
        box = given_box(bounding_box, x, y, width, height) if pick == "box" else None
        faces = find_faces(photo, "box" if box else finder, box)
        which = {"number": number, "point": (float(x), float(y)), "box": "largest"}.get(pick, pick)
        if pick == "mask":
            which = middle_of_mask(mask, *photo.shape[:2])
        face = choose_face(faces, which)
        picture, crop = crop_portrait(photo, face, scale)
        device = intermediate_device()
        shown = overlay(photo, faces, face, crop)[None]
        masked = face_mask(face, *photo.shape[:2])
        return io.NodeOutput(picture[None].to(device), crop, masked.to(device), shown.to(device), len(faces))
