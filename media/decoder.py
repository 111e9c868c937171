"""All use of PyAV's demuxers and decoders: values from files are checked before native code uses them.

Four faults would end the process: with eight or more planar channels PyAV reads plane pointers beyond the frame; it
frees a custom channel order twice, and so the name of a colour profile in a frame's side data; FFmpeg allocates
gigabytes for the picture size of a false header. Every error here is a ValueError of one sentence with the file's name,
or FileNotFoundError.
"""

import ctypes
import itertools
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from .truncation import TruncationCheck

log = logging.getLogger("mamba_portrait")

LEAST_RATE, MOST_RATE = 2_000, 768_000  # samples a second; telephones have 8,000, studios 192,000
MOST_CHANNELS = 64  # libswresample's limit
MOST_PIXELS = 1 << 26  # of a frame of video: twice what any level of H.264 or H.265 allows
SLOWEST, FASTEST = Fraction(1, 100), Fraction(1000)  # frames a second: time lapse, high-speed camera
LONGEST_HOLD = 3600  # longest duration of one frame in seconds
LEAST_SILENCE, LONGEST_SILENCE = Fraction(1, 10), 600  # seconds between two audio frames that are a pause
NAMING_DECODERS = ("png", "apng")
PLAYLISTS = (b"#EXTM3U", b"ffconcat", b"<MPD", b"<CompositionPlaylist", b"c=IN ")  # as in FFmpeg's probes
FAULTS = (av.error.FFmpegError, ValueError, RuntimeError, MemoryError, OverflowError)  # raised by PyAV


@dataclass(frozen=True)
class AudioStream:
    """An audio stream with a plausible header."""

    stream: av.audio.stream.AudioStream
    channels: int
    rate: int  # samples a second
    layout: str | None  # what FFmpeg calls the order of the channels, where it is a usual one


@contextmanager
def _as_value_error(what: str, remedy: str = "") -> Iterator[None]:
    """Turn anything that PyAV raises into a ValueError of one sentence."""
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
    if _is_playlist(path):
        raise ValueError(f"{path.name} is a playlist of other files; give the {kind} file itself.")
    with _as_value_error(f"{path.name} could not be read as {kind}", f"; convert it to {better} and try again"):
        # "replace": tags in an old encoding are no error. No `options`: PyAV before 17 writes them beyond their array
        # where streams are found while reading, as in FLV and MPEG-PS.
        return av.open(str(path), metadata_errors="replace")


def _is_playlist(path: Path) -> bool:
    """True for text that makes FFmpeg open other files or hosts: HLS, DASH, concat lists, session descriptions."""
    with path.open("rb") as file:
        head = file.read(1 << 16)
    return b"\0" not in head[:512] and any(sign in head for sign in PLAYLISTS)


def decoded(container: av.container.InputContainer, stream: av.stream.Stream, name: str) -> Iterator:
    """The frames of one stream, as PyAV gives them. Errors give the number of frames before them.

    ValueError also where the file ends before its header says so, or its last pictures do not come out: with threads a
    frame, which are several times as fast as threads a slice, FFmpeg keeps the errors of the last frames to itself."""
    count, packets, check = 0, container.demux(), TruncationCheck(container, stream)
    while True:
        with _as_value_error(f"{name} is damaged after {count} frames"):
            packet = next(packets, None)
            ours = packet is not None and packet.stream.index == stream.index
            frames = packet.decode() if ours else []
        if packet is None:
            break
        check.note_packet(packet)
        for frame in frames:
            check.note_frame(frame)
            count += 1
            yield frame
    if fault := check.fault():
        remedy = "get the whole file, or cut the good part out of it"
        raise ValueError(f"{name} is damaged after {count} frames: {fault}; {remedy}.")


# ---------------------------------------------------------------- sound


def audio_stream(container: av.container.InputContainer, name: str) -> AudioStream:
    """The first audio stream that can be decoded."""
    if not container.streams.audio:
        raise ValueError(f"{name} has no audio stream; give a file with sound, such as WAV, MP3, M4A or MP4.")
    stream = next((s for s in container.streams.audio if s.codec_context is not None), None)
    if stream is None:
        raise ValueError(f"{name} holds sound in an encoding that is not known here; convert it to 16-bit WAV.")
    context = stream.codec_context
    check_rate(context.sample_rate, name)
    with _as_value_error(f"{name} names its channels in a way that is not known here"):
        layout = _never_freed(context.layout)
        channels = layout.nb_channels
    if not 1 <= channels <= MOST_CHANNELS:
        raise ValueError(f"{name} has {channels} channels; give 1 to {MOST_CHANNELS} of them.")
    named = None if _is_custom_order(layout) or layout.name.endswith("channels") else layout.name
    _drop_channel_order(context)
    return AudioStream(stream, channels, context.sample_rate, named)


def check_rate(rate: float, name: str) -> None:
    """ValueError for a sample rate outside of LEAST_RATE..MOST_RATE."""
    if not LEAST_RATE <= rate <= MOST_RATE:
        raise ValueError(
            f"{name} says it has {rate} samples a second, but sound has {LEAST_RATE} to {MOST_RATE}; load or save it "
            "again at its true rate."
        )


def audio_blocks(container: av.container.InputContainer, sound: AudioStream, name: str) -> Iterator[np.ndarray]:
    """All samples of a stream in blocks (N,C) float32; a gap in the time stamps is silence.

    Frames are converted to packed format, so that all channels are in one plane. A stream that changes its rate or
    channels is resampled to its first ones."""
    resampler, source, target, ended, missing = None, None, None, None, 0
    for frame in itertools.chain(decoded(container, sound.stream, name), (None,)):
        kind = None if frame is None else _kind(frame, name)
        parts = []
        with _as_value_error(f"{name} could not be converted to plain samples"):
            if resampler is not None and kind != source:
                parts += resampler.resample(None)
                resampler = None
            if frame is not None:
                if resampler is None:
                    same = frame.layout.nb_channels == sound.channels
                    target = target or (kind[1] if same else f"{sound.channels} channels")
                    resampler, source = av.AudioResampler("flt", target, sound.rate), kind
                begun = stamp_of(frame)
                missing = _gap(ended, begun, name)
                ended = None if begun is None else begun + Fraction(frame.samples, frame.sample_rate)
                frame.pts = None
                parts += resampler.resample(frame)
            blocks = [_packed(part) for part in parts]
        silence, missing = round(missing * sound.rate), 0
        for begin in range(0, silence, sound.rate):
            yield np.zeros((min(sound.rate, silence - begin), sound.channels), np.float32)
        yield from blocks


def _gap(ended: Fraction | None, begun: Fraction | None, name: str) -> Fraction | int:
    """Seconds without sound between the end of a frame and the beginning of the next; 0 for rounded stamps, and for
    jumps that are no pause."""
    if ended is None or begun is None or abs(begun - ended) < LEAST_SILENCE:
        return 0
    if 0 < begun - ended <= LONGEST_SILENCE:
        return begun - ended
    log.warning("%s jumps by %.2f s in its sound; it is read without a pause there.", name, float(begun - ended))
    return 0


def stamp_of(frame: av.VideoFrame | av.AudioFrame) -> Fraction | None:
    """The moment of a decoded frame in seconds, if it tells one."""
    return frame.pts * frame.time_base if frame.pts is not None and frame.time_base else None


def _kind(frame: av.AudioFrame, name: str) -> tuple[str, str, int]:
    """A frame's sample format, layout and rate: the input of a resampler."""
    with _as_value_error(f"{name} names its channels in a way that is not known here"):
        layout = _never_freed(frame.layout)
    if frame.format is None or frame.sample_rate <= 0 or not 1 <= layout.nb_channels <= MOST_CHANNELS:
        raise ValueError(f"{name} is damaged: its sound changes to something that is none.")
    return frame.format.name, layout.name, frame.sample_rate


def _packed(frame: av.AudioFrame) -> np.ndarray:
    return frame.to_ndarray().reshape(-1, _never_freed(frame.layout).nb_channels)


def _is_custom_order(layout: av.AudioLayout) -> bool:
    """True where the layout may be FFmpeg's custom channel order, a list of channels on the heap."""
    return "(" in layout.name or "ambisonic" in layout.name


def _drop_channel_order(context: av.audio.codeccontext.AudioCodecContext) -> None:
    """Replace a custom channel order by a plain channel count before the codec opens: the order is not needed, and most
    decoders then give frames without a list."""
    layout = _never_freed(context.layout)
    if _is_custom_order(layout):
        context.layout = f"{layout.nb_channels} channels"


def _never_freed(layout: av.AudioLayout) -> av.AudioLayout:
    """The layout, with a reference leaked on purpose if it is a custom order: PyAV shares its list with the frame or
    codec that it came from, and both would free it."""
    if _is_custom_order(layout):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(layout))
    return layout


# ---------------------------------------------------------------- video


def video_stream(container: av.container.InputContainer, name: str) -> av.video.stream.VideoStream:
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


def video_frames(
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
    """(H,W,3) uint8, as stored: not yet rotated upright."""
    with _as_value_error(f"{name} has pictures of a kind that cannot be converted to RGB"):
        return frame.to_ndarray(format="rgb24")


def side_data(stream: av.video.stream.VideoStream, frame: av.VideoFrame, kind: str) -> bytes | None:
    """What a frame carries of this kind (`av.sidedata.sidedata.Type`); None where nothing, and for PNG.

    FFmpeg's PNG decoder, and no other, gives names to side data, and once `frame.side_data` has been looked at, PyAV
    frees these as well as the frame."""
    if stream.codec_context.name in NAMING_DECODERS:
        return None
    try:
        return next((bytes(data) for data in frame.side_data if data.type.name == kind), None)
    except (AttributeError, ValueError):  # kinds of side data that PyAV does not know
        return None


def frame_rate(stream: av.video.stream.VideoStream, name: str) -> Fraction:
    """The stream's rate, 25 where it has none; NTSC's exact fraction where the container stores a rounded average."""
    rate = Fraction(stream.average_rate or stream.guessed_rate or 25)
    check_frame_rate(rate, name)
    for exact in (Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60000, 1001), round(rate) or 1):
        if abs(rate - exact) < Fraction(1, 200):
            return Fraction(exact)
    return rate


def check_frame_rate(rate: Fraction, name: str) -> None:
    """ValueError for a frame rate outside of SLOWEST..FASTEST."""
    if not SLOWEST <= rate <= FASTEST:
        raise ValueError(
            f"{name} says it shows {float(rate):g} frames a second; convert it to a rate of at most {FASTEST}, such as "
            "25."
        )
