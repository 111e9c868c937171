"""A driving video as people film it, to motion."""

import logging

from ..host import io, load_device, progress_bar, ui, use_bf16
from ..pipelines.followed_driving import follow_driving
from ..pipelines.neutral import FIRST, FOUND
from .crop import scale_input
from .expression import seconds_input
from .values.sockets import Motion, Renderer, schema
from .values.video_input import open_video
from .values.widgets import advanced, which_face_inputs

log = logging.getLogger("mamba_portrait")
AT = "at a time"


class FollowDriving(io.ComfyNode):
    """The crop follows the face; what is lost is held; the neutral face is found."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "FollowDriving",
            "Follow Driving Video (Animate)",
            "Motion",
            ["animate", "reenact", "video to motion", "driving", "face tracking", "moving head", "webcam"],
            description="Encodes the motion of a face in a video in which the head moves about: the crop follows it, a "
            "face that is lost for a while is held, and scene cuts are told. Expressions are told from the most "
            "neutral frames, so a video may begin with an open mouth or shut eyes.",
            inputs=[
                Renderer.Input("renderer", tooltip="From Load Renderer."),
                io.Video.Input("video", tooltip="Any video with a face in it."),
                *which_face_inputs(),
                scale_input(),
                io.Combo.Input(
                    "neutral",
                    display_name="neutral face",
                    options=[FOUND, FIRST, AT],
                    default=FOUND,
                    tooltip="The face that expressions are told from. found: the most neutral frames. first: the first "
                    "frame. at a time: the frame at neutral_time, its head too.",
                ),
                seconds_input("neutral_time", "With neutral face = at a time: where in the part that is taken."),
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
                seconds_input("start", "Where in the video to begin."),
                seconds_input("length", "How many seconds of the video to take; 0 takes all that is left."),
            ],
            outputs=[
                Motion.Output(display_name="motion", tooltip="The motion, relative to the neutral face."),
                io.Audio.Output(display_name="audio", tooltip="The video's own sound, for the finished video."),
                io.String.Output(
                    display_name="report", tooltip="In how many frames the face is seen, and where the scene changes."
                ),
            ],
        )

    @classmethod
    def execute(
        cls, renderer, video, face, face_number, scale, neutral, neutral_time, batch, start, length
    ) -> io.NodeOutput:
        stream = open_video(video, start, length)
        passes = iter([stream.frames])  # the first one is open already

        def read():
            return next(passes, None) or open_video(video, start, length).frames

        followed = follow_driving(
            renderer.on_device(),
            read,
            stream.fps,
            which=face_number if face == "number" else face,
            scale=scale,
            neutral=neutral_time if neutral == AT else neutral,
            batch=batch,
            bf16=use_bf16(load_device()),
            total=stream.total,
            progress=progress_bar(),
        )
        told = followed.report()
        if followed.lost or followed.cuts:
            log.warning("%s", told)
        return io.NodeOutput(followed.motion, stream.audio, told, ui=ui.PreviewText(told))
