"""Reading a host's VIDEO value as a stream: frames one by one, exact rate, sound."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import torch

from ...host import VideoFromFile, in_memory, temp_directory
from ...media.decoder import check_frame_rate
from ...media.sound_file import film_sound
from ...media.video import probe_video, read_video
from .pictures import plain
from .temporary_film import TemporaryFilm

SAME_LENGTH = 0.02  # seconds; no frame is that short


@dataclass
class Stream:
    """A video to be read."""

    frames: Iterator[torch.Tensor]  # (H,W,3) each, float in [0,1]
    fps: Fraction
    total: int | None  # frames, if the file says
    audio: dict | None  # a host's AUDIO value
    file: str | None = None  # from which the frames are read, kept while they are
    again: Callable[[], Iterator[torch.Tensor]] | None = None  # the frames from the first, as often as it is called


def open_video(video, start: float = 0.0, seconds: float = 0.0) -> Stream:
    """A VIDEO value -> its stream, from `start` seconds on, `seconds` long (0: to the end).

    A file is read from disk as needed, and so is the part of it that a node before has kept, where the host says which.
    A video made of tensors is decoded by the host, and so is a cropped one. ValueError for a start after the end."""
    if video is None:
        raise ValueError("Nothing came in at 'video': the node wired to it gave no video.")
    if in_memory(video):
        return _from_components(video, start, seconds)
    source = video.get_stream_source()
    if not isinstance(source, str):
        path = temp_directory() / f"driving_{uuid.uuid4().hex}.mp4"
        path.write_bytes(source.read())
        source = TemporaryFilm(path)
    info = probe_video(source)
    window = _window(video, source)
    if window is None:
        return _from_components(video, start, seconds)
    start, seconds = _part(window, start, seconds)
    sound = film_sound(source, info.zero, start, seconds) if info.has_audio else None
    waveform = None if sound is None else sound.loaded()
    length = max(0.0, info.duration - start) if info.duration else 0.0
    total = round(min(length, seconds or length) * info.fps) or None
    frames = None if seconds is None else max(1, round(seconds * info.fps))
    audio = None if waveform is None else {"waveform": waveform[None], "sample_rate": sound.rate}

    def read() -> Iterator[torch.Tensor]:
        return read_video(source, info.fps, start, frames, info.zero)

    return Stream(read(), info.fps, total, audio, source, read)


def _part(window: tuple[float, float | None], start: float, seconds: float) -> tuple[float, float | None]:
    """Start and length of a part of the part that a VIDEO is; a length of 0 goes to its end."""
    begin, length = window
    left = None if length is None else length - start
    if left is not None and left <= 0:
        raise ValueError(f"The video lasts {length:.2f} s and has no frames after {start:.2f} s.")
    return begin + start, min((value for value in (left, seconds or None) if value is not None), default=None)


def _from_components(video, start: float, seconds: float) -> Stream:
    parts = video.get_components()
    check_frame_rate(parts.frame_rate, "The video")
    rate, audio = Fraction(parts.frame_rate), parts.audio
    images = parts.images[_cut(start, seconds, rate)]
    if not len(images):
        raise ValueError(f"The video has no frames after {start:.2f} s.")
    if audio is not None and (start or seconds):
        waveform = audio["waveform"][..., _cut(start, seconds, Fraction(audio["sample_rate"]))]
        audio = audio | {"waveform": waveform} if waveform.shape[-1] else None

    def read() -> Iterator[torch.Tensor]:
        return (plain(frame, "video") for frame in images)

    return Stream(read(), rate, len(images), audio, again=read)


def _cut(start: float, seconds: float, rate: Fraction) -> slice:
    """Which frames or samples a part holds."""
    first = round(start * rate)
    return slice(first, first + max(1, round(seconds * rate)) if seconds else None)


def _window(video, source: str) -> tuple[float, float | None] | None:
    """What part of its file a VIDEO is: start and length in seconds (None: to the end). None for another picture than
    the file's, or a part that the host does not tell."""
    whole = VideoFromFile(source)
    if tuple(video.get_dimensions()) != tuple(whole.get_dimensions()):
        return None
    if hasattr(video, "get_active_trim_window"):
        start, seconds = video.get_active_trim_window()
        return start, seconds or None
    try:
        cut = abs(video.get_duration() - whole.get_duration()) > SAME_LENGTH
    except ValueError:  # a file without a known length
        cut = False
    return None if cut else (0.0, None)
