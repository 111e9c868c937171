"""When the pictures of a film are shown: time stamps, a constant rate for them, and what stands at its moments."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from .decoder import FAULTS, frame_rate, open_media, stamp_of, video_stream

USUAL = [Fraction(n, 1001) for n in (24000, 30000, 60000, 120000)] + [
    Fraction(n) for n in (10, 12, 15, 20, 24, 25, 30, 48, 50, 60, 90, 100, 120, 240)
]
NEAR = 0.025  # a measured rate this near a usual one is that one
VARIES = 1.02  # a film whose fast parts are faster than its average by more has no constant rate
FASTEST_PART = Fraction(120)  # frames a second; beyond, the stamps of a film that is slower on the whole are faulty
WINDOW, FEWEST = 1.0, 5  # seconds looked at together, and pictures that make a rate
PAUSE = 0.1  # seconds


def constant_rate(path: Path) -> Fraction:
    """Frames a second at which nothing of a film's fast parts is lost.

    That is the stream's own rate (decoder.frame_rate) wherever it is constant. Of a variable one, as telephones and
    screen recorders write, it is the rate of the fastest second, and not the average, which drops every second picture
    of a film that is still for half of its time."""
    with open_media(path, "video") as container:
        stream = video_stream(container, path.name)
        average = frame_rate(stream, path.name)
        fastest = fastest_rate(_stamps(container, stream))
    if fastest <= VARIES * average:
        return average
    nearest = min(USUAL, key=lambda rate: abs(rate - fastest) / rate)
    rate = nearest if abs(nearest - fastest) < NEAR * nearest else Fraction(fastest).limit_denominator(1001)
    return min(rate, max(average, FASTEST_PART))


def _stamps(container: av.container.InputContainer, stream: av.video.stream.VideoStream) -> np.ndarray:
    """Seconds at which the pictures of a stream appear, in order, without decoding them; none where some tell none."""
    stamps = []
    try:
        for packet in container.demux(stream):
            if packet.size and not packet.is_discard:
                stamps.append(packet.pts)
    except FAULTS:  # decoding will tell
        pass
    if not stamps or None in stamps:
        return np.empty(0)
    return np.unique(np.array(stamps, np.float64)) * float(stream.time_base)


def fastest_rate(stamps: np.ndarray) -> float:
    """Pictures a second in the fastest second of a film: stamps (N,) in seconds, rising -> rate, 0 where none shows.

    Pauses and bursts within that second do not count, so that a camera that catches up is not taken for a fast one."""
    if len(stamps) < FEWEST:
        return 0.0
    gaps, fastest = np.diff(stamps), 0.0
    starts = np.searchsorted(stamps, np.arange(stamps[0], stamps[-1], WINDOW / 2))
    ends = np.searchsorted(stamps, stamps[starts] + WINDOW)
    for first, last in zip(starts, ends, strict=True):
        part = gaps[first : last - 1]
        if len(part) >= FEWEST - 1:
            middle = _middle(part)
            usual = part[(part > middle / 2) & (part < 1.5 * middle)]
            fastest = max(fastest, 1 / float(usual.mean())) if len(usual) else fastest
    return fastest


def _middle(gaps: np.ndarray) -> float:
    """The gap that half of the time lies below; a pause counts no longer than PAUSE."""
    gaps = np.sort(gaps)
    passed = np.cumsum(np.minimum(gaps, PAUSE))
    return gaps[np.searchsorted(passed, passed[-1] / 2)]


def on_grid(
    frames: Iterable[av.VideoFrame], rate: Fraction, spacing: Fraction, zero: Fraction | None, start: Fraction
) -> Iterator[tuple[av.VideoFrame, int]]:
    """Each decoded frame with the number of output slots it fills, at `rate` from `start` seconds after `zero`.

    spacing: the length of a frame that tells none. zero: a time stamp in seconds, by default the first frame's; a film
    that begins later shows its first frame until then."""
    held, slot, end = None, 0, Fraction(0)
    for index, frame in enumerate(frames):
        unit = frame.time_base or 0
        stamp = stamp_of(frame)
        stamp = index * spacing if stamp is None else stamp
        zero = stamp if zero is None else zero
        time = stamp - zero - start
        length = getattr(frame, "duration", 0) * unit or spacing
        end = max(end, time + length)
        here = _round(time * rate)
        if held is not None and here > max(slot, 0):
            yield held, here - max(slot, 0)
            slot = here
        elif held is None:
            slot = min(here, 0)
        held = frame
    if held is not None and end > 0:
        slot = max(slot, 0)
        yield held, max(_round(end * rate) - slot, 0 if slot else 1)


def _round(x: Fraction) -> int:
    return (2 * x.numerator + x.denominator) // (2 * x.denominator)


def exact_rate(fps: float) -> Fraction:
    """25.0 -> 25, 29.97 -> 30000/1001: a rate within 0.001 of an NTSC rate is that rate."""
    ntsc = Fraction(round(fps * 1.001) * 1000, 1001)
    if abs(float(ntsc) - fps) < 1e-3:
        return ntsc
    return Fraction(fps).limit_denominator(1000)
