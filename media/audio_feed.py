"""The sound of a film as its encoder takes it: block by block, at a rate and with channels that AAC knows."""

from collections.abc import Iterator

import av
import numpy as np
import torch
from torch import Tensor

from .audio import resampled
from .mixed_sound import MixedSound
from .mixing import mix
from .sound_file import SoundFile

AUDIO_BLOCK = 1024  # samples in an AAC frame
RATE = 48_000  # of a voice at a rate that AAC does not know


class AudioFeed:
    """audio: a waveform (N,), (C,N) or (1,C,N) in [-1,1] and its rate, or a file or mixture, which is read on the way.

    `channels` is 1 or 2, and 0 for a file without a sample. Raises ValueError for an empty waveform."""

    def __init__(self, audio: tuple[Tensor, int] | SoundFile | MixedSound) -> None:
        if not isinstance(audio, tuple):
            pieces, rate = audio.stereo(), audio.rate
        else:
            waveform, rate = torch.as_tensor(audio[0]).detach().float().cpu(), int(audio[1])
            if waveform.shape[-1] == 0:
                raise ValueError("The audio given to the video is empty.")
            pieces = iter([mix(waveform.reshape(-1, waveform.shape[-1]), "stereo")])
        self.rate = rate if rate in av.codec.Codec("aac", "w").audio_rates else RATE
        self._pieces = resampled(pieces, rate, self.rate)
        self._waiting = next(self._pieces, torch.empty(0, 0)).numpy()  # (C,N) samples that were not given yet
        self._given, self._ended = 0, not len(self._waiting)
        self.channels = len(self._waiting)

    def blocks(self, until: int | None) -> Iterator[tuple[int, np.ndarray]]:
        """Blocks (C,n) up to sample `until` (None: the end), each with the number of its first sample; a block that is
        no whole AAC frame is the last."""
        while until is None and not (self._ended and not self._waiting.shape[1]):
            yield from self.blocks(self._given + self.rate)  # a second at a time, not the whole rest in memory
        if until is None:
            return
        self._read(until)
        end = self._given + self._waiting.shape[1]
        last = self._ended and until >= end
        end = min(until, end)
        while self._given < end and (last or end - self._given >= AUDIO_BLOCK):
            length = min(end - self._given, AUDIO_BLOCK)
            yield self._given, self._waiting[:, :length].clip(-1, 1)
            self._waiting, self._given = self._waiting[:, length:], self._given + length

    def cut(self, until: int, leeway: int) -> bool:
        """End the sound at sample `until` where more than `leeway` samples follow; whether that was so."""
        self._read(until + leeway)
        longer = self._given + self._waiting.shape[1] > until + leeway
        if longer:
            self._waiting, self._ended = self._waiting[:, : max(0, until - self._given)], True
            self._pieces.close()
        return longer

    def _read(self, until: int) -> None:
        """Read on until a sample beyond `until` waits, or none is left."""
        pieces, count = [self._waiting], self._waiting.shape[1]
        while not self._ended and self._given + count <= until:
            piece = next(self._pieces, None)
            self._ended = piece is None
            if piece is not None:
                pieces.append(piece.numpy())
                count += piece.shape[1]
        self._waiting = np.concatenate(pieces, 1) if len(pieces) > 1 else self._waiting
