"""LSE-D and LSE-C (Prajwal et al. 2020; Sync-D and Sync-C are the same): how near SyncNet sees sound and lips.

Every fifth of a second of the film, a frame apart, is compared with the sound at offsets of -15 to 15 frames. LSE-D is
the lowest mean distance of all offsets, LSE-C the median of these means less the lowest. The published scripts crop the
face by the detector S3FD; ours is cropped by our own finder, which moves the figures a little.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ....vocabulary import SAMPLE_RATE, SAMPLES_A_FRAME
from .networks.syncnet import SyncNet

OFFSETS = 15  # frames to each side
FRAMES, COLUMNS = 5, 20  # of picture, and of cepstrum, that SyncNet takes at once
SIZE = 224
MARGIN = 0.4  # of the face box, added at each side and below
WINDOW, STEP, FFT, FILTERS, KEPT, LIFTER, EMPHASIS = 400, 160, 512, 26, 13, 22, 0.97


def mfcc(audio: np.ndarray) -> np.ndarray:
    """Sound (N,) at 16 kHz in [-1,1] -> (T,13) cepstral coefficients, 100 a second, as python_speech_features computes
    them from 16-bit samples: no window, 26 triangular filters to 8 kHz, lifter 22, log energy as the first."""
    samples = np.round(np.clip(audio, -1, 1) * 32767).astype(np.float64)
    samples = np.append(samples[0], samples[1:] - EMPHASIS * samples[:-1])
    count = 1 + max(0, math.ceil((len(samples) - WINDOW) / STEP))
    samples = np.append(samples, np.zeros(max(0, (count - 1) * STEP + WINDOW - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::STEP][:count]
    power = np.abs(np.fft.rfft(frames, FFT)) ** 2 / FFT
    least = np.finfo(float).eps
    energy = np.log(np.maximum(power.sum(1), least))
    filtered = np.log(np.maximum(power @ _filters().T, least))
    order, place = np.arange(KEPT)[:, None], (np.arange(FILTERS) + 0.5)[None]
    cosines = np.cos(np.pi * order * place / FILTERS) * np.sqrt(2 / FILTERS)
    cepstrum = filtered @ cosines.T * (1 + LIFTER / 2 * np.sin(np.pi * np.arange(KEPT) / LIFTER))
    cepstrum[:, 0] = energy
    return cepstrum


def _filters() -> np.ndarray:
    """(26,257) triangles, evenly spaced on the mel scale from 0 to 8 kHz."""
    highest = 2595 * np.log10(1 + SAMPLE_RATE / 2 / 700)
    hertz = 700 * (10 ** (np.linspace(0, highest, FILTERS + 2) / 2595) - 1)
    edges = np.floor((FFT + 1) * hertz / SAMPLE_RATE)
    bins = np.arange(FFT // 2 + 1)
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (bins - low) / np.maximum(middle - low, 1), (high - bins) / np.maximum(high - middle, 1)
    return np.where((bins >= low) & (bins < middle), rising, np.where((bins >= middle) & (bins < high), falling, 0.0))


def mouth_crop(frames: np.ndarray, box: np.ndarray) -> Tensor:
    """Frames (T,H,W,3) uint8 RGB cut to the square that SyncNet expects around a face box x0, y0, x1, y1:
    (T,3,224,224), blue first, in [0,255]. Beyond the picture it is grey (110)."""
    half = max(box[2] - box[0], box[3] - box[1]) / 2
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    left, top = x - half * (1 + MARGIN), y - half
    scale = SIZE / (half * (2 + 2 * MARGIN))
    move = np.float32([[scale, 0, -left * scale], [0, scale, -top * scale]])
    cut = [
        cv2.warpAffine(f, move, (SIZE, SIZE), borderMode=cv2.BORDER_CONSTANT, borderValue=(110, 110, 110))
        for f in frames
    ]
    return torch.from_numpy(np.stack(cut)[..., ::-1].copy()).movedim(-1, 1).float()


def offset_distances(lips: Tensor, sound: Tensor, offsets: int = OFFSETS) -> Tensor:
    """(2 * offsets + 1,) mean distance of embeddings (T,D) of lips and sound; place k compares lips with the sound of
    k - offsets frames later. Beyond the ends the sound is zero, as in the published code."""
    padded = F.pad(sound, (0, 0, offsets, offsets))
    shifted = [padded[k : k + len(lips)] for k in range(2 * offsets + 1)]
    return torch.stack([F.pairwise_distance(lips, other).mean() for other in shifted])


def lse(distances: Tensor) -> dict[str, float]:
    """`lse_d`, `lse_c` and `lse_offset` (frames by which the sound is early) of mean distances by offset."""
    least, place = distances.min(0)
    middle = distances.median()
    return {"lse_d": float(least), "lse_c": float(middle - least), "lse_offset": float(len(distances) // 2 - place)}


@torch.inference_mode()
def measure_sync(network: SyncNet, faces: Tensor, audio: Tensor, batch: int = 16) -> dict[str, float]:
    """LSE of crops (T,3,224,224) by `mouth_crop` at 25 fps and sound (N,) at 16 kHz. Empty for less than 7 frames."""
    device = next(network.parameters()).device
    cepstrum = torch.from_numpy(mfcc(audio.numpy())).float().T
    count = min(len(faces), len(audio) // SAMPLES_A_FRAME) - FRAMES
    count = min(count, (cepstrum.shape[1] - COLUMNS) // 4 + 1)
    if count < 2:
        return {}
    lips, sound = [], []
    for start in range(0, count, batch):
        places = range(start, min(start + batch, count))
        pictures = torch.stack([faces[i : i + FRAMES] for i in places]).transpose(1, 2)
        columns = torch.stack([cepstrum[None, :, 4 * i : 4 * i + COLUMNS] for i in places])
        lips.append(network.embed_lips(pictures.to(device)))
        sound.append(network.embed_sound(columns.to(device)))
    return lse(offset_distances(torch.cat(lips).cpu(), torch.cat(sound).cpu()))
