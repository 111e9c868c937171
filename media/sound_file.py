"""A sound file that is read as a stream, again each time: its samples need no memory."""

import logging
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..vocabulary import SAMPLE_RATE
from .audio import MOST_SAMPLES, check_samples, joined, resampled, seconds_expected, sound_begin
from .decoder import LONGEST_SILENCE, audio_blocks, audio_stream, open_media
from .mixing import mix

log = logging.getLogger("mamba_portrait")

LONGEST_LEAD = 60  # seconds that the sound of a film may begin before its pictures


class SoundFile:
    """The first audio stream of any file PyAV reads, or a part of it.

    late: seconds of silence before it; a negative number is cut off from its beginning. seconds: its length with that
    silence, None for all. Raises FileNotFoundError, or ValueError when the file cannot be read or holds no sound."""

    def __init__(
        self, path: str | os.PathLike, late: Fraction | float = Fraction(0), seconds: float | None = None
    ) -> None:
        self.path = Path(path)
        with open_media(self.path, "audio") as container:
            sound = audio_stream(container, self.path.name)
            self._expected = seconds_expected(container, sound, self.path)
        self.rate, self.channels, self._layout = sound.rate, sound.channels, sound.layout
        self._late = round(late * self.rate)
        self._most = None if seconds is None else round(seconds * self.rate)

    def blocks(self) -> Iterator[Tensor]:
        """The samples (C,N) float32, nominally in [-1,1]. Raises ValueError for damage, and for NaN."""
        given, most = 0, MOST_SAMPLES // self.channels
        for block in self._placed():
            if self._most is not None:
                block = block[:, : self._most - given]
            given += block.shape[1]
            if given > most:
                raise ValueError(f"{self.path.name} holds more than {most / 1e6:.0f} million samples; cut it shorter.")
            if block.shape[1]:
                yield block
            if given == self._most:
                return

    def _placed(self) -> Iterator[Tensor]:
        skip = max(0, -self._late)
        for begin in range(0, self._late, self.rate):
            yield torch.zeros(self.channels, min(self.rate, self._late - begin))
        with open_media(self.path, "audio") as container:
            sound = audio_stream(container, self.path.name)
            for block in audio_blocks(container, sound, self.path.name):
                if skip >= len(block):
                    skip -= len(block)
                    continue
                samples = torch.from_numpy(np.ascontiguousarray(block[skip:].T))
                check_samples(samples, self.path.name)
                skip = 0
                yield samples

    def loaded(self) -> Tensor | None:
        """All samples (C,N); None where there are none."""
        pieces = list(self.blocks())
        return torch.cat(pieces, 1) if pieces else None

    def samples(self) -> int:
        """How many samples there are, by reading them."""
        return sum(block.shape[1] for block in self.blocks())

    def stereo(self) -> Iterator[Tensor]:
        """The samples of one or two channels, as for a film; all blocks have as many."""
        for block in self.blocks():
            yield mix(block, "stereo", self._layout)

    def mono_16k(self) -> tuple[Tensor, int]:
        """(N',) float32, what the networks listen to, and the number of samples N at the file's own rate.

        ValueError where there is no sound at all."""
        heard = 0

        def mono() -> Iterator[Tensor]:
            nonlocal heard
            for block in self.blocks():
                heard += block.shape[1]
                yield mix(block, "mono", self._layout)

        pieces = (piece.numpy().T for piece in resampled(mono(), self.rate, SAMPLE_RATE))
        waveform = joined(pieces, 1, round(self._expected * SAMPLE_RATE), self.path.name)
        if not heard:
            raise ValueError(f"{self.path.name} holds an audio stream without any sound in it.")
        return torch.from_numpy(waveform[0]), heard


def film_sound(
    path: str | os.PathLike, zero: Fraction, start: float = 0.0, seconds: float | None = None
) -> SoundFile | None:
    """The sound of a film from `start` seconds after the time stamp `zero`, with silence where it begins later.

    None where it begins after the end of the part. Raises as `SoundFile`."""
    begin = sound_begin(path)
    offset = Fraction(0) if begin is None else begin - zero
    if not -LONGEST_LEAD <= offset <= LONGEST_SILENCE:
        log.warning("%s has its sound %.0f s away from its pictures; both begin together.", Path(path).name, offset)
        offset = Fraction(0)
    late = offset - Fraction(start)
    return None if seconds is not None and late >= seconds else SoundFile(path, late, seconds)
