"""A driving video to motion."""

from ..host import io, load_device, progress_bar, use_bf16
from ..pipelines import portrait
from ..pipelines.framing import frame_video
from .crop import scale_input
from .values.sockets import Motion, Renderer, schema
from .values.video_input import open_video
from .values.widgets import advanced, time_input

REMEDY = "or choose the crop 'whole frame' if the video is cut to a face already"


class EncodeDrivingVideo(io.ComfyNode):
    """The motion encoder over every frame of a video."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "EncodeDriving",
            "Encode Driving Video (Animate)",
            "Motion",
            ["animate", "reenact", "video to motion", "driving", "motion transfer", "face"],
            description="Encodes the motion of a face in a video, frame by frame. The crop is found in the first frame "
            "and kept, so that it does not jitter. Frames are read from the file as they are needed.",
            inputs=[
                Renderer.Input("renderer", tooltip="From Load Renderer."),
                io.Video.Input("video", tooltip="A video of one face that stays in about the same place."),
                io.Combo.Input(
                    "crop",
                    options=["face", "whole frame"],
                    default="face",
                    tooltip="face: cut a square around the face of the first frame. whole frame: the video is such a "
                    "crop already.",
                ),
                scale_input(),
                advanced(
                    io.Int.Input(
                        "batch",
                        display_name="frames at once",
                        default=8,
                        min=1,
                        max=64,
                        tooltip="Frames encoded at once.",
                    )
                ),
                advanced(
                    time_input("start", "Where to begin: later in a video that fades in or begins without a face.")
                ),
                advanced(time_input("length", "How many seconds of the video to take; 0 takes all that is left.")),
            ],
            outputs=[
                Motion.Output(display_name="motion", tooltip="The motion, relative to the first frame."),
                io.Audio.Output(display_name="audio", tooltip="The video's own sound, for the finished video."),
            ],
        )

    @classmethod
    def execute(cls, renderer, video, crop, scale, batch, start=0.0, length=0.0) -> io.NodeOutput:
        stream = open_video(video, start, length)
        finder = "auto" if crop == "face" else "whole"
        _, pictures = frame_video(stream.frames, finder=finder, remedy=REMEDY, scale=scale)
        motion = portrait.encode_driving_video(
            renderer.on_device(),
            pictures,
            stream.fps,
            batch=batch,
            bf16=use_bf16(load_device()),
            total=stream.total,
            progress=progress_bar(),
        )
        return io.NodeOutput(motion, stream.audio)
