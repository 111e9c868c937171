"""Frames and voice to a VIDEO, written as the frames come."""

import uuid

from ..host import VideoFromFile, io, load_device, progress_bar, say, temp_directory, use_bf16
from ..media.crop import paste_back
from ..media.timing import exact_rate
from ..pipelines import writing
from ..pipelines.resuming import assemble_in_pieces, film_key, rendered_length
from ..pipelines.settings import RenderingSettings
from ..unfinished import Unfinished, folder_of
from ..vocabulary import FPS
from .decode import rendered_frames, rendering_inputs, rendering_settings
from .paste import feather_input
from .values.cancelling import one_by_one
from .values.pictures import batch_of, one_photo, plain
from .values.sockets import Crop, schema
from .values.sound import sound_of
from .values.temporary_film import TemporaryFilm
from .values.widgets import setting


def sound_inputs(audio: dict | None) -> dict:
    """A host's AUDIO value, or none, as arguments of `assemble`."""
    if audio is None:
        return {}
    waveform, rate = sound_of(audio)
    return {"waveform": waveform, "rate": rate}


def encoding_inputs() -> list:
    """The inputs of what writes films."""
    return [
        setting(
            RenderingSettings,
            "quality",
            "Constant rate factor of H.264: lower is better and larger; 18 looks lossless.",
        ),
        io.Boolean.Input(
            "visible_mark",
            default=False,
            tooltip="Writes a small 'AI generated' into a corner. The file's metadata says so in any case.",
        ),
    ]


def _video(path) -> io.NodeOutput:
    return io.NodeOutput(VideoFromFile(TemporaryFilm(path)))


def resumed_film(node: str, key: str, length: int, frames_from, fps, **how) -> io.NodeOutput:
    """The VIDEO of the frames that `frames_from` gives from any piece on (see `assemble_in_pieces`): where an earlier
    run of the node, with the same key, was broken off, it goes on. length: of a piece, in frames."""
    folder = temp_directory() / folder_of(f"mamba_portrait_{key[:16]}")
    path = temp_directory() / f"mamba_portrait_{uuid.uuid4().hex}.mp4"
    with Unfinished(folder, key, node, length, "frames", say=say) as work:
        assemble_in_pieces(path, frames_from, fps, work, **how)
    return _video(path)


class AssembleVideo(io.ComfyNode):
    """Render straight into a video file, without holding the frames."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "AssembleVideo",
            "Assemble Video (Talking Head)",
            "Render",
            ["talk", "talking head", "talking portrait", "avatar", "animate", "lip sync", "render video", "export"],
            description="Animates the portrait: renders the frames of the talking head and writes them straight into a "
            "video with the voice, without holding them all in memory. Connect photo and crop to get the whole picture "
            "instead of the portrait.",
            inputs=[
                *rendering_inputs(),
                io.Audio.Input("audio", optional=True, tooltip="The voice that goes into the video."),
                io.Image.Input("photo", optional=True, tooltip="The whole photo, to paste every frame back into it."),
                Crop.Input("crop", optional=True, tooltip="From Portrait Crop of that photo."),
                feather_input(),
                *encoding_inputs(),
            ],
            outputs=[io.Video.Output(display_name="video", tooltip="The video; Save Video writes it to disk.")],
        )

    @classmethod
    def execute(
        cls,
        renderer,
        source,
        appearance,
        motion,
        size,
        mode,
        gain,
        articulation,
        batch,
        feather,
        quality,
        visible_mark,
        audio=None,
        photo=None,
        crop=None,
    ) -> io.NodeOutput:
        if (photo is None) != (crop is None):
            missing = "crop" if crop is None else "photo"
            raise ValueError(f"To paste the portrait back, photo and crop are both needed; {missing} is missing.")
        settings = rendering_settings(
            size, mode=mode, gain=gain, articulation=articulation, batch=batch, quality=quality
        )
        whole = None if photo is None else one_photo(photo, "Assemble Video", "photo")

        def finish(frames):
            single = one_by_one(frames)
            return single if whole is None else (paste_back(whole, frame, crop, feather) for frame in single)

        def frames_from(first):
            return finish(rendered_frames(renderer, source, appearance, motion, settings, first=first, finish=finish))

        network, bf16 = renderer.module, use_bf16(load_device())
        key = film_key(network, source, appearance, motion, settings, whole, crop, feather, visible_mark, bf16)
        how = {**sound_inputs(audio), "mark": visible_mark, "quality": settings.quality}
        length = rendered_length(network, settings)
        return resumed_film("Assemble Video", key, length, frames_from, motion.fps, **how)


class FramesToVideo(io.ComfyNode):
    """Images and sound to a VIDEO at an exact rate."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "FramesToVideo",
            "Frames to Video",
            "Render",
            ["images to video", "create video", "combine"],
            description="Writes an image batch and a voice into a video. Rates such as 29.97 are kept exactly, odd "
            "sizes are padded, and the file's metadata says that its picture is generated.",
            inputs=[
                io.Image.Input("frames", tooltip="The frames, as an image batch."),
                io.Audio.Input("audio", optional=True, tooltip="The sound that goes with them."),
                io.Float.Input(
                    "fps",
                    default=float(FPS),
                    min=1.0,
                    max=240.0,
                    step=0.001,
                    tooltip="Frames a second; 29.97 means 30000/1001.",
                ),
                *encoding_inputs(),
            ],
            outputs=[io.Video.Output(display_name="video", tooltip="The video; Save Video writes it to disk.")],
        )

    @classmethod
    def execute(cls, frames, fps, quality, visible_mark, audio=None) -> io.NodeOutput:
        frames = batch_of(frames, "frames")
        progress = progress_bar(len(frames))

        def parts():
            for start in range(0, len(frames), 8):
                yield plain(frames[start : start + 8], "frames")
                progress(min(start + 8, len(frames)), len(frames))

        path = temp_directory() / f"mamba_portrait_{uuid.uuid4().hex}.mp4"
        pictures = one_by_one(parts())
        writing.assemble(path, pictures, exact_rate(fps), **sound_inputs(audio), mark=visible_mark, quality=quality)
        return _video(path)
