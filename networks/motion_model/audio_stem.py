"""Audio stems: mono 16 kHz sound -> tokens, 50 a second, two a video frame.

The receptive field of a stem reaches BEFORE samples before its first token and AFTER samples after its last. A clip is
padded with zeros, so its edges are like pauses; a long clip is encoded in pieces, with the tokens of the whole.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...vocabulary import SAMPLE_RATE, SAMPLES_A_FRAME
from ..optional import torchaudio_functional
from .config import MotionModelConfig

TOKEN = SAMPLES_A_FRAME // 2  # 320 samples a token
HOP, WINDOW, FFT = SAMPLE_RATE // 100, SAMPLE_RATE // 40, 512  # 10 ms, 25 ms
GATE_DB = -60.0  # quieter tokens never count as speech
TARGET_DB = -20.0
LOUDEST_GAIN_DB = 25.0
SILENCE_DB = -80.0  # after normalisation; the floor of the log-mel spectrum


def loudness_gain(waveform: Tensor) -> Tensor:
    """The factor (B, 1) that brings the speech of each waveform (B, n * TOKEN) to -20 dB, measured as ITU-R BS.1770
    does, without its filter.

    The mean is taken over the tokens at most 10 dB below the mean power, so silence around speech changes nothing. The
    gain is at most 25 dB, so that noise is not raised to the level of a voice.
    """
    power = torch.linalg.vector_norm(waveform.unflatten(1, (-1, TOKEN)), dim=-1).square() / TOKEN

    def mean_above(gate: Tensor) -> Tensor:
        passed = power > gate
        return (power * passed).sum(1, keepdim=True) / passed.sum(1, keepdim=True).clamp_min(1)

    absolute = torch.full_like(power[:, :1], 10 ** (GATE_DB / 10))
    level = mean_above(torch.maximum(absolute, mean_above(absolute) / 10))
    gain_db = (TARGET_DB - 10 * torch.log10(level.clamp_min(1e-10))).clamp(max=LOUDEST_GAIN_DB)
    return 10 ** (gain_db / 20)


class NormalisedAudio(NamedTuple):
    """A clip of whole frames and the gain that normalises its loudness, applied piece by piece, so that no second copy
    of the clip is held."""

    waveform: Tensor  # (B, N)
    gain: Tensor  # (B, 1)

    def samples(self, start: int, stop: int) -> Tensor:
        """Normalised samples (B, stop - start); zeros where start or stop lies beyond the clip."""
        length = self.waveform.shape[1]
        return F.pad(self.gain * self.waveform[:, max(0, start) : stop], (max(0, -start), max(0, stop - length)))

    def tokens(self, stem: nn.Module, start: int, stop: int) -> Tensor:
        """Tokens start .. stop of the clip, (B, stop - start, width); either end may lie beyond it."""
        return stem(self.samples(start * TOKEN - stem.BEFORE, stop * TOKEN + stem.AFTER))


def mel_filters(mels: int, rate: int) -> Tensor:
    """Triangles of peak 1 on the HTK mel scale, 50 Hz to the Nyquist rate: (mels, FFT // 2 + 1).

    torchaudio.functional.melscale_fbanks in double precision, and so 1e-5 off its own: the networks were trained on
    these."""

    def mel(hz: float) -> float:
        return 2595 * math.log10(1 + hz / 700)

    edges = 700 * (10 ** (torch.linspace(mel(50), mel(rate / 2), mels + 2, dtype=torch.float64) / 2595) - 1)
    hz = torch.linspace(0, rate / 2, FFT // 2 + 1, dtype=torch.float64)
    rise = (hz - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - hz) / (edges[2:] - edges[1:-1])[:, None]
    return torch.minimum(rise, fall).clamp_min(0).float()


def power_spectrum(samples: Tensor, window: Tensor) -> Tensor:
    """Squared magnitudes (B, FFT // 2 + 1, frames) of windowed pieces of samples (B, N), HOP apart."""
    functional = torchaudio_functional()
    if functional is not None:
        return functional.spectrogram(samples, 0, window, FFT, HOP, WINDOW, 2.0, False, center=False)
    spectrum = torch.stft(samples, FFT, HOP, WINDOW, window, center=False, return_complex=True)
    return spectrum.real.square() + spectrum.imag.square()


class LogMelStem(nn.Module):
    """Log-mel spectrogram computed from the waveform, then two convolutions to 50 Hz."""

    REACH = 3  # mel frames of the convolutions' receptive field beyond a token, on either side
    BEFORE = AFTER = REACH * HOP + (FFT - HOP) // 2  # a frame's window is centred on its own 10 ms

    def __init__(self, config: MotionModelConfig, width: int):
        super().__init__()
        self.register_buffer("window", torch.hann_window(WINDOW), persistent=False)
        self.register_buffer("filters", mel_filters(config.mels, SAMPLE_RATE), persistent=False)
        self.narrow = nn.Conv1d(config.mels, width, 5)
        self.down = nn.Conv1d(width, width, 4, stride=2)
        self.norm = nn.LayerNorm(width)

    def log_mel(self, samples: Tensor) -> Tensor:
        """(B, BEFORE + N + AFTER) -> (B, mels, N // 160 + 6), 20 dB a unit: -2 is silence, +2 a full-scale tone."""
        with torch.autocast(samples.device.type, enabled=False):
            window = self.window.float()
            power = power_spectrum(samples.float(), window) * (2 / window.sum()) ** 2
            db = 10 * torch.log10((self.filters.float() @ power).clamp_min(10 ** (SILENCE_DB / 10)))
        return (db + 40) / 20

    def forward(self, samples: Tensor) -> Tensor:
        """(B, BEFORE + n * TOKEN + AFTER) -> (B, n, width)."""
        x = self.log_mel(samples).to(self.narrow.weight.dtype)
        x = F.gelu(self.down(F.gelu(self.narrow(x))))
        return self.norm(x.transpose(1, 2))


class WaveformStem(nn.Module):
    """Raw waveform, as in the paper: four strided convolutions, 320 samples a token.

    Norms are over the channels of each time step: norms over time would raise a silent clip to the level of a loud one.
    """

    SHAPE = ((128, 10, 5), (256, 8, 4), (384, 8, 4), (512, 8, 4))  # width, kernel, stride
    REACH = 745 - TOKEN  # samples
    BEFORE, AFTER = REACH // 2, REACH - REACH // 2

    def __init__(self, config: MotionModelConfig, width: int):
        super().__init__()
        widths = [1] + [channels for channels, _, _ in self.SHAPE]
        self.convs = nn.ModuleList(
            nn.Conv1d(before, after, kernel, stride)
            for before, (after, kernel, stride) in zip(widths, self.SHAPE, strict=False)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for channels in widths[1:])
        self.project = nn.Linear(widths[-1], width)

    def forward(self, samples: Tensor) -> Tensor:
        """(B, BEFORE + n * TOKEN + AFTER) -> (B, n, width)."""
        x = samples[:, None].to(self.convs[0].weight.dtype)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = F.gelu(norm(conv(x).transpose(1, 2))).transpose(1, 2)
        return self.project(x.transpose(1, 2))


def audio_stem(config: MotionModelConfig, width: int) -> nn.Module:
    """The stem that the config names."""
    return (LogMelStem if config.stem == "logmel" else WaveformStem)(config, width)


def prepare(waveform: Tensor) -> NormalisedAudio:
    """Check a waveform (B, N), cut it to whole frames and measure its loudness.

    Raises ValueError when it is not (B, N) or holds no whole frame.
    """
    if waveform.dim() != 2:
        raise ValueError(f"audio must be a mono batch (B, N), got shape {tuple(waveform.shape)}")
    frames = waveform.shape[1] // SAMPLES_A_FRAME
    if not frames:
        raise ValueError(
            f"audio of {waveform.shape[1]} samples is shorter than one frame ({SAMPLES_A_FRAME} samples); "
            "pad it with silence"
        )
    waveform = waveform[:, : frames * SAMPLES_A_FRAME]
    return NormalisedAudio(waveform, loudness_gain(waveform))
