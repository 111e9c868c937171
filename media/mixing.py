"""Sound of several channels as one or two, as FFmpeg mixes it."""

from functools import lru_cache

import av
import numpy as np
import torch
from torch import Tensor

from .decoder import FAULTS

# The order of channels that nobody names, as FFmpeg guesses it; but of three it takes the last for a subwoofer and
# drops it, and with it the voice of an AAC file of three. More than eight are microphones rather than speakers.
USUAL = {3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}


def mix(waveform: Tensor, to: str, layout: str | None = None) -> Tensor:
    """(...,C,N) -> (...,1,N) for "mono"; for "stereo" (...,2,N), and one or two channels as they are.

    layout: FFmpeg's name for the order of the channels, by default a guess from their number. The numbers are
    libswresample's own, without its normalisation, as `ffmpeg -ac` has them for float samples: a voice in the centre
    stays as loud as it is. Two channels become one by their mean, and so do channels whose places nobody knows."""
    channels = waveform.shape[-2]
    if channels == 1 or (channels == 2 and to == "stereo"):
        return waveform
    gains = None if channels == 2 else _gains(layout or USUAL.get(channels), to, channels)
    if gains is None:
        return waveform.mean(dim=-2, keepdim=True)
    return gains.to(waveform) @ waveform


@lru_cache
def _gains(layout: str | None, to: str, channels: int) -> Tensor | None:
    """(1 or 2, C): what libswresample makes of a sample in each channel; None where it knows no way."""
    if layout is None:
        return None
    impulses = np.zeros((1, channels * channels), np.float32)
    impulses[0, :: channels + 1] = 1
    try:
        frame = av.AudioFrame.from_ndarray(impulses, format="flt", layout=layout)
        frame.sample_rate = 48_000
        (mixed,) = av.AudioResampler("flt", to, 48_000).resample(frame)
        return torch.from_numpy(mixed.to_ndarray().reshape(channels, -1).T.copy())
    except FAULTS:
        return None
