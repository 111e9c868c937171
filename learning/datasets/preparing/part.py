"""A part of a long film as a file of its own, without decoding: packets from the key frame before it to its end.

Time stamps stay what they were, so that sound and picture keep their places.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import av

from ....media.decoder import FAULTS, open_media

WORTH = 20.0  # seconds before a part from which on copying it out is faster than decoding what stands before it
MARGIN = 2.0  # seconds copied before and after it, for sound that lies apart from its picture


@contextmanager
def part_of_film(path: Path, zero: float, start: float, seconds: float | None) -> Iterator[Path]:
    """A file with the part `start` .. `start + seconds` after the time stamp `zero` of a film, and a little more; the
    film itself where the part lies near its beginning, or its packets cannot be copied."""
    if start < WORTH:
        yield path
        return
    with TemporaryDirectory(prefix="prepare-") as folder:
        copy = Path(folder) / f"{path.stem}.mkv"
        end = None if seconds is None else zero + start + seconds + MARGIN
        yield copy if _copied(path, zero + start - MARGIN, end, copy) else path


def _copied(path: Path, begin: float, end: float | None, out: Path) -> bool:
    """Whether the packets between two time stamps could be copied."""
    try:
        with open_media(path, "video") as source, av.open(str(out), "w") as target:
            kinds = (source.streams.video[:1], source.streams.audio[:1])
            streams = {stream: target.add_stream_from_template(stream) for kind in kinds for stream in kind}
            source.seek(int(max(0.0, begin) * av.time_base))
            ended = set()
            for packet in source.demux(list(streams)):
                if packet.dts is None:
                    continue
                if end is not None and float(packet.dts * packet.time_base) > end:
                    ended.add(packet.stream)
                    if len(ended) == len(streams):
                        break
                    continue
                packet.stream = streams[packet.stream]
                target.mux(packet)
        return True
    except FAULTS:  # a codec that Matroska does not take, or an index that is not there
        return False
