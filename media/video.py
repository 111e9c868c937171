"""Video files as streams of frames, by PyAV: a reader that resamples the frame rate, and a writer that muxes frames and
sound as they come."""

import logging
import math
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from torch import Tensor

from ..files import partial_file, writing
from .audio import sound_begin
from .audio_feed import AudioFeed
from .decoder import LONGEST_HOLD, frame_rate, open_media, stamp_of, video_frames, video_stream
from .display import display_geometry, warn_of_what_is_ignored
from .mixed_sound import MixedSound
from .photo import to_uint8
from .provenance import VisibleMark, provenance_metadata
from .sound_file import LONGEST_LEAD, SoundFile
from .timing import constant_rate, on_grid

log = logging.getLogger("mamba_portrait")

CONTAINERS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}  # suffix -> what FFmpeg calls it
LARGEST_SIDE = 16384  # pixels; x264 takes no more


@dataclass(frozen=True)
class VideoInfo:
    """The header of a file's first video stream; width and height are those of the upright picture."""

    width: int
    height: int
    fps: Fraction  # constant; of a variable rate that of the fastest parts
    duration: float  # seconds, 0 if unknown
    rotation: int  # degrees counterclockwise that were applied to make it upright
    has_audio: bool
    zero: Fraction  # the time stamp in seconds at which the film begins, and its sound with it


def probe_video(path: str | os.PathLike) -> VideoInfo:
    """Size, rate, duration and rotation, from the headers, the time stamps and the first frame.

    Raises FileNotFoundError, or ValueError for a file that is no video."""
    path = Path(path)
    with open_media(path, "video") as container:
        stream = video_stream(container, path.name)
        frame_rate(stream, path.name)
        frame = next(video_frames(container, stream, path.name), None)
        if frame is None:
            raise ValueError(f"{path.name} has a video stream without frames.")
        width, height = display_geometry(stream, frame).size(frame)
        rotation, has_audio, shown = 90 * _turns(frame), bool(container.streams.audio), stamp_of(frame) or Fraction(0)
        if stream.duration and stream.time_base:
            duration = float(stream.duration * stream.time_base)
        else:
            duration = (container.duration or 0) / av.time_base
    rate = constant_rate(path)
    zero = _zero(shown, sound_begin(path) if has_audio else shown, rate)
    duration = max(0.0, duration) + float(shown - zero)
    return VideoInfo(width, height, rate, duration, rotation, has_audio, zero)


def _turns(frame: av.VideoFrame) -> int:
    """Quarter turns counterclockwise that make the frame upright, by its display matrix (as phones write)."""
    return round(getattr(frame, "rotation", 0) / 90) % 4


def _zero(shown: Fraction, heard: Fraction | None, rate: Fraction) -> Fraction:
    """The beginning of a film whose first picture is shown, and whose sound begins, at these time stamps.

    A sound that begins earlier is heard over the first picture, in whole frames: what remains, less than one, is cut
    off, so that both keep their places. Beyond LONGEST_LEAD the stamps are of two clocks, and no offset."""
    ahead = shown - heard if heard is not None else Fraction(0)
    return shown - Fraction(int(ahead * rate)) / rate if 0 < ahead <= LONGEST_LEAD else shown


def read_video(
    path: str | os.PathLike,
    fps: Fraction | int | None = None,
    start: float = 0.0,
    max_frames: int | None = None,
    zero: Fraction | None = None,
) -> Iterator[Tensor]:
    """Yield upright frames (H,W,3) RGB, float32 in [0,1], at exactly `fps` frames a second (None: `constant_rate`).

    Frames are chosen by time stamps, so recordings of variable frame rate stay in sync: output frame k is the picture
    whose stamp, rounded to the output grid, is the latest not after k (rounding allows for the millisecond stamps of
    Matroska). One frame is held in memory at a time. `start` in seconds after `zero`, the time stamp at which the film
    begins (by default its first frame's). Raises FileNotFoundError or ValueError before the first frame.
    """
    path = Path(path)
    rate = Fraction(fps) if fps else constant_rate(path)
    with open_media(path, "video") as container:
        stream = video_stream(container, path.name)
        stream.thread_type = "AUTO"
        spacing = 1 / frame_rate(stream, path.name)
        produced, geometry = 0, None
        for frame, repeats in on_grid(video_frames(container, stream, path.name), rate, spacing, zero, Fraction(start)):
            if repeats > LONGEST_HOLD * rate:
                raise ValueError(
                    f"{path.name} is damaged: after {produced} frames it shows one picture for "
                    f"{float(repeats / rate):.0f} s."
                )
            repeats = repeats if max_frames is None else min(repeats, max_frames - produced)
            if geometry is None:
                geometry = display_geometry(stream, frame)
                warn_of_what_is_ignored(stream, frame, path.name)
            if repeats > 0:
                image = geometry.upright(frame, path.name)
                for _ in range(repeats):
                    yield image
            produced += repeats
            if max_frames is not None and produced >= max_frames:
                return
        if produced == 0:
            raise ValueError(f"{path.name} has no frames after {float(start):.2f} s.")


class VideoWriter:
    """Write frames and a voice to H.264 + AAC as they come; memory does not grow with the length.

    with VideoWriter("out.mp4", fps=Fraction(30000, 1001), audio=(waveform, rate)) as writer:
        for batch in frames:          # (B,H,W,3) or (H,W,3), float in [0,1] or uint8
            writer.write(batch)

    The file is written in a hidden folder beside it and moved to its place on success (files.py); an exception inside
    the block removes it. Odd sizes are padded to even ones by repeating the last row or column, as yuv420p requires,
    and this is logged. audio: (waveform (N,) or (C,N) or (1,C,N) in [-1,1], rate), or a file that is read as the film
    grows; mono and stereo are kept, more channels are mixed to stereo as FFmpeg mixes them. Sound that lasts longer
    than the pictures, by more than one of them, ends with them, and this is logged; after a shorter one the film is
    silent. `mark` blends a small visible badge into each frame. The tags of provenance.py are always written, but where
    a film of real people is cut for training (`generated` False), and in a `piece` for `append`. crf: x264's constant
    rate factor (18 is visually lossless), preset: its speed.
    """

    containers, channels, sound_codec, sound_rate = CONTAINERS, 3, "aac", None
    tags: dict[str, str] = {}  # of the video stream

    def __init__(
        self,
        path: str | os.PathLike,
        *,
        fps: Fraction | int,
        audio: tuple[Tensor, int] | SoundFile | MixedSound | None = None,
        title: str | None = None,
        detail: str = "",
        mark: bool = False,
        crf: int = 18,
        preset: str = "veryfast",
        generated: bool = True,
        piece: bool = False,
    ) -> None:
        self.path = Path(path)
        if self.path.suffix.lower() not in self.containers:
            raise ValueError(f"Cannot write '{self.path.suffix}' videos; use one of {', '.join(self.containers)}.")
        self.fps = Fraction(fps)
        if self.fps <= 0:
            raise ValueError(f"The frame rate must be positive, got {self.fps}.")
        self.frames = 0
        self._mark, self._badge = mark, None
        self._options = {"crf": str(crf), "preset": preset}
        self._voice = None if audio is None else AudioFeed(audio)
        self._metadata, self._piece = provenance_metadata(title, detail) if generated and not piece else {}, piece
        self._file = self._container = self._video = self._audio = self._size = None

    def __enter__(self) -> "VideoWriter":
        options = {} if self.path.suffix.lower() in (".mkv", ".webm") else {"movflags": "faststart"}
        with writing(self.path), ExitStack() as stack:
            partial = stack.enter_context(partial_file(self.path))
            kind = self.containers[self.path.suffix.lower()]
            self._container = av.open(str(partial), "w", format=kind, options=options)
            self._file = stack.pop_all()
        self._container.metadata.update(self._metadata)
        return self

    def _begin(self, height: int, width: int) -> None:
        """Open the encoders, with the size of the first frame."""
        self._size = (height, width)
        if max(height, width) > LARGEST_SIDE:
            raise ValueError(
                f"Frames of {width}x{height} are too large for a film: make them at most {LARGEST_SIDE} wide and high."
            )
        if (height % 2 or width % 2) and not self._piece:
            log.info("%s: %dx%d padded to even sides for yuv420p", self.path.name, width, height)
        video = self._video_stream()
        video.width, video.height = width + width % 2, height + height % 2
        video.codec_context.time_base = 1 / self.fps
        video.codec_context.color_range = ColorRange.MPEG
        video.codec_context.colorspace = Colorspace.ITU709
        video.codec_context.color_primaries = video.codec_context.color_trc = 1  # BT.709
        self._video = video
        self._begin_sound()
        self._badge = VisibleMark(height, width) if self._mark else None

    def _begin_sound(self) -> None:
        if self._voice is not None and self._voice.channels:
            layout = "mono" if self._voice.channels == 1 else "stereo"
            self._audio = self._container.add_stream(
                self.sound_codec, rate=self.sound_rate or self._voice.rate, layout=layout
            )
            self._audio.bit_rate = 96_000 * self._voice.channels

    def _video_stream(self) -> av.VideoStream:
        """A stream whose codec and pixels are chosen."""
        stream = self._container.add_stream("libx264", rate=self.fps, options=self._options)
        stream.pix_fmt = "yuv420p"
        return stream

    def write(self, frames: Tensor | np.ndarray) -> None:
        """Encode one frame (H,W,3) or a batch (B,H,W,3), and the voice up to its end. All frames must have one size."""
        if self._container is None:
            raise RuntimeError("VideoWriter.write was called outside its 'with' block.")
        pixels = to_uint8(frames)
        pixels = pixels[None] if pixels.ndim == 3 else pixels
        if pixels.ndim != 4 or pixels.shape[-1] != self.channels:
            raise ValueError(f"The film needs frames (B,H,W,{self.channels}), got shape {tuple(pixels.shape)}.")
        with writing(self.path):
            for image in pixels:
                self._write_frame(image)

    def _write_frame(self, image: np.ndarray) -> None:
        height, width = image.shape[:2]
        if self._size is None:
            self._begin(height, width)
        elif self._size != (height, width):
            raise ValueError(f"Frame {self.frames} is {width}x{height}, the video is {self._size[1]}x{self._size[0]}.")
        if self._badge:
            image = np.concatenate([self._badge.draw(np.ascontiguousarray(image[..., :3])), image[..., 3:]], -1)
        if height % 2 or width % 2:
            image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        pixels = "rgb24" if self.channels == 3 else "rgba"
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format=pixels)
        frame = frame.reformat(format=self._video.pix_fmt, dst_colorspace=Colorspace.ITU709)
        frame.pts, frame.time_base = self.frames, 1 / self.fps
        self._container.mux(self._video.encode(frame))
        self._count(1)

    def _count(self, frames: int) -> None:
        """So many pictures are written: write the voice up to their end."""
        self.frames += frames
        if self._audio is not None:
            self._write_audio(int(self.frames * self._voice.rate / self.fps))

    def append(self, path: str | os.PathLike) -> None:
        """Take over the pictures of a film that such a writer made with the same settings and without sound, as they
        are encoded, and the voice up to their end. A film is either appended to or written to."""
        with av.open(str(path)) as piece, writing(self.path):
            stream, count = piece.streams.video[0], 0
            if self._video is None:
                add = getattr(self._container, "add_stream_from_template", None)  # since PyAV 14
                self._video = add(stream) if add else self._container.add_stream(template=stream)
                self._video.metadata.update(self.tags)
                self._begin_sound()
            for packet in piece.demux(stream):
                if packet.size:
                    stamps = [self.frames + round(t * packet.time_base * self.fps) for t in (packet.pts, packet.dts)]
                    packet.pts, packet.dts = stamps
                    packet.time_base, packet.duration, packet.stream = 1 / self.fps, 1, self._video
                    self._container.mux(packet)
                    count += 1
            self._count(count)

    def _write_audio(self, until: int | None) -> None:
        """Send whole AAC blocks up to sample `until` (None: everything that is left)."""
        rate = self._voice.rate
        for start, block in self._voice.blocks(until):
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(block), format="fltp", layout=self._audio.layout.name
            )
            frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
            self._container.mux(self._audio.encode(frame))

    def _end_audio(self) -> None:
        """Write what is left of the voice, up to the end of the pictures. Part of a frame may be left: motion for a
        voice has whole frames."""
        a_frame = self._voice.rate / self.fps
        if self._voice.cut(math.ceil(self.frames * a_frame), math.ceil(a_frame)):
            seconds = float(self.frames / self.fps)
            log.warning("The sound lasts longer than the pictures; the film ends with these, after %.2f s.", seconds)
        self._write_audio(None)

    def _finish(self) -> None:
        if self.frames == 0:
            raise ValueError(f"{self.path.name}: no frames were written, so there is no video to save.")
        if self._audio is not None:
            self._end_audio()
            self._container.mux(self._audio.encode(None))
        if self._size is not None:  # it was written to
            self._container.mux(self._video.encode(None))
        self._container.close()

    def __exit__(self, kind, error, trace) -> None:
        if kind is None:
            with writing(self.path):
                try:
                    self._finish()
                except BaseException as failed:
                    self._discard(type(failed), failed, failed.__traceback__)
                    raise
                self._file.close()
        else:
            self._discard(kind, error, trace)
        self._container = None

    def _discard(self, kind, error, trace) -> None:
        """Close the unfinished file and remove it."""
        try:
            self._container.close()
        except (av.error.FFmpegError, ValueError, OSError) as failed:
            log.debug("closing the unfinished %s: %s", self.path.name, failed)
        self._file.__exit__(kind, error, trace)
