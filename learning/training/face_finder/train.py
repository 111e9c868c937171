"""Training the face finder on drawn heads.

`python -m mamba_portrait.learning.training.face_finder.train --data DIR --out FILE`"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ....media.finders.own import load_face_finder
from ....model_loaders.checkpoint import save_checkpoint
from ....networks.face_finder import FaceFinder, FaceFinderConfig
from ..loop import Average, Log, cosine_rate, save_atomically
from .camera import photograph
from .scenes import HeadStore, scene
from .targets import losses, make_targets

SAVE_SECONDS = 20.0  # of computing between two saves
WEIGHTS = {"heat": 1.0, "box": 1.0, "marks": 2.0}


@dataclass(frozen=True)
class FinderSchedule:
    """Sizes and rates of a run; a scene is photographed `reuse` times before it is drawn anew."""

    size: int = 192
    batch: int = 16
    rate: float = 2e-3
    decay: float = 1e-4
    pool: int = 1024
    reuse: float = 4.0


@dataclass
class ScenePool:
    """Composed scenes, replaced a few at a time: composing costs more than photographing."""

    heads: HeadStore
    schedule: FinderSchedule
    rng: np.random.Generator
    scenes: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)
    due: float = 0.0

    def batch(self) -> tuple[Tensor, list[Tensor]]:
        """Images (B,3,S,S) in [0,1] and targets for each level (B,16,s,s)."""
        plan = self.schedule
        self.due += plan.batch / plan.reuse
        while self.due >= 1 or len(self.scenes) < plan.batch:
            new = scene(self.rng, self.heads, plan.size)
            if len(self.scenes) < plan.pool:
                self.scenes.append(new)
            else:
                self.scenes[self.rng.integers(plan.pool)] = new
            self.due -= 1
        images, targets = [], []
        for i in self.rng.integers(len(self.scenes), size=plan.batch):
            image, faces = self.scenes[i]
            images.append(photograph(self.rng, image))
            targets.append(make_targets(faces, plan.size))
        pictures = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
        return pictures, [torch.from_numpy(np.stack(level)) for level in zip(*targets, strict=True)]


def train_face_finder(
    data: str | Path,
    out: str | Path,
    folder: str | Path,
    *,
    minutes: float,
    start: str | Path | None = None,
    config: FaceFinderConfig | None = None,
    schedule: FinderSchedule | None = None,
    seed: int = 0,
    report: Callable[[str], None] = print,
) -> Path:
    """Train for `minutes` of work in all, resuming what `folder` holds, and write the averaged weights to `out`.

    data: drawn stills (learning/corpus/stills.py); start: weights that a new run begins from. The clock is the run's
    own computing time, so a busy machine trains no less. A kill loses at most the steps since the last save.
    """
    plan, folder = schedule or FinderSchedule(), Path(folder)
    network = (load_face_finder(start) if start else FaceFinder(config)).to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(network.parameters(), lr=plan.rate, weight_decay=plan.decay)
    average = Average(network, 0.998)
    step, spent, file = 0, 0.0, folder / "face_finder.pt"
    if file.exists():
        state = torch.load(file, weights_only=True)
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        average.values, average.steps = state["average"], state["step"]
        step, spent = state["step"], state["spent"]
        report(f"Resuming at step {step}, {spent / 60:.1f} minutes done.")
    log = Log(folder, step)
    pool = ScenePool(HeadStore(data), plan, np.random.default_rng([seed, step]))
    network.train()
    saved, total = spent, 60 * minutes
    with tqdm(total=round(total), initial=round(spent), unit="s") as bar:
        while spent < total:
            began = time.process_time()
            for group in optimiser.param_groups:
                group["lr"] = plan.rate * cosine_rate(spent / total)
            values = _step(network, optimiser, pool)
            average.update(network)
            step += 1
            spent += time.process_time() - began
            bar.update(round(spent) - bar.n)
            if step % 50 == 0:
                log.write(step, samples=step * plan.batch, minutes=spent / 60, **values)
                bar.set_postfix({k: f"{v:.3f}" for k, v in values.items()})
            if spent - saved > SAVE_SECONDS:
                saved = spent
                pool.heads.refresh()
                _save(file, network, optimiser, average, step, spent)
    _save(file, network, optimiser, average, step, spent)
    shipped = FaceFinder(network.config)
    shipped.load_state_dict(average.values)
    told = {"samples": step * plan.batch, "minutes": round(spent / 60, 1), "size": plan.size}
    return save_checkpoint(out, shipped, "face_finder", network.config, {"training": told})


def _step(network: FaceFinder, optimiser: torch.optim.Optimizer, pool: ScenePool) -> dict[str, float]:
    images, targets = pool.batch()
    with torch.autocast("cpu", torch.bfloat16):
        outputs = network(images.contiguous(memory_format=torch.channels_last))
    parts = losses(outputs, targets)
    optimiser.zero_grad(set_to_none=True)
    sum(WEIGHTS[name] * value for name, value in parts.items()).backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
    optimiser.step()
    return {name: float(value.detach()) for name, value in parts.items()}


def _save(file: Path, network, optimiser, average: Average, step: int, spent: float) -> None:
    state = {"network": network.state_dict(), "optimiser": optimiser.state_dict(), "average": average.values}
    save_atomically(file, {**state, "step": step, "spent": spent})


def main(arguments: list[str] | None = None) -> None:
    """Command line of the module."""
    parser = argparse.ArgumentParser(description="Train the face finder on drawn heads.")
    parser.add_argument("--data", required=True, help="folder with drawn stills")
    parser.add_argument("--out", default="weights/face_finder.safetensors")
    parser.add_argument("--folder", default="runs/face_finder", help="where an interrupted run is resumed from")
    parser.add_argument("--start", metavar="FILE", help="weights that a new run begins from")
    parser.add_argument(
        "--max-minutes", type=float, default=20.0, help="minutes of computing, interruptions not counted"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    torch.manual_seed(options.seed)
    path = train_face_finder(
        options.data,
        options.out,
        options.folder,
        minutes=options.max_minutes,
        start=options.start,
        seed=options.seed,
    )
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
