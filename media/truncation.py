"""Truncated files: half a download decodes without an error, so what was read is compared with the header."""

from fractions import Fraction
from pathlib import Path

import av

INDEXED, TIMED, COUNTED = "mov,mp4", "matroska", ("flac", "mp3")  # formats, by what their headers tell
MOST_MISSING = Fraction(1, 2), Fraction(1, 200)  # seconds and part of the whole that headers are off in whole files
NO_SIZE = 0x7FFF0000  # and above: what programs write into a WAV's header while they do not know its length
TAIL = 1 << 16  # bytes in which an MP3's table of contents is looked for


class TruncationCheck:
    """Compares what was demuxed of a stream with the length that the file's header states.

    A header counts where it states the length; what FFmpeg estimates from a bit rate does not."""

    def __init__(self, container: av.container.InputContainer, stream: av.stream.Stream) -> None:
        self._index, self._format = stream.index, container.format.name
        self._told = _told_lengths(container, stream)
        self._first: dict[int, Fraction] = {}
        self._last: dict[int, Fraction] = {}
        self._cut = _cut_wav(Path(container.name)) if self._format == "wav" else False
        self._waiting: set[int] = set()  # time stamps of packets that have not come out as frames
        self._shown, self._same_stamps = None, stream.type == "video"

    def note_packet(self, packet: av.Packet) -> None:
        """Note a packet of any stream."""
        index = packet.stream.index
        if packet.is_corrupt and self._format != "wav" and (index == self._index or INDEXED in self._format):
            self._cut = True
        if packet.pts is None or not packet.time_base:
            return
        if self._same_stamps and index == self._index and not packet.is_discard:
            self._waiting.add(packet.pts)
        begin = packet.pts * packet.time_base
        end = begin + (packet.duration or 0) * packet.time_base
        self._first[index] = min(begin, self._first.get(index, begin))
        self._last[index] = max(end, self._last.get(index, end))

    def note_frame(self, frame) -> None:
        """Note a frame of the stream."""
        if self._same_stamps:
            self._same_stamps = frame.pts in self._waiting  # not so in AVI, where a packet may hold two pictures
            self._waiting.discard(frame.pts)
            self._shown = frame.pts

    def fault(self) -> str:
        """What is missing at the end, "" where nothing is."""
        for index, told in self._told.items():
            seen = self._seen(index)
            if told - seen > max(MOST_MISSING[0], told * MOST_MISSING[1]):
                return f"it should last {float(told):.2f} s, but ends after {float(max(seen, 0)):.2f} s"
        if self._cut:
            return "it is cut off"
        if self._same_stamps and self._shown is not None and self._waiting and max(self._waiting) > self._shown:
            return "its last pictures cannot be decoded"
        return ""

    def _seen(self, index: int) -> Fraction:
        """Seconds from the first to the last moment of a stream; of all streams, in Matroska."""
        if TIMED in self._format:
            return max(self._last.values(), default=Fraction(0))
        return self._last.get(index, Fraction(0)) - self._first.get(index, Fraction(0))


def _told_lengths(container: av.container.InputContainer, stream: av.stream.Stream) -> dict[int, Fraction]:
    """Seconds of each stream that the header states, by the stream's index."""
    if TIMED in container.format.name:
        return {stream.index: Fraction(container.duration, av.time_base)} if container.duration else {}
    if container.format.name == "mp3" and not _table_of_mp3(Path(container.name)):
        return {}
    if INDEXED in container.format.name:
        known = [*container.streams.video, *container.streams.audio]
    else:
        known = [stream] if container.format.name in COUNTED else []
    return {s.index: s.duration * s.time_base for s in known if s.duration and s.time_base}


def _table_of_mp3(path: Path) -> bool:
    """True for an MP3 that counts its own frames (the Xing header)."""
    with path.open("rb") as file:
        head = file.read(TAIL)
    return b"Xing" in head or b"Info" in head


def _cut_wav(path: Path) -> bool:
    """True for a WAV that is shorter than the size in its first bytes, by more than a byte of padding."""
    with path.open("rb") as file:
        told = int.from_bytes(file.read(8)[4:], "little")
    return told < NO_SIZE and told + 8 > path.stat().st_size + 1
