"""A driving video to motion."""

from itertools import chain

from ..host import io, load_device, progress_bar, use_bf16
from ..media.crop import crop_box, cut
from ..media.faces import Face, choose_face, find_faces
from ..pipelines import portrait
from .crop import scale_input
from .values.sockets import Motion, Renderer, schema
from .values.video_input import open_video

NO_FACE = (
    "No face was found in the first frame of the driving video: begin where a face looks at the camera, or choose the "
    "crop 'whole frame' if the video is cut to a face already."
)
DRIVING_SIZE = 512  # the network judges motion at a quarter of this; keeping more would only cost memory


def _first_face(frame, crop: str) -> Face:
    faces = find_faces(frame, "auto" if crop == "face" else "whole")
    if not faces:
        raise ValueError(NO_FACE)
    return choose_face(faces)


class EncodeDrivingVideo(io.ComfyNode):
    """The motion encoder over every frame of a video."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "EncodeDriving",
            "Encode Driving Video",
            "Motion",
            ["reenact", "video to motion", "driving", "motion transfer"],
            description="Reads the motion of a face from a video, frame by frame. The crop is found in the first "
            "frame and kept, so "
            "that nothing jitters. Frames are read as they are needed.",
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
                io.Int.Input("batch", default=8, min=1, max=64, tooltip="Frames read by the network at once."),
            ],
            outputs=[
                Motion.Output(display_name="motion", tooltip="The motion, relative to the first frame."),
                io.Audio.Output(display_name="audio", tooltip="The video's own sound, for the finished film."),
            ],
        )

    @classmethod
    def execute(cls, renderer, video, crop, scale, batch) -> io.NodeOutput:
        stream = open_video(video)
        first = next(stream.frames, None)
        if first is None:
            raise ValueError("The driving video has no frames.")
        where = crop_box(tuple(first.shape[:2]), _first_face(first, crop), scale)
        motion = portrait.watch(
            renderer.on_device(),
            (cut(frame, where, DRIVING_SIZE) for frame in chain([first], stream.frames)),
            stream.fps,
            batch=batch,
            bf16=use_bf16(load_device()),
            total=stream.total,
            progress=progress_bar(),
        )
        return io.NodeOutput(motion, stream.audio)
