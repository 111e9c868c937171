"""The door to PyAV: what demuxers and decoders tell is checked before native code acts on it.

PyAV reads as many planes as it finds pointers, which from eight planar channels on lie beyond the frame, and frees a
channel order of the file's own twice; FFmpeg believes a header that tells a picture of gigabytes. Each of these ends
the process. Every error here is a ValueError of one sentence with the file's name; FileNotFoundError where none is.
"""

import ctypes
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

LEAST_RATE, MOST_RATE = 2_000, 768_000  # samples a second; a telephone has 8,000, a studio 192,000
MOST_CHANNELS = 64  # libswresample's limit
MOST_PIXELS = 1 << 26  # of a frame of video: twice what any level of H.264 or H.265 allows
SLOWEST, FASTEST = Fraction(1, 100), Fraction(1000)  # frames a second: a time lapse, a high-speed camera
LONGEST_HOLD = 3600  # seconds that one picture of a video may stay
PLAYLISTS = (b"#EXTM3U", b"ffconcat", b"<MPD", b"<CompositionPlaylist", b"c=IN ")  # what FFmpeg's probes look for
FAULTS = (av.error.FFmpegError, ValueError, RuntimeError, MemoryError, OverflowError)  # all that PyAV raises


@dataclass(frozen=True)
class SoundStream:
    """An audio stream whose numbers are plausible."""

    stream: av.audio.stream.AudioStream
    channels: int
    rate: int  # samples a second


@contextmanager
def _told(what: str, remedy: str = "") -> Iterator[None]:
    """Anything that PyAV raises, as one sentence."""
    try:
        yield
    except FAULTS as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error or type(error).__name__).split())
        raise ValueError(f"{what} ({reason}){remedy}.") from error


def open_media(path: str | os.PathLike, kind: str) -> av.container.InputContainer:
    """Open a file of "audio" or "video"."""
    path, (missing, better) = Path(path), {"audio": ("Audio file", "WAV"), "video": ("Video", "MP4")}[kind]
    if not path.is_file():
        raise FileNotFoundError(f"{missing} not found: {path}")
    if _leads_elsewhere(path):
        raise ValueError(f"{path.name} is a playlist of other files; give the {kind} file itself.")
    with _told(f"{path.name} could not be read as {kind}", f"; convert it to {better} and try again"):
        # Tags in an old encoding are no reason to refuse a sound. No `options`: PyAV before 17 writes them past their
        # array where streams only appear on the way, as in FLV and MPEG-PS.
        return av.open(str(path), metadata_errors="replace")


def _leads_elsewhere(path: Path) -> bool:
    """True for text that FFmpeg would follow to other files or hosts: HLS, DASH, concat lists, session descriptions."""
    with path.open("rb") as file:
        head = file.read(1 << 16)
    return b"\0" not in head[:512] and any(sign in head for sign in PLAYLISTS)


def decoded(container: av.container.InputContainer, stream: av.stream.Stream, name: str) -> Iterator:
    """The frames of one stream, as PyAV gives them. Errors count what came before them."""
    frames = container.decode(stream)
    for count in itertools.count():
        with _told(f"{name} is damaged after {count} frames"):
            frame = next(frames, None)
        if frame is None:
            return
        yield frame


# ---------------------------------------------------------------- sound


def sound_stream(container: av.container.InputContainer, name: str) -> SoundStream:
    """The first audio stream that can be decoded."""
    if not container.streams.audio:
        raise ValueError(f"{name} has no audio stream; give a file with sound, such as WAV, MP3, M4A or MP4.")
    stream = next((s for s in container.streams.audio if s.codec_context is not None), None)
    if stream is None:
        raise ValueError(f"{name} holds sound in an encoding that is not known here; convert it to 16-bit WAV.")
    context = stream.codec_context
    check_rate(context.sample_rate, name)
    with _told(f"{name} names its channels in a way that is not known here"):
        channels = _kept(context.layout).nb_channels
    if not 1 <= channels <= MOST_CHANNELS:
        raise ValueError(f"{name} has {channels} channels; give 1 to {MOST_CHANNELS} of them.")
    _forget_order(context)
    return SoundStream(stream, channels, context.sample_rate)


def check_rate(rate: float, name: str) -> None:
    """ValueError for a sample rate that no recording of a voice has."""
    if not LEAST_RATE <= rate <= MOST_RATE:
        raise ValueError(
            f"{name} says it has {rate} samples a second, but sound has {LEAST_RATE} to {MOST_RATE}; load or save it "
            "again at its true rate."
        )


def sound_blocks(container: av.container.InputContainer, sound: SoundStream, name: str) -> Iterator[np.ndarray]:
    """All samples of a stream in blocks (N,C) float32, one after another; gaps in the time stamps are no silence.

    Frames become packed first, so that the whole of a frame is one plane. A stream that changes its rate or channels
    on the way is brought to what it began with."""
    resampler, source, target = None, None, None
    for frame in itertools.chain(decoded(container, sound.stream, name), (None,)):
        kind = None if frame is None else _kind(frame, name)
        parts = []
        with _told(f"{name} could not be converted to plain samples"):
            if resampler is not None and kind != source:
                parts += resampler.resample(None)
                resampler = None
            if frame is not None:
                if resampler is None:
                    same = frame.layout.nb_channels == sound.channels
                    target = target or (kind[1] if same else f"{sound.channels} channels")
                    resampler, source = av.AudioResampler("flt", target, sound.rate), kind
                frame.pts = None
                parts += resampler.resample(frame)
            blocks = [_packed(part) for part in parts]
        yield from blocks


def _kind(frame: av.AudioFrame, name: str) -> tuple[str, str, int]:
    """What a resampler must know of a frame: sample format, layout and rate."""
    with _told(f"{name} names its channels in a way that is not known here"):
        layout = _kept(frame.layout)
    if frame.format is None or frame.sample_rate <= 0 or not 1 <= layout.nb_channels <= MOST_CHANNELS:
        raise ValueError(f"{name} is damaged: its sound changes to something that is none.")
    return frame.format.name, layout.name, frame.sample_rate


def _packed(frame: av.AudioFrame) -> np.ndarray:
    return frame.to_ndarray().reshape(-1, _kept(frame.layout).nb_channels)


def _shared(layout: av.AudioLayout) -> bool:
    """True where the layout may be a list of channels in an order of the file's own."""
    return "(" in layout.name or "ambisonic" in layout.name


def _forget_order(context: av.audio.codeccontext.AudioCodecContext) -> None:
    """Count the channels only, before the codec opens: which is which plays no part here, and most decoders then give
    frames without a list."""
    layout = _kept(context.layout)
    if _shared(layout):
        context.layout = f"{layout.nb_channels} channels"


def _kept(layout: av.AudioLayout) -> av.AudioLayout:
    """A layout that is never freed if it is a list: PyAV lets it share the list with the frame or codec it came from,
    and both would free it."""
    if _shared(layout):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(layout))
    return layout


# ---------------------------------------------------------------- pictures


def picture_stream(container: av.container.InputContainer, name: str) -> av.video.stream.VideoStream:
    """The first video stream that can be decoded, of a plausible size."""
    if not container.streams.video:
        raise ValueError(f"{name} has no video stream.")
    stream = next((s for s in container.streams.video if s.codec_context is not None), None)
    if stream is None:
        raise ValueError(f"{name} holds video in an encoding that is not known here; convert it to MP4 with H.264.")
    _check_size(stream.codec_context.width, stream.codec_context.height, name)
    stream.codec_context.options = {**stream.codec_context.options, "max_pixels": str(MOST_PIXELS)}
    return stream


def _check_size(width: int, height: int, name: str) -> None:
    if width * height > MOST_PIXELS:
        raise ValueError(
            f"{name} says that its pictures are {width}x{height}; video of more than {MOST_PIXELS // 10**6} million "
            "pixels is not read: make it smaller."
        )


def pictures(
    container: av.container.InputContainer, stream: av.video.stream.VideoStream, name: str
) -> Iterator[av.VideoFrame]:
    """The frames of a video stream, all of one size and of a known pixel format."""
    size = None
    for count, frame in enumerate(decoded(container, stream, name)):
        if frame.format is None or frame.width < 1 or frame.height < 1:
            raise ValueError(f"{name} is damaged: frame {count} is no picture.")
        _check_size(frame.width, frame.height, name)
        size = size or (frame.width, frame.height)
        if (frame.width, frame.height) != size:
            raise ValueError(
                f"{name} changes from {size[0]}x{size[1]} to {frame.width}x{frame.height} pixels at frame {count}; "
                "convert it to one size."
            )
        yield frame


def rgb(frame: av.VideoFrame, name: str) -> np.ndarray:
    """(H,W,3) uint8, as the file has it: not yet turned upright."""
    with _told(f"{name} has pictures of a kind that cannot be converted to RGB"):
        return frame.to_ndarray(format="rgb24")


def frame_rate(stream: av.video.stream.VideoStream, name: str) -> Fraction:
    """The stream's rate, 25 where it tells none; NTSC's exact fraction where the container only kept a rounded
    average."""
    rate = Fraction(stream.average_rate or stream.guessed_rate or 25)
    check_frame_rate(rate, name)
    for exact in (Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60000, 1001), round(rate) or 1):
        if abs(rate - exact) < Fraction(1, 200):
            return Fraction(exact)
    return rate


def check_frame_rate(rate: Fraction, name: str) -> None:
    """ValueError for a frame rate that no video has."""
    if not SLOWEST <= rate <= FASTEST:
        raise ValueError(
            f"{name} says it shows {float(rate):g} frames a second; convert it to a rate of at most {FASTEST}, such as "
            "25."
        )
