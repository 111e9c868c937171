"""Classifier-free guidance over the voice and the appearance, its branches in one batch."""

import torch
from torch import Tensor

from ..networks.motion_model.mamba_global import GlobalAudio
from ..networks.motion_model.model import MotionModel


def branches(audio_scale: float, appearance_scale: float) -> list[tuple[bool, bool, float]]:
    """The rows (with audio, with appearance, weight) of  p_00 + w_A (p_0A - p_00) + w_a (p_aA - p_0A); rows of weight 0
    are left out.

    Of the two possible nestings this one needs two rows, not three, at the usual appearance scale of 1; with both
    scales 1 it is one row.
    """
    rows = [
        (False, False, 1 - appearance_scale),
        (False, True, appearance_scale - audio_scale),
        (True, True, audio_scale),
    ]
    return [row for row in rows if row[2]]


def guided(
    model: MotionModel,
    noisy: Tensor,
    t: int,
    global_audio: GlobalAudio,
    local_audio: Tensor,
    appearance: Tensor | None,
    history: Tensor,
    audio_scale: float,
    appearance_scale: float,
) -> Tensor:
    """The guided prediction for one window, noisy (1, W, 768). Guidance is linear, so eps, v and x0 give the same."""
    rows = branches(audio_scale, appearance_scale if appearance is not None else 1.0)
    count = len(rows)
    with_audio, with_appearance, weights = (
        torch.tensor(column, device=noisy.device) for column in zip(*rows, strict=True)
    )
    predicted = model.denoise(
        noisy.expand(count, -1, -1),
        torch.full((count,), t, device=noisy.device),
        GlobalAudio(global_audio.style.expand(count, -1), global_audio.frames.expand(count, -1, -1)),
        local_audio.expand(count, -1, -1),
        None if appearance is None else appearance.expand(count, -1),
        history.expand(count, -1, -1),
        drop_audio=~with_audio,
        drop_appearance=~with_appearance,
    )
    return (weights.to(predicted.dtype)[:, None, None] * predicted).sum(0, keepdim=True)
