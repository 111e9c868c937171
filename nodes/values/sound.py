"""AUDIO values as other packs really make them. Checked here, once for all nodes."""

import math

import torch


def sound_of(audio: dict | None) -> tuple[torch.Tensor, int]:
    """A host's AUDIO -> (waveform (C,N) float32 on the CPU, rate); of a batch the first recording.

    ValueError for no audio, for one without samples, for NaN and infinite samples, and for a rate that is none."""
    if audio is None:
        raise ValueError("There is no audio: the video has no sound track, or nothing is wired to the audio input.")
    waveform, rate = audio["waveform"], audio["sample_rate"]
    if waveform.numel() == 0:
        raise ValueError("The audio is empty; give a recording with speech in it.")
    if not (math.isfinite(rate) and rate >= 1):
        raise ValueError(f"The audio says it has {rate} samples a second; load it again with Load Audio.")
    waveform = torch.atleast_2d(waveform)
    waveform = waveform.reshape(-1, *waveform.shape[-2:])[0].cpu().float()
    if not all(torch.isfinite(end) for end in torch.aminmax(waveform)):
        raise ValueError("The audio holds NaN or infinite samples; decode it again or choose another file.")
    return waveform, round(rate)
