"""What a training run keeps: the moving average, a checkpoint that survives a kill, a log."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ...files import whole_file, writing
from ...model_loaders.pickles import read_pickle
from . import processes
from .board import Board

CHECKPOINT = 2  # version of the checkpoints that can be resumed
PLACE = ("step", "samples", "spent", "begun_step", "begun_spent", "reported")  # of a run, in its checkpoint


class Average:
    """Exponential moving average of a module's parameters and buffers; the average is what gets shipped."""

    def __init__(self, module: nn.Module, decay: float = 0.999):
        self.module, self.decay = module, decay
        self.values = {k: v.detach().clone() for k, v in module.state_dict().items()}
        self.steps = 0

    @torch.no_grad()
    def update(self) -> None:
        """Young averages forget faster, so that short runs are not dominated by the initial weights."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        current = self.module.state_dict()
        moving = [k for k, v in current.items() if v.is_floating_point()]
        get_ema_multi_avg_fn(decay)([self.values[k] for k in moving], [current[k] for k in moving], None)
        for key in current.keys() - set(moving):
            self.values[key].copy_(current[key])


class Kept(Protocol):
    """What gives and takes its part of a checkpoint."""

    def state(self) -> dict[str, Any]: ...

    def restore(self, state: dict[str, Any]) -> None: ...


class Run:
    """A run's place, its checkpoint `file` and the log beside it.

    facts: what else the checkpoint tells; the network's sizes as "config" at least, with which alone it is resumed.
    """

    def __init__(self, file: Path, average: Average | None, facts: dict[str, Any]):
        self.file, self.average, self.facts = file, average, facts
        self.step, self.samples, self.spent = 0, 0, 0.0  # steps, samples and seconds of all parts
        self.begun_step, self.begun_spent = 0, 0.0  # of them before this part
        self.reported, self.means = 0.0, Means()  # seconds when the log was written, and what it will tell next
        self.log: Log | None = None

    def open_log(self) -> None:
        """Begin the log, or go on with it from this step."""
        if processes.is_main() and self.log is None:
            self.log = Log(self.file.parent, self.step)

    def write(self, **values: Any) -> None:
        """A line of the log at this step, with the samples seen so far."""
        if self.log is not None:
            self.log.write(self.step, samples=self.samples, **values)

    def show(self) -> Board | None:
        """Where pictures, sound and films of this run go; None on all processes but the main one."""
        return None if self.log is None else Board(self.file.parent, self.log.board)

    def begin_part(self) -> None:
        """Count a part's budget from here; most runs have one part only."""
        self.begun_step, self.begun_spent = self.step, self.spent

    def read(self, device: torch.device | str = "cpu") -> dict[str, Any] | None:
        """The checkpoint, if there is one. ValueError where an earlier version wrote it, or it is of another config."""
        if not self.file.exists():
            return None
        state = read_pickle(self.file, device)
        if state.get("checkpoint") != CHECKPOINT:
            raise ValueError(
                f"{self.file} was written by an earlier version and cannot be resumed, though `export` reads it: train "
                "into another folder."
            )
        if state.get("config") != self.facts["config"]:
            raise ValueError(f"{self.file} belongs to another config; train into another folder, or afresh")
        return state

    def restore(self, state: dict[str, Any], task: Kept, optimizers: Sequence[Optimizer]) -> None:
        """Go on from a checkpoint, at the rates that the optimisers have."""
        task.restore(state)
        for optimizer, kept in zip(optimizers, state["optimizers"], strict=True):
            rates = [group["lr"] for group in optimizer.param_groups]
            optimizer.load_state_dict(kept)
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate
        if self.average is not None:
            self.average.values, self.average.steps = state["average"], state["average_steps"]
        for name in PLACE:
            setattr(self, name, state.get(name, self.spent))  # earlier checkpoints do not tell when they reported
        self.means.restore(state.get("means", {}))

    def save(self, task: Kept, optimizers: Sequence[Optimizer]) -> None:
        """Have the main process write the checkpoint; the others wait until it is there."""
        state = {"checkpoint": CHECKPOINT, **self.facts, **task.state()}
        state["optimizers"] = [optimizer.state_dict() for optimizer in optimizers]
        if self.average is not None:
            state |= {"average": self.average.values, "average_steps": self.average.steps}
        state["means"] = self.means.state()
        for name in PLACE:
            state[name] = getattr(self, name)
        if processes.is_main():
            save_atomically(self.file, state)
        processes.wait()


def save_atomically(path: Path, state: dict[str, Any]) -> None:
    """torch.save as a whole file: a kill leaves the old file or the new one, never half of one."""
    with whole_file(path) as partial:
        torch.save(state, partial)


class Means:
    """Running means of named losses over steps and processes, left on their device until they are asked for."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.steps: dict[str, int] = {}

    def add(self, losses: dict[str, Tensor]) -> None:
        """Remember one step."""
        for name, value in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + value.detach()
            self.steps[name] = self.steps.get(name, 0) + 1

    def state(self) -> dict[str, tuple[Tensor, int]]:
        """Sums over all processes, and numbers of steps, for the checkpoint."""
        return {name: (processes.total(value), self.steps[name]) for name, value in self.sums.items()}

    def restore(self, state: dict[str, tuple[Tensor, int]]) -> None:
        """Take them back: the main process has the sums from now on."""
        share = 1.0 if processes.is_main() else 0.0
        self.sums = {name: value * share for name, (value, _) in state.items()}
        self.steps = {name: steps for name, (_, steps) in state.items()}

    def take(self) -> dict[str, float]:
        """Means since the last time."""
        sums = processes.total(torch.stack([value.float() for value in self.sums.values()])).tolist()
        count = processes.count()
        means = {name: value / (count * self.steps[name]) for name, value in zip(self.sums, sums, strict=True)}
        self.sums, self.steps = {}, {}
        return means


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
        with writing(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, "time": round(time.time(), 1), **clean}) + "\n")
        if self.board is not None:
            for key, value in clean.items():
                if isinstance(value, (int, float)):
                    self.board.add_scalar(key, value, step)


def _finite(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None
