"""Several sounds at once, as a stream for a film's encoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from .audio import resampled
from .mixing import mix
from .sound_file import SoundFile

Sound = tuple[Tensor, int] | SoundFile
"""A waveform (N,) or (C,N) in [-1,1] with its rate, or a file."""


class MixedSound:
    """The sum of sounds, each times its factor, at the rate of the first, in two channels. What is louder than 1 is
    clipped when it is encoded. ValueError without any sound."""

    def __init__(self, parts: Sequence[tuple[Sound, float]]):
        if not parts:
            raise ValueError("There is no sound to mix.")
        self._parts = list(parts)
        self.rate = _rate(parts[0][0])

    def stereo(self) -> Iterator[Tensor]:
        """Blocks (2,n) float32, as long as the longest sound."""
        streams = [self._stream(sound, factor) for sound, factor in self._parts]
        waiting = [torch.empty(2, 0) for _ in streams]
        while True:
            for number, stream in enumerate(streams):
                while stream is not None and not waiting[number].shape[1]:
                    block = next(stream, None)
                    stream = streams[number] = None if block is None else stream
                    waiting[number] = waiting[number] if block is None else block
            lengths = [block.shape[1] for block in waiting if block.shape[1]]
            if not lengths:
                return
            length = min(lengths)
            yield sum(block[:, :length] for block in waiting if block.shape[1])
            waiting = [block[:, length:] for block in waiting]

    def _stream(self, sound: Sound, factor: float) -> Iterator[Tensor]:
        blocks = sound.stereo() if isinstance(sound, SoundFile) else iter([mix(torch.atleast_2d(sound[0]), "stereo")])
        for block in resampled(blocks, _rate(sound), self.rate):
            yield factor * block.expand(2, -1)


def _rate(sound: Sound) -> int:
    return sound.rate if isinstance(sound, SoundFile) else int(sound[1])
