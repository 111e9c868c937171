"""ACTalker's three encoders: identity, voice and driving video."""

import math
from dataclasses import dataclass
from typing import Any

import torch

from ...host import intermediate_device, io, progress_bar
from ...media.audio import to_mono_16k
from ...media.faces import FINDERS, choose_face, find_faces
from ...pipelines.actalker.crops import lanczos, prepared_size
from ...pipelines.actalker.masks import Masks, five_points
from ...pipelines.actalker.preview import preview_colors
from ..control import single_mask
from ..values.pictures import one_photo
from ..values.sockets import ACTalker, ACTalkerIdentity, ACTalkerMotion, ACTalkerVoice, Encoded, FaceBox, schema
from ..values.sound import sound_of
from ..values.video_input import open_video
from ..values.widgets import FINDER_TOOLTIP

# Peak activations of SVD's VAE for each pixel of each frame, by `learning/evaluation/actalker/cost.py` and rounded up:
# 2,050 bytes of the decoder in fp16, 2,572 of the encoder, which always runs in fp32.
VAE_BYTES_A_PIXEL = 3_000
NO_FACE = (
    "No face was found in the first frame of the driving video: begin where a face looks at the camera, or choose the "
    "finder 'whole' if the video is cut to a face already."
)
MODEL_TOOLTIP = "From Load ACTalker."


@dataclass(frozen=True, eq=False)
class ACTalkerPortrait:
    """An encoded portrait, its face mask, and the linear map of its previews."""

    identity: Any  # pipelines.actalker.Identity, which needs the extra to be imported
    masks: Masks
    colors: torch.Tensor


class ACTalkerEncodeIdentity(io.ComfyNode):
    """Photo to identity token, VAE latent and face feature."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ACTalkerEncodeIdentity",
            "ACTalker Encode Identity",
            "ACTalker",
            ["arcface", "reference image", "vae encode"],
            description="Encodes the photo for ACTalker: identity (ArcFace), appearance (VAE latent), and where the "
            "face may move (face mask).",
            inputs=[
                ACTalker.Input("actalker", tooltip=MODEL_TOOLTIP),
                io.Image.Input("image", tooltip="One photo; ACTalker generates the whole picture, not only the face."),
                FaceBox.Input("face_box", tooltip="From ACTalker Masks of this photo."),
                io.Mask.Input("face_mask", tooltip="Where the face may move; as large as the photo."),
                io.Int.Input(
                    "short_side",
                    default=0,
                    min=0,
                    max=1024,
                    step=64,
                    tooltip="Short side of the generated picture in pixels; 0 is the model's own, 576 as published. "
                    "Sides become multiples of 64.",
                ),
            ],
            outputs=[ACTalkerIdentity.Output(display_name="identity", tooltip="The encoded portrait.")],
        )

    @classmethod
    def execute(cls, actalker, image, face_box, face_mask, short_side) -> io.NodeOutput:
        from ...pipelines.actalker.stages import encode_identity

        photo, mask = one_photo(image, "ACTalker Encode Identity"), single_mask(face_mask)
        pixels = math.prod(prepared_size(*photo.shape[:2], short_side or actalker.config.image_size))
        model = actalker.on_device("vae", "identity", memory_required=VAE_BYTES_A_PIXEL * pixels)
        identity = encode_identity(
            model, photo, face_box, mask, image_size=short_side or None, keep_on=intermediate_device()
        )
        masks = Masks(mask, torch.zeros_like(mask), mask)
        colors = preview_colors(identity.latent, lanczos(photo, identity.size))
        return io.NodeOutput(Encoded(ACTalkerPortrait(identity, masks, colors), actalker.name))


class ACTalkerEncodeVoice(io.ComfyNode):
    """Recording to audio tokens."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ACTalkerEncodeVoice",
            "ACTalker Encode Voice",
            "ACTalker",
            ["whisper", "audio tokens", "audio features"],
            description="Encodes a voice with Whisper: tokens of the sound around each of 12.5 frames a second.",
            inputs=[
                ACTalker.Input("actalker", tooltip=MODEL_TOOLTIP),
                io.Audio.Input("audio", tooltip="Speech at any sample rate, mono or stereo, of any length."),
            ],
            outputs=[ACTalkerVoice.Output(display_name="voice", tooltip="The voice, for ACTalker Sample.")],
        )

    @classmethod
    def execute(cls, actalker, audio) -> io.NodeOutput:
        from ...pipelines.actalker.stages import encode_voice

        waveform = to_mono_16k(*sound_of(audio))
        model, device = actalker.on_device("voice"), intermediate_device()
        voice = encode_voice(model, waveform, progress=progress_bar(), keep_on=device)
        return io.NodeOutput(Encoded(voice, actalker.name))


class ACTalkerEncodeDriving(io.ComfyNode):
    """Driving video to motion tokens."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ACTalkerEncodeDriving",
            "ACTalker Encode Driving Video",
            "ACTalker",
            ["expression", "head pose", "video to motion", "motion tokens"],
            description="Encodes expression and head rotation in a video, 12.5 times a second, while it is read from "
            "disk.",
            inputs=[
                ACTalker.Input("actalker", tooltip=MODEL_TOOLTIP),
                io.Video.Input("video", tooltip="A video of one face, at any frame rate."),
                io.Combo.Input(
                    "finder",
                    options=[name for name in FINDERS if name != "box"],
                    default="auto",
                    tooltip=FINDER_TOOLTIP + "whole: the video is cut to the face already.",
                ),
                io.Combo.Input(
                    "follow",
                    options=["every frame", "first frame"],
                    default="every frame",
                    tooltip="every frame: the face is detected in every frame, as published. first frame: only in the "
                    "first, for a face that stays in its place; quicker.",
                ),
            ],
            outputs=[
                ACTalkerMotion.Output(display_name="driving", tooltip="The motion, for ACTalker Sample."),
                io.Audio.Output(display_name="audio", tooltip="The video's own sound."),
            ],
        )

    @classmethod
    def execute(cls, actalker, video, finder, follow) -> io.NodeOutput:
        from ...pipelines.actalker.driving import encode_driving_stream

        stream = open_video(video)
        bar = progress_bar()
        driving = encode_driving_stream(
            actalker.on_device("motion"),
            stream.frames,
            stream.fps,
            face_tracker(finder, follow == "every frame"),
            progress=lambda read: bar(read, max(read, stream.total or 0)),
            keep_on=intermediate_device(),
        )
        return io.NodeOutput(Encoded(driving, actalker.name), stream.audio)


def face_tracker(finder: str, every_frame: bool):
    """A function picture (H,W,3) -> (box, landmarks) that tracks one face: of several, the nearest to the last one.

    If no face is found in a later frame, the last box is kept; ValueError if none is found in the first.
    """
    last = None

    def find(picture: torch.Tensor):
        nonlocal last
        if last is None:
            faces = find_faces(picture, finder)
            if not faces:
                raise ValueError(NO_FACE)
            last = choose_face(faces)
        elif every_frame and finder != "whole" and (faces := find_faces(picture, finder)):
            x, y = last.center
            last = min(faces, key=lambda face: (face.center[0] - x) ** 2 + (face.center[1] - y) ** 2)
        return last.box, five_points(last)

    return find
