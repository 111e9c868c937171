"""Reading a host's VIDEO value as a stream: frames one by one, exact rate, sound."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import torch

from ..host import temp_directory
from ..media.audio import load_audio
from ..media.video import probe_video, read_video


@dataclass
class Stream:
    """A video about to be read."""

    frames: Iterator[torch.Tensor]  # (H,W,3) each, uint8 or float in [0,1]
    fps: Fraction
    total: int | None  # frames, if the file says
    audio: dict | None  # a host's AUDIO value


def open_video(video) -> Stream:
    """A VIDEO value -> its stream. A file is read from disk as it goes; a video made of tensors is walked through."""
    source = video.get_stream_source() if _on_disk(video) else None
    if source is None:
        parts = video.get_components()
        return Stream(iter(parts.images[..., :3]), Fraction(parts.frame_rate), len(parts.images), parts.audio)
    if not isinstance(source, str):
        path = temp_directory() / f"driving_{id(source)}.mp4"
        path.write_bytes(source.read())
        source = str(path)
    info = probe_video(source)
    audio = None
    if info.has_audio:
        waveform, rate = load_audio(source)
        audio = {"waveform": waveform[None], "sample_rate": rate}
    frames = (torch.from_numpy(frame) for frame in read_video(source))
    return Stream(frames, info.fps, round(info.duration * info.fps) or None, audio)


def _on_disk(video) -> bool:
    return type(video).__name__ != "VideoFromComponents"
