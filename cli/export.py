"""export: a training run's checkpoint to the self-describing file that ships."""

from __future__ import annotations

import argparse
import json
import platform
from pathlib import Path
from typing import Any

from .options import command

FACTS = ("step", "samples", "spent")
"""What a run's checkpoint tells of its training: steps, samples seen, seconds."""


def add(commands) -> argparse.ArgumentParser:
    """Declare the command."""
    parser = command(
        commands,
        "export",
        "turn a training run's checkpoint into fp16 safetensors that describe themselves",
        run,
        """
export runs/a/stage1.pt -o runs/renderer.safetensors
export runs/b/stage2.pt --note "corpus seed 1, 3600 clips"
export runs/rendering/stage1.pt --motion-encoder runs/motion/stage1.pt
export runs/a/stage1.pt --average runs/b/stage1.pt runs/c/stage1.pt
""",
    )
    parser.add_argument("checkpoint", metavar="RUN.pt", help="stage1.pt or stage2.pt of a run")
    parser.add_argument("-o", "--out", metavar="FILE.safetensors", help="default: the place of the shipped weights")
    parser.add_argument("--note", default="", help="a line about the training, kept in the file")
    parser.add_argument(
        "--motion-encoder",
        metavar="RUN.pt",
        help="a stage1.pt that was trained beside RUN.pt from the same weights: its motion encoder is taken",
    )
    parser.add_argument(
        "--average",
        nargs="+",
        metavar="RUN.pt",
        default=(),
        help="runs that went on from the same weights as RUN.pt, or from RUN.pt itself: the mean of all is written",
    )
    return parser


def run(options: argparse.Namespace) -> None:
    """Do it; prints what was written."""
    from ..model_loaders.checkpoint import save_checkpoint, shipped

    kind, module, training = read_run(options.checkpoint)
    training["note"] = options.note
    if options.average:
        training["averaged"] = _average(module, options)
    if options.motion_encoder:
        training["motion_encoder"] = _take_encoder(kind, module, options)
    path = save_checkpoint(
        options.out or shipped(kind), module, kind, module.config, {"training": json.dumps(training)}
    )
    files = sorted(file for file in path.parent.glob(path.stem + "*.safetensors"))
    total = sum(file.stat().st_size for file in files)
    parameters = sum(p.numel() for p in module.parameters())
    print(
        f"{kind.replace('_', ' ')}: {parameters / 1e6:.2f} M parameters, {total / 1e6:.1f} MB in {len(files)} file(s)"
    )
    for file in files:
        print(file)


def _average(module, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Put the mean of several runs' weights into the network of one; the facts of the others. ValueError where one does
    not fit."""
    mean, facts = module.state_dict(), []
    for path in options.average:
        _, network, facts_of_it = read_run(path)
        _check_origin(network, path, module, options.checkpoint, "the mean of the two would be no network")
        facts.append(facts_of_it)
        for name, value in network.state_dict().items():
            mean[name] = mean[name] + (value - mean[name]) / (len(facts) + 1)
    module.load_state_dict(mean)
    return facts


def _take_encoder(kind: str, renderer, options: argparse.Namespace) -> dict[str, Any]:
    """Replace the motion encoder by another run's; the facts of that run. ValueError where the two do not fit."""
    other, donor, facts = read_run(options.motion_encoder)
    if {kind, other} != {"renderer"}:
        raise ValueError("--motion-encoder joins two runs of `train stage1`; one of these is of `train stage2`.")
    nothing = "what its encoder says would mean nothing to the other's rendering"
    _check_origin(donor, options.motion_encoder, renderer, options.checkpoint, nothing)
    renderer.motion_encoder.load_state_dict(donor.motion_encoder.state_dict())
    return facts


def _check_origin(other, path: str, module, checkpoint: str, why: str) -> None:
    """ValueError, ending with `why`, unless two runs' networks can have gone on from the same weights."""
    if other.config != module.config or other.motion_language != module.motion_language:
        raise ValueError(f"{Path(path).name} was not trained from the same weights as {Path(checkpoint).name}: {why}.")


def read_run(checkpoint: str | Path):
    """(kind, the averaged network, facts of its training) of stage1.pt or stage2.pt.

    Raises FileNotFoundError, or ValueError when the file is not a training run's checkpoint.
    """
    import torch

    from ..learning.training.motion_model.train import averaged_motion_model
    from ..learning.training.renderer.train import averaged_renderer

    path = Path(checkpoint)
    if not path.is_file():
        raise FileNotFoundError(f"There is no training checkpoint '{path}'.")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(f"{path.name} cannot be read as a training checkpoint: {error}") from error
    if not isinstance(state, dict) or not {"config", "average"} <= state.keys():
        raise ValueError(f"{path.name} is not the checkpoint of `train stage1` or `train stage2`.")
    kind = "renderer" if "renderer" in state else "motion_model"
    facts = {name: round(float(state[name]), 1) for name in FACTS if name in state}
    facts["machine"] = platform.machine()
    load = averaged_renderer if kind == "renderer" else averaged_motion_model
    return kind, load(path), facts
