"""What a motion model's audio regression leads: the mouth, and of half bodies the arms as well."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from ....networks.motion_model.config import MotionModelConfig
from ....networks.motion_model.mamba_global import GlobalAudio
from ....networks.motion_model.model import MotionModel, smoothed
from ....vocabulary import ARMS, COUNT
from ...datasets.tracks import MOUTH

WIDER = 1.5
"""Most that the regression of an arm's parameter is scaled by, so that it varies as much as in the clips."""


def led_by(config: MotionModelConfig) -> list[int]:
    """Indices of the parameters that the audio regression of such a model gives."""
    return MOUTH if config.mouth == len(MOUTH) else [*MOUTH, *range(COUNT, COUNT + len(ARMS))]


def features(heard: GlobalAudio, local: Tensor) -> Tensor:
    """All that a model hears of T frames, (T,local_width + 2 global_width)."""
    return torch.cat([local[0], heard.frames[0], heard.style.expand(local.shape[1], -1)], 1)


@torch.no_grad()
def lead_through_condition(model: MotionModel, matrix: Tensor, bias: Tensor) -> None:
    """Let the first numbers of the audio condition be linear maps of all that is heard (led,features), and the audio
    regression those numbers: a narrow condition, of which a regression finds too little."""
    count, local = len(matrix), model.config.local_width
    parts = matrix.split([local, model.config.global_width, model.config.global_width], 1)
    for layer, part in zip((model.from_local, model.from_global, model.from_style), parts, strict=True):
        layer.weight[:count] = part.to(layer.weight)
        layer.bias[:count] = 0
    model.null_appearance[:count] = 0
    model.ear.weight.zero_()
    model.ear.weight[:, :count] = torch.eye(count).to(model.ear.weight)
    model.ear.bias.copy_(bias)


def as_wide(
    predict: Callable[[Tensor], Tensor], heard: Sequence[Tensor], truth: Sequence[np.ndarray], smoothing: float = 0.0
) -> Tensor:
    """(outputs,) factors, 1 .. WIDER, by which smoothed predictions vary less than the truth over clips."""
    told = [predict(x) for x in heard]
    told = torch.cat([smoothed(x[None].float(), smoothing)[0].to(x) if smoothing else x for x in told])
    true = torch.from_numpy(np.concatenate(truth)).to(heard[0])
    return (true.std(0) / told.std(0).clamp_min(1e-6)).clamp(1.0, WIDER)
