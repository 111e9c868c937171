"""ACTalker's masks, as MASK values."""

import torch

from ...host import intermediate_device, io
from ...media.faces import FINDERS, find_face
from ...pipelines.actalker.masks import EXTEND, MASK_MODES, face_masks, five_points, mouth_box
from ..crop import face_choice
from ..values.pictures import batch_of, plain
from ..values.sockets import FaceBox, schema
from ..values.widgets import FINDER_TOOLTIP, advanced, which_face_inputs


def _corner(name: str, what: str) -> io.Int.Input:
    tooltip = f"{what} of the face box in pixels, with finder = box."
    return advanced(io.Int.Input(name, default=0, min=0, max=65535, optional=True, tooltip=tooltip))


class ACTalkerMasks(io.ComfyNode):
    """Face, mouth and the rest."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ACTalkerMasks",
            "ACTalker Masks",
            "ACTalker",
            ["face mask", "mouth mask", "audio mask", "motion mask"],
            description="Finds the face and draws ACTalker's masks: the face, and the areas that the voice and the "
            "driving video control. For a clip the box around all its faces is used. Any mask node can edit them.",
            inputs=[
                io.Image.Input("image", tooltip="The photo, or all frames of a clip."),
                io.Combo.Input(
                    "finder",
                    options=list(FINDERS),
                    default="auto",
                    tooltip=FINDER_TOOLTIP + "box: the box given below. whole: the whole picture is the face.",
                ),
                *which_face_inputs(),
                io.Float.Input(
                    "extend",
                    default=EXTEND,
                    min=0.5,
                    max=4.0,
                    step=0.05,
                    tooltip="Size of the face mask as a multiple of the face box; 1.2 as published.",
                ),
                io.Combo.Input(
                    "mask_mode",
                    options=list(MASK_MODES),
                    default=MASK_MODES[0],
                    tooltip="For voice and video together. release: both control the whole picture, as in the "
                    "published script. paper: the voice controls the mouth, the video the rest of the face.",
                ),
                _corner("box_x", "Left edge"),
                _corner("box_y", "Top edge"),
                _corner("box_width", "Width"),
                _corner("box_height", "Height"),
            ],
            outputs=[
                FaceBox.Output(
                    display_name="face_box", tooltip="The face's box in the first picture, for its identity."
                ),
                io.Mask.Output(display_name="face_mask", tooltip="The extended face: the area that may move."),
                io.Mask.Output(display_name="audio_mask", tooltip="The area of the voice, for Control Gates."),
                io.Mask.Output(display_name="motion_mask", tooltip="The area of the driving video, for Control Gates."),
            ],
        )

    @classmethod
    def execute(
        cls, image, finder, face, face_number, extend, mask_mode, box_x=0, box_y=0, box_width=0, box_height=0
    ) -> io.NodeOutput:
        choice = face_choice(finder, face, face_number, (box_x, box_y, box_width, box_height))
        image = batch_of(image, "image")
        pictures = (plain(picture, "image") for picture in image)
        faces = [find_face(picture, **choice) for picture in pictures]
        mouths = [mouth_box(found.box, five_points(found)) for found in faces]
        masks = face_masks(tuple(image.shape[1:3]), [found.box for found in faces], mouths, extend)
        if mask_mode == "release":
            masks = masks._replace(mouth=torch.ones_like(masks.face), motion=torch.ones_like(masks.face))
        device = intermediate_device()
        return io.NodeOutput(faces[0].box, *(mask[None].to(device) for mask in masks))
