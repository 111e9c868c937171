"""Small versions of the ComfyUI core nodes that our workflows use, with core's ids, input names and outputs."""

import contextlib
from fractions import Fraction

import torch

from ...media.audio import load_audio, write_wav
from ...media.photo import load_cutout, load_photo, save_image
from ...media.video import VideoWriter
from . import schema as io
from .picture_nodes import ImageScaleBy, ImageSharpen
from .settings import input_file, save_path, temp_directory
from .video import VideoFromFile


def _modification_time(name: str) -> float | str:
    """Modification time of an input file; "" for one that is not there or may not be read (the node then raises)."""
    with contextlib.suppress(OSError):
        return input_file(name).stat().st_mtime
    return ""


class LoadImage(io.ComfyNode):
    """A picture file."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema("LoadImage", inputs=[io.String.Input("image")], outputs=[io.Image.Output(), io.Mask.Output()])

    @classmethod
    def fingerprint_inputs(cls, image) -> float | str:
        return _modification_time(image)

    @classmethod
    def execute(cls, image) -> io.NodeOutput:
        picture, alpha = load_photo(input_file(image))[None], load_cutout(input_file(image))[1]
        return io.NodeOutput(picture, torch.zeros(1, *picture.shape[1:3]) if alpha is None else 1 - alpha[None])


class JoinImageWithAlpha(io.ComfyNode):
    """Pictures with the alpha of a mask, which is 1 where they are transparent."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            "JoinImageWithAlpha",
            inputs=[io.Image.Input("image"), io.Mask.Input("alpha")],
            outputs=[io.Image.Output()],
        )

    @classmethod
    def execute(cls, image, alpha) -> io.NodeOutput:
        return io.NodeOutput(torch.cat([image[..., :3], 1 - alpha[..., None]], -1))


class LoadAudio(io.ComfyNode):
    """A sound file."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema("LoadAudio", inputs=[io.String.Input("audio")], outputs=[io.Audio.Output()])

    @classmethod
    def fingerprint_inputs(cls, audio) -> float | str:
        return _modification_time(audio)

    @classmethod
    def execute(cls, audio) -> io.NodeOutput:
        waveform, rate = load_audio(input_file(audio))
        return io.NodeOutput({"waveform": waveform[None], "sample_rate": rate})


class LoadVideo(io.ComfyNode):
    """A video file, not yet decoded."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema("LoadVideo", inputs=[io.String.Input("file")], outputs=[io.Video.Output()])

    @classmethod
    def fingerprint_inputs(cls, file) -> float | str:
        return _modification_time(file)

    @classmethod
    def execute(cls, file) -> io.NodeOutput:
        return io.NodeOutput(VideoFromFile(input_file(file)))


class GetVideoComponents(io.ComfyNode):
    """A video decoded."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            "GetVideoComponents",
            inputs=[io.Video.Input("video")],
            outputs=[io.Image.Output(), io.Audio.Output(), io.Float.Output()],
        )

    @classmethod
    def execute(cls, video) -> io.NodeOutput:
        parts = video.get_components()
        return io.NodeOutput(parts.images, parts.audio, float(parts.frame_rate))


class CreateVideo(io.ComfyNode):
    """Frames and sound to a video."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            "CreateVideo",
            inputs=[
                io.Image.Input("images"),
                io.Float.Input("fps", default=30.0, min=1.0, max=120.0),
                io.Audio.Input("audio", optional=True),
            ],
            outputs=[io.Video.Output()],
        )

    @classmethod
    def execute(cls, images, fps, audio=None) -> io.NodeOutput:
        path = temp_directory() / f"create_video_{id(images)}.mp4"
        sound = None if audio is None else (audio["waveform"][0], audio["sample_rate"])
        with VideoWriter(path, fps=Fraction(fps).limit_denominator(1001), audio=sound) as writer:
            for image in images:
                writer.write(image)
        return io.NodeOutput(VideoFromFile(path))


class SaveVideo(io.ComfyNode):
    """A video into the output folder."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            "SaveVideo",
            inputs=[
                io.Video.Input("video"),
                io.String.Input("filename_prefix", default="video/ComfyUI"),
                io.Combo.Input("format", options=["auto", "mp4"], default="auto"),
                io.Combo.Input("codec", options=["auto", "h264"], default="auto"),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, video, filename_prefix, format="auto", codec="auto") -> io.NodeOutput:
        path = save_path(filename_prefix, "mp4")
        video.save_to(path)
        return io.NodeOutput(ui={"files": [str(path)]})


class SaveImage(io.ComfyNode):
    """Pictures into the output folder."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            "SaveImage",
            inputs=[io.Image.Input("images"), io.String.Input("filename_prefix", default="ComfyUI")],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, images, filename_prefix) -> io.NodeOutput:
        paths = []
        for image in images:
            paths.append(str(save_image(save_path(filename_prefix, "png"), image[..., :3])))
        return io.NodeOutput(ui={"files": paths})


class SaveAudio(io.ComfyNode):
    """Sound into the output folder (WAV here; FLAC in ComfyUI)."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            "SaveAudio",
            inputs=[io.Audio.Input("audio"), io.String.Input("filename_prefix", default="audio/ComfyUI")],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, audio, filename_prefix) -> io.NodeOutput:
        path = save_path(filename_prefix, "wav")
        write_wav(path, audio["waveform"][0], audio["sample_rate"])
        return io.NodeOutput(ui={"files": [str(path)]})


class PreviewImage(io.ComfyNode):
    """A preview on ComfyUI's page; here only the shape is returned."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema("PreviewImage", inputs=[io.Image.Input("images")], is_output_node=True)

    @classmethod
    def execute(cls, images) -> io.NodeOutput:
        return io.NodeOutput(ui={"images": [tuple(images.shape)]})


class PreviewAny(io.ComfyNode):
    """Any value, as text."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema("PreviewAny", inputs=[io.AnyType.Input("source")], is_output_node=True)

    @classmethod
    def execute(cls, source) -> io.NodeOutput:
        return io.NodeOutput(ui={"text": [str(source)]})


CORE_NODES = [
    LoadImage,
    JoinImageWithAlpha,
    LoadAudio,
    LoadVideo,
    GetVideoComponents,
    CreateVideo,
    SaveVideo,
    SaveImage,
    SaveAudio,
    PreviewImage,
    PreviewAny,
    ImageScaleBy,
    ImageSharpen,
]
