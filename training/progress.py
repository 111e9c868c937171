"""What every training run needs: an exponential moving average, a checkpoint that survives a kill, a log, a clock."""

from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn


class Average:
    """Exponential moving average of a module's parameters; the average is what gets shipped."""

    def __init__(self, module: nn.Module, decay: float = 0.999):
        self.decay = decay
        self.values = {k: v.detach().clone() for k, v in module.state_dict().items()}
        self.steps = 0

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Young averages forget faster, so that short runs are not dominated by the initial weights."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        for key, value in module.state_dict().items():
            if value.is_floating_point():
                self.values[key].lerp_(value.to(self.values[key].dtype), 1 - decay)
            else:
                self.values[key].copy_(value)


def save_atomically(path: Path, state: dict[str, Any]) -> None:
    """torch.save through a temporary name: a kill leaves the old file or the new one, never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(path.suffix + ".part")
    torch.save(state, temporary)
    os.replace(temporary, path)


class Log:
    """JSON lines, one a report; TensorBoard beside it where the package is installed."""

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "log.jsonl"
        try:
            from torch.utils.tensorboard import SummaryWriter

            self.board = SummaryWriter(str(folder / "tensorboard"))
        except ImportError:
            self.board = None

    def write(self, step: int, **values: float) -> None:
        """Append one line; values that are not finite become null."""
        clean = {k: (round(v, 6) if isinstance(v, float) and math.isfinite(v) else v if not isinstance(v, float) else None) for k, v in values.items()}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, "time": round(time.time(), 1), **clean}) + "\n")
        if self.board is not None:
            for key, value in clean.items():
                if isinstance(value, (int, float)):
                    self.board.add_scalar(key, value, step)


def cosine_rate(progress: float, warmup: float = 0.02) -> float:
    """Learning-rate factor for progress in [0,1]: linear warm-up, then half a cosine down to 2 %."""
    if progress < warmup:
        return max(progress / warmup, 0.02)
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - warmup) / (1 - warmup))))
