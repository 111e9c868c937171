"""The face of a film, followed through its shots."""

from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np
import torch

from ..host import intermediate_device, io, progress_bar
from ..media.faces import FINDERS
from ..media.mouth_region import MouthRegion
from ..media.photo import to_uint8
from ..pipelines.tracking import FaceTrack, track_face
from .values.sockets import FaceTrack as FaceTrackSocket
from .values.sockets import schema
from .values.video_input import Stream, open_video
from .values.widgets import FINDER_TOOLTIP, advanced, time_input, which_face_inputs

SHOWN = 360  # height of the pictures of shots, in pixels
MOST_SHOTS = 12
BOX, MARK = (60, 200, 90), (240, 160, 40)


@dataclass(frozen=True)
class TrackedFilm:
    """A film, or a part of one, and the track of a face in it."""

    film: Stream
    track: FaceTrack


def told(track: FaceTrack) -> str:
    """What was found, for people."""
    seen = sum(int(shot.seen.sum()) for shot in track.shots)
    steady = sum(shot.steady for shot in track.shots)
    shots = "1 shot" if len(track.shots) == 1 else f"{len(track.shots)} shots"
    return (
        f"{shots}, {steady} of them with one box for all frames; the face is seen in {seen} of {track.frames} frames."
    )


def pictures_of_shots(film: Stream, track: FaceTrack) -> torch.Tensor:
    """One frame of each shot, the middle one of those with the face: its crop, and the mouth's region darkened.
    (N,h,w,3) in [0,1]."""
    middles = []
    for shot in track.shots[:MOST_SHOTS]:
        seen = shot.seen.nonzero().flatten()
        middles.append(shot.first + (int(seen[len(seen) // 2]) if len(seen) else (shot.last - shot.first) // 2))
    width = max(1, round(track.width * SHOWN / track.height))
    shown = []
    for number, frame in enumerate(islice(film.again(), middles[-1] + 1)):
        if number in middles:
            picture = to_uint8(frame)[..., :3].copy()
            if track.seen(number):
                _mark(picture, track, number)
            shown.append(cv2.resize(picture, (width, SHOWN), interpolation=cv2.INTER_AREA))
    return torch.from_numpy(np.stack(shown)).float() / 255


def _mark(picture: np.ndarray, track: FaceTrack, number: int) -> None:
    crop, thick = track.crop(number), max(2, track.height // 200)
    region = MouthRegion(track.marks(number), picture.shape[:2])
    part = picture[region.rows, region.columns]
    part[:] = part * (1 - 0.4 * region.alpha[..., None])
    cv2.rectangle(picture, (crop.x0, crop.y0), (crop.x0 + crop.size, crop.y0 + crop.size), BOX, thick)
    for x, y in track.marks(number):
        cv2.circle(picture, (round(float(x)), round(float(y))), thick, MARK, -1)


class TrackFace(io.ComfyNode):
    """Follow one face through a film."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "TrackFace",
            "Track Face (Film)",
            "Portrait",
            ["track face", "face tracking", "dub", "film", "video face", "shots"],
            description="Follows a face through a film and its cuts. A head that hardly moves in a shot has one box, "
            "so that nothing jitters. Frames in which the face is not seen are left alone later on.",
            inputs=[
                io.Video.Input(
                    "video", tooltip="A film of a camera or a generator. For an image batch put Create Video before it."
                ),
                io.Combo.Input(
                    "finder",
                    options=[name for name in FINDERS if name not in ("box", "whole")],
                    default="auto",
                    tooltip=FINDER_TOOLTIP.strip(),
                ),
                *which_face_inputs(),
                advanced(time_input("start", "Where in the video to begin.")),
                advanced(time_input("length", "How many seconds of the video to take; 0 takes all that is left.")),
            ],
            outputs=[
                FaceTrackSocket.Output(display_name="face_track", tooltip="The film with its face, for Dub Video."),
                io.Image.Output(
                    display_name="shots",
                    tooltip="A frame of each shot, with the crop, and the mouth's region darkened.",
                ),
                io.String.Output(display_name="report", tooltip="How many shots, and in how many frames the face is."),
            ],
        )

    @classmethod
    def execute(cls, video, finder, face, face_number, start=0.0, length=0.0) -> io.NodeOutput:
        film = open_video(video, start, length)
        which = face_number if face == "number" else face
        track = track_face(film.frames, film.fps, finder=finder, which=which, total=film.total, progress=progress_bar())
        shots = pictures_of_shots(film, track).to(intermediate_device())
        return io.NodeOutput(TrackedFilm(film, track), shots, told(track))
