"""Sound: reading any container by PyAV, 16 kHz mono, and the exact arithmetic between samples and frames.

Sound is resampled by torchaudio where it imports, block by block; elsewhere by a form of our own with the same numbers.
"""

import functools
import math
import os
import wave
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..files import whole_file
from ..networks.optional import torchaudio_functional
from ..vocabulary import SAMPLE_RATE
from .decoder import AudioStream, audio_blocks, audio_stream, decoded, open_media, stamp_of
from .mixing import mix

LOUDEST = 2.0**32  # above 32-bit integer samples that were stored as floats without scaling
MOST_SAMPLES = 1 << 31  # of all channels together, 8 GiB: six hours of stereo at 48 kHz
DENSEST = 64  # most samples a byte: Opus at its lowest rate. It bounds the memory reserved by a header's duration

SINC_ZEROS = 6  # zero crossings of the sinc kept on each side
AT_ONCE = 1 << 20  # input samples
DENSE_LIMIT = 1 << 20  # largest dense filter bank worth convolving with
SINC_ROLLOFF = 0.99  # cutoff as a part of the lower Nyquist frequency


def load_audio(path: str | os.PathLike) -> tuple[Tensor, int]:
    """Decode the first audio stream of any file PyAV reads, video files included.

    Returns (waveform, rate): waveform (C,N) float32, nominally in [-1,1], at the stream's own rate and channel count,
    up to 64 channels. Raises FileNotFoundError, or ValueError when the file cannot be read, has no sound, or has an
    implausible header.
    """
    path = Path(path)
    with open_media(path, "audio") as container:
        sound = audio_stream(container, path.name)
        room = round(seconds_expected(container, sound, path) * sound.rate)
        waveform = joined(audio_blocks(container, sound, path.name), sound.channels, room, path.name)
    if not waveform.shape[1]:
        raise ValueError(f"{path.name} holds an audio stream without any sound in it.")
    waveform = torch.from_numpy(waveform)
    check_samples(waveform, path.name)
    return waveform, sound.rate


def sound_begin(path: str | os.PathLike) -> Fraction | None:
    """The time stamp in seconds of a file's first sound; None where there is none to be decoded, or no stamp."""
    path = Path(path)
    try:
        with open_media(path, "audio") as container:
            frame = next(decoded(container, audio_stream(container, path.name).stream, path.name), None)
            return None if frame is None else stamp_of(frame)
    except ValueError:  # load_audio will tell
        return None


def seconds_expected(container: av.container.InputContainer, sound: AudioStream, path: Path) -> float:
    """How much sound to make room for: what the header tells and a little more, if the file is large enough for it."""
    told = (container.duration or 0) / av.time_base
    return max(0.0, min(told + 1, path.stat().st_size * DENSEST / sound.channels / sound.rate))


def joined(blocks: Iterable[np.ndarray], channels: int, room: int, name: str) -> np.ndarray:
    """Blocks (N,C) -> (C,N) float32. room: samples to reserve; pages that are never written take no memory."""
    samples, filled = np.empty((channels, room), np.float32), 0
    for block in blocks:
        end = filled + len(block)
        if end * channels > MOST_SAMPLES:
            raise ValueError(f"{name} holds more than {filled / 1e6:.0f} million samples; cut it into shorter parts.")
        if end > samples.shape[1]:
            short, samples = samples, np.empty((channels, 2 * end), np.float32)
            samples[:, :filled] = short[:, :filled]
        samples[:, filled:end] = block.T
        filled = end
    return samples[:, :filled]


def check_samples(waveform: Tensor, name: str = "The audio") -> None:
    """ValueError for NaN, infinite, or impossibly loud samples, whose power would overflow."""
    low, high = torch.aminmax(waveform)  # NaN passes through; no mask of all samples
    if not (low >= -LOUDEST and high <= LOUDEST):
        raise ValueError(f"{name} holds NaN or infinite samples; decode it again or choose another file.")


def to_mono_16k(waveform: Tensor, rate: int) -> Tensor:
    """Mix the channels and resample to 16 kHz, the input of all audio networks here.

    waveform (N,), (C,N) or (B,C,N), any float or integer-free real tensor -> (N',) or (B,N') float32.
    Raises ValueError for an empty or non-finite waveform.
    """
    if waveform.numel() == 0:
        raise ValueError("The audio is empty; give a clip with at least one sample.")
    waveform = waveform.float()
    check_samples(waveform)
    mono = waveform if waveform.ndim == 1 else mix(waveform, "mono").squeeze(-2)
    return resample(mono, rate, SAMPLE_RATE)


def resample(waveform: Tensor, rate: int, new_rate: int) -> Tensor:
    """Band-limited resampling by a Hann-windowed sinc: (..., N) at `rate` -> (..., ceil(N new_rate / rate)).

    torchaudio.functional.resample with its defaults (width 6, roll-off 0.99), in blocks; where torchaudio does not
    import our own form of it, equal within 1e-4. That one also takes ratios without a common divisor, such as
    11127:16000, whose filters would take torchaudio gigabytes.
    """
    flat = waveform.reshape(-1, waveform.shape[-1])
    pieces = list(resampled([flat], rate, new_rate))
    if len(pieces) == 1 and pieces[0] is flat:
        return waveform
    resulting = torch.cat(pieces, 1) if pieces else flat.float()
    return resulting.reshape(*waveform.shape[:-1], -1)


def resampled(blocks: Iterable[Tensor], rate: int, new_rate: int) -> Iterator[Tensor]:
    """`resample` of a stream: pieces (C,N) of any length -> pieces that joined are the whole's."""
    rate, new_rate = int(rate), int(new_rate)
    if rate <= 0 or new_rate <= 0:
        raise ValueError(f"Sample rates must be positive, got {rate} and {new_rate} Hz.")
    common = math.gcd(rate, new_rate)
    old, new = rate // common, new_rate // common
    if old == new:
        yield from blocks
        return
    reach = math.ceil(SINC_ZEROS * old / (min(old, new) * SINC_ROLLOFF))  # input samples under half a window
    functional = torchaudio_functional() if old * new <= DENSE_LIMIT else None
    if functional is not None:
        reach = -(-reach // old) * old  # of which torchaudio makes a whole number of samples
        convolved = functools.partial(_by_torchaudio, functional.resample, reach, old, new)
    else:
        convolved = functools.partial(_by_torch, reach, old, new)
    step, after = max(1, AT_ONCE // old) * old, reach + old + 1  # input samples done at once, and seen beyond them

    waiting, count = [], 0
    for block in blocks:
        waiting += [block.float()] if waiting else [block.new_zeros(len(block), reach).float(), block.float()]
        count += waiting[-1].shape[1]
        if count >= step + after:
            joined = torch.cat(waiting, 1)
            while count >= step + after:
                yield convolved(joined[:, : reach + step + after], step // old * new)
                joined, count = joined[:, step:], count - step
            waiting = [joined.clone()]
    if count:
        yield convolved(F.pad(torch.cat(waiting, 1), (0, after)), -(-count * new // old))


def _by_torchaudio(resample: Callable, reach: int, old: int, new: int, part: Tensor, length: int) -> Tensor:
    """`length` output samples of a part that begins `reach` input samples before the first of them: (B,length)."""
    first = reach // old * new
    return resample(part, old, new)[:, first : first + length]


def _by_torch(reach: int, old: int, new: int, part: Tensor, length: int) -> Tensor:
    """The same without torchaudio."""
    taps, weights = _sinc_filters(old, new, reach)
    apply = _dense if weights.shape[0] * old <= DENSE_LIMIT else _gathered
    return apply(part, taps.to(part.device), weights.to(part.device), old, length)


def _dense(flat: Tensor, taps: Tensor, weights: Tensor, old: int, length: int) -> Tensor:
    """All output phases at once, as a strided convolution: (B,N) -> (B,length). Best for the usual, simple ratios."""
    new = weights.shape[0]
    kernel = flat.new_zeros(new, old + taps.numel())
    columns = (torch.arange(new, device=flat.device) * old // new)[:, None] + taps
    kernel.scatter_(1, columns, weights)
    flat = F.pad(flat, (0, max(0, kernel.shape[1] - flat.shape[1])))
    return F.conv1d(flat[:, None], kernel[:, None], stride=old).transpose(1, 2).flatten(1)[:, :length]


def _gathered(flat: Tensor, taps: Tensor, weights: Tensor, old: int, length: int) -> Tensor:
    """Only the taps under each output sample's window, in blocks: (B,N) -> (B,length). Best for odd ratios."""
    new = weights.shape[0]
    blocks = []
    for n in torch.arange(length, device=flat.device).split(1 << 16):
        index = (n * old // new)[:, None] + taps
        blocks.append((flat[:, index] * weights[n % new]).sum(-1))
    return torch.cat(blocks, dim=1)


@functools.lru_cache(maxsize=4)
def _sinc_filters(old: int, new: int, reach: int) -> tuple[Tensor, Tensor]:
    """Tap offsets (2 reach + 2,) into the padded signal and the filter of each output phase (new, 2 reach + 2)."""
    cutoff = min(old, new) * SINC_ROLLOFF
    taps = torch.arange(2 * reach + 2)
    phase = (torch.arange(new, dtype=torch.int64) * old % new).double() / new  # where between two input samples
    t = (taps.double() - reach)[None] - phase[:, None]
    t = (t * cutoff / old).clamp(-SINC_ZEROS, SINC_ZEROS)
    window = torch.cos(t * math.pi / SINC_ZEROS / 2) ** 2
    return taps, (torch.sinc(t) * window * (cutoff / old)).float()


def frame_count(samples: int, rate: int, fps: Fraction | int) -> int:
    """Frames that `samples` at `rate` fill: floor(samples fps / rate + 1/2), in integers, so exact for any length."""
    fps = Fraction(fps)
    return (2 * samples * fps.numerator + rate * fps.denominator) // (2 * rate * fps.denominator)


def write_wav(path: str | os.PathLike, waveform: Tensor, rate: int) -> Path:
    """Write (N,) or (C,N) in [-1,1] as 16-bit PCM; louder samples are clipped. The file appears only when complete."""
    path = Path(path)
    samples = waveform.detach().float().cpu().reshape(-1, waveform.shape[-1])
    pcm = (samples.clamp(-1, 1) * 32767).round().to(torch.int16).T.contiguous().numpy()
    with whole_file(path) as partial, wave.open(str(partial), "wb") as file:
        file.setnchannels(samples.shape[0])
        file.setsampwidth(2)
        file.setframerate(int(rate))
        file.writeframes(pcm.astype("<i2").tobytes())
    return path
