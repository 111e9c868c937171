"""Reading a host's VIDEO value as a stream: frames one by one, exact rate, sound."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import torch

from ...host import VideoFromFile, temp_directory
from ...media.audio import load_audio
from ...media.decoder import check_frame_rate
from ...media.video import probe_video, read_video
from .pictures import plain

SAME_LENGTH = 0.02  # seconds; no frame is that short


@dataclass
class Stream:
    """A video to be read."""

    frames: Iterator[torch.Tensor]  # (H,W,3) each, float in [0,1]
    fps: Fraction
    total: int | None  # frames, if the file says
    audio: dict | None  # a host's AUDIO value


def open_video(video) -> Stream:
    """A VIDEO value -> its stream. A file is read from disk as needed. A video made of tensors is decoded by the host,
    and so is one that a node before has trimmed or cropped, because the host's file is the unedited one."""
    if video is None:
        raise ValueError("Nothing came in at 'video': the node wired to it gave no video.")
    if type(video).__name__ == "VideoFromComponents":
        return _from_components(video)
    source = video.get_stream_source()
    if not isinstance(source, str):
        path = temp_directory() / f"driving_{uuid.uuid4().hex}.mp4"
        path.write_bytes(source.read())
        source = str(path)
    info = probe_video(source)
    if _edited(video, VideoFromFile(source)):
        return _from_components(video)
    audio = None
    if info.has_audio:
        waveform, rate = load_audio(source)
        audio = {"waveform": waveform[None], "sample_rate": rate}
    return Stream(read_video(source), info.fps, round(info.duration * info.fps) or None, audio)


def _from_components(video) -> Stream:
    parts = video.get_components()
    check_frame_rate(parts.frame_rate, "The video")
    frames = (plain(frame, "video") for frame in parts.images)
    return Stream(frames, Fraction(parts.frame_rate), len(parts.images), parts.audio)


def _edited(video, whole: VideoFromFile) -> bool:
    try:
        cut = abs(video.get_duration() - whole.get_duration()) > SAME_LENGTH
    except ValueError:  # a file without a known length
        cut = False
    return cut or tuple(video.get_dimensions()) != tuple(whole.get_dimensions())
