"""What mp3, AAC and Opus at low rates leave of a voice, in its own time."""

from __future__ import annotations

import io

import av
import numpy as np
from scipy.signal import correlate

from ....vocabulary import SAMPLE_RATE

CODECS: dict[str, tuple[str, str, int, tuple[int, ...]]] = {
    "mp3": ("mp3", "libmp3lame", SAMPLE_RATE, (16, 24, 32, 48)),
    "aac": ("adts", "aac", SAMPLE_RATE, (16, 24, 32)),
    "opus": ("ogg", "libopus", SAMPLE_RATE, (8, 12, 16, 24)),
}
"""Container, encoder, sampling rate, and kilobits a second, of which one is picked."""
DELAY = 3200  # samples by which a codec may move the sound: 1,105 of mp3's encoder, 1,024 and 2,048 of AAC's


def compressed(audio: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Audio (N,) float32 at 16 kHz, written and read by a codec picked at random; the same length and timing. Where
    FFmpeg has no such encoder here, the audio as it is."""
    container, encoder, rate, kilobits = CODECS[list(CODECS)[rng.integers(len(CODECS))]]
    bits = 1000 * int(kilobits[rng.integers(len(kilobits))])
    if encoder not in av.codecs_available or len(audio) < SAMPLE_RATE // 4:
        return audio
    heard = _read(_written(audio, container, encoder, rate, bits))
    return _aligned(heard, audio)


def _written(audio: np.ndarray, container: str, encoder: str, rate: int, bits: int) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(encoder, rate=rate, layout="mono")
        stream.bit_rate = bits
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(audio[None].clip(-1, 1)), "fltp", "mono")
        frame.sample_rate = SAMPLE_RATE
        resampler = av.AudioResampler(stream.format, stream.layout, stream.rate, stream.frame_size or None)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(stream.encode(piece))
        output.mux(stream.encode(None))
    return file.getvalue()


def _read(data: bytes) -> np.ndarray:
    resampler = av.AudioResampler("fltp", "mono", SAMPLE_RATE)
    with av.open(io.BytesIO(data)) as container:
        pieces = [piece for frame in container.decode(audio=0) for piece in resampler.resample(frame)]
    pieces += resampler.resample(None)
    return np.concatenate([piece.to_ndarray()[0] for piece in pieces])


def _aligned(heard: np.ndarray, audio: np.ndarray) -> np.ndarray:
    """`heard` moved to where it fits best, up to DELAY samples later or earlier, and cut to the length of `audio`."""
    padded = np.pad(heard, DELAY)
    padded = np.pad(padded, (0, max(0, len(audio) + 2 * DELAY - len(padded))))[: len(audio) + 2 * DELAY]
    start = int(correlate(padded, audio, "valid").argmax())
    return padded[start : start + len(audio)].astype(np.float32)
