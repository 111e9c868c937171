"""A training run's checkpoint in small parts, to be carried from a machine that takes only small files, and back.

    python -m mamba_portrait.learning.training.parts pack runs/films/stage1.pt parts
    python -m mamba_portrait.learning.training.parts unpack parts runs/films/stage1.pt

Weights stay exact. The average is kept as its difference from them, and Adam's second moments, both in bfloat16; first
moments, which ten steps build up again, are left out. A run goes on nearly as if it had not been moved."""

from __future__ import annotations

import argparse
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...files import whole_file
from ...model_loaders.pickles import read_pickle
from .run import save_atomically

PART = 16_000_000  # bytes
INDEX = "parts.json"


def pack(checkpoint: str | Path, folder: str | Path, size: int = PART) -> list[Path]:
    """Write a stage-1 checkpoint as files of at most `size` bytes into `folder`, with an index that is written last."""
    state, folder = read_pickle(Path(checkpoint)), Path(folder)
    weights = state["renderer"]
    state["average"] = {
        name: (value - weights[name]).bfloat16() if value.is_floating_point() else value
        for name, value in state["average"].items()
    }
    state["optimizers"] = [_thinned(optimizer) for optimizer in state["optimizers"]]
    buffer = io.BytesIO()
    torch.save(state, buffer)
    data, files = buffer.getvalue(), []
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("part.*"):
        old.unlink()
    for start in range(0, len(data), size):
        files.append(folder / f"part.{start // size:03d}")
        with whole_file(files[-1]) as partial:
            partial.write_bytes(data[start : start + size])
    index = {"parts": [file.name for file in files], "sha256": hashlib.sha256(data).hexdigest()}
    with whole_file(folder / INDEX) as partial:
        partial.write_text(json.dumps(index), "utf8")
    return files


def unpack(folder: str | Path, checkpoint: str | Path) -> Path:
    """The inverse of `pack`: a checkpoint with which a training goes on. ValueError for parts that are missing or
    damaged, FileNotFoundError where there is no index."""
    folder, checkpoint = Path(folder), Path(checkpoint)
    if not (folder / INDEX).is_file():
        raise FileNotFoundError(f"{folder} holds no {INDEX}: fetch it with the parts beside it.")
    index = json.loads((folder / INDEX).read_text("utf8"))
    missing = [name for name in index["parts"] if not (folder / name).is_file()]
    if missing:
        raise ValueError(f"{folder} lacks {', '.join(missing)}: fetch the parts again.")
    data = b"".join((folder / name).read_bytes() for name in index["parts"])
    if hashlib.sha256(data).hexdigest() != index["sha256"]:
        raise ValueError(f"The parts in {folder} are damaged or of two checkpoints: fetch them again.")
    state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    weights = state["renderer"]
    state["average"] = {
        name: weights[name] + value.float() if value.is_floating_point() else value
        for name, value in state["average"].items()
    }
    for optimizer in state["optimizers"]:
        for moments in optimizer["state"].values():
            moments["exp_avg_sq"] = moments["exp_avg_sq"].float()
            moments["exp_avg"] = torch.zeros_like(moments["exp_avg_sq"])
    save_atomically(checkpoint, state)
    return checkpoint


def _thinned(optimizer: dict[str, Any]) -> dict[str, Any]:
    def kept(moments: dict[str, Tensor]) -> dict[str, Tensor]:
        return {
            name: value.bfloat16() if name == "exp_avg_sq" else value
            for name, value in moments.items()
            if name != "exp_avg"
        }

    return optimizer | {"state": {number: kept(moments) for number, moments in optimizer["state"].items()}}


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Carry a stage-1 checkpoint in parts.")
    parser.add_argument("what", choices=("pack", "unpack"))
    parser.add_argument("source", help="stage1.pt, or the folder of parts")
    parser.add_argument("out", help="the folder of parts, or stage1.pt")
    options = parser.parse_args(arguments)
    print((pack if options.what == "pack" else unpack)(options.source, options.out))


if __name__ == "__main__":
    main()
