"""What every training run needs: optimiser step, moving average, a checkpoint that survives a kill, a log, a clock."""

from __future__ import annotations

import json
import math
import os
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ...files import whole_file


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
        current = module.state_dict()
        moving = [k for k, v in current.items() if v.is_floating_point()]
        get_ema_multi_avg_fn(decay)([self.values[k] for k in moving], [current[k] for k in moving], None)
        for key in current.keys() - set(moving):
            self.values[key].copy_(current[key])


class Learner:
    """One optimiser step: learning rate, clipped gradients, batches without a finite gradient skipped, the average."""

    def __init__(self, module: nn.Module, optimizer: torch.optim.Optimizer, average: Average | None, rate: float):
        self.module, self.optimizer, self.average, self.rate = module, optimizer, average, rate

    def step(self, loss: Tensor, progress: float) -> None:
        """Descend on `loss`, at `progress` (0..1) of the schedule."""
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * cosine_rate(progress)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if torch.isfinite(nn.utils.clip_grad_norm_(parameters, 1.0)):
            self.optimizer.step()
            if self.average is not None:
                self.average.update(self.module)


@dataclass(frozen=True)
class Budget:
    """When a run ends: after so many steps, or seconds of training, whichever comes first."""

    steps: int | None = None
    seconds: float | None = None

    def progress(self, steps: int, seconds: float) -> float:
        """0 at the start, 1 or more when it is over."""
        by_steps = steps / self.steps if self.steps else 0.0
        return max(by_steps, seconds / self.seconds if self.seconds else 0.0)


class Every:
    """True once every so many seconds, at each call when the period is 0."""

    def __init__(self, seconds: float):
        self.seconds, self.last = seconds, time.monotonic()

    def __call__(self) -> bool:
        if time.monotonic() - self.last < self.seconds:
            return False
        self.last = time.monotonic()
        return True


class Means:
    """Running means of named losses, left on their device until they are asked for."""

    def __init__(self) -> None:
        self.values: dict[str, list[Tensor]] = {}

    def add(self, losses: dict[str, Tensor]) -> None:
        """Remember one batch."""
        for name, value in losses.items():
            self.values.setdefault(name, []).append(value.detach())

    def take(self) -> dict[str, float]:
        """Means since the last time."""
        means = {name: float(torch.stack(values).mean()) for name, values in self.values.items()}
        self.values = {}
        return means


def mixed_precision(device: str | torch.device, precision: str) -> AbstractContextManager:
    """Autocast for "bf16", nothing for "fp32"; ValueError for anything else."""
    if precision not in ("fp32", "bf16"):
        raise ValueError(f"precision must be fp32 or bf16, not {precision!r}")
    return torch.autocast(torch.device(device).type, torch.bfloat16) if precision == "bf16" else nullcontext()


def save_atomically(path: Path, state: dict[str, Any]) -> None:
    """torch.save through a temporary name: a kill leaves the old file or the new one, never half of one.

    Not `whole_file`: states are large and runs get killed, so what one left half is written over the next time.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(path.suffix + ".part")
    torch.save(state, temporary)
    os.replace(temporary, path)


class Log:
    """JSON lines, one a report; TensorBoard beside it where the package is installed.

    A resumed run gives its step: lines beyond it were written after the checkpoint and are about to come again.
    """

    def __init__(self, folder: Path, step: int = 0):
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "log.jsonl"
        self._forget_after(step)
        try:
            from torch.utils.tensorboard import SummaryWriter

            self.board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)
        except ImportError:
            self.board = None

    def _forget_after(self, step: int) -> None:
        if not self.path.exists():
            return
        lines = self.path.read_text("utf-8").splitlines(keepends=True)
        kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= step]
        with whole_file(self.path) as part:
            part.write_text("".join(kept), "utf-8")

    def write(self, step: int, **values: Any) -> None:
        """Append one line; values that are not finite become null."""
        clean = {k: _finite(v) if isinstance(v, float) else v for k, v in values.items()}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, "time": round(time.time(), 1), **clean}) + "\n")
        if self.board is not None:
            for key, value in clean.items():
                if isinstance(value, (int, float)):
                    self.board.add_scalar(key, value, step)


def _finite(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None


def cosine_rate(progress: float, warmup: float = 0.02) -> float:
    """Learning-rate factor for progress in [0,1]: linear warm-up, then half a cosine down to 2 %."""
    if progress < warmup:
        return max(progress / warmup, 0.02)
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - warmup) / (1 - warmup))))
