"""Checks of AUDIO values."""

import torch

from ...media.audio import check_samples
from ...media.decoder import check_rate


def sound_of(audio: dict | None) -> tuple[torch.Tensor, int]:
    """A host's AUDIO of one recording -> (waveform (C,N) float32 on the CPU, rate).

    ValueError for several recordings, for no audio, for one without samples, for NaN and infinite samples, and for an
    implausible rate."""
    if audio is None:
        raise ValueError("There is no audio: the video has no sound track, or nothing is wired to the audio input.")
    waveform, rate = audio["waveform"], audio["sample_rate"]
    if waveform.numel() == 0:
        raise ValueError("The audio is empty; give a recording with speech in it.")
    check_rate(rate, "The audio")
    waveform = torch.atleast_2d(waveform)
    recordings = waveform.reshape(-1, *waveform.shape[-2:])
    if len(recordings) > 1:
        raise ValueError(
            f"One recording is needed, but {len(recordings)} came in: put the node Batch to List before this one, "
            "for a film of each."
        )
    waveform = recordings[0].cpu().float()
    check_samples(waveform)
    return waveform, round(rate)
