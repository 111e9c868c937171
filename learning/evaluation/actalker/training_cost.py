"""What training ACTalker at full size costs: arithmetic of a window, counted on the meta device, and GPU-hours.

python -m mamba_portrait.learning.evaluation.actalker.training_cost          # no weights, no GPU, half a minute

Counted by `torch.utils.flop_counter`: matrix products, convolutions and attention, forward and backward. The scans'
arithmetic is not in it; what they and memory traffic add to the time is taken from the estimate of a call without
gradients (`cost.py`), since the backward pass does the same kinds of work twice.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import NamedTuple
from unittest import mock

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from ....networks.actalker import pcm
from ....networks.actalker.config import ACTalkerConfig
from ....pipelines.actalker.driving import VIEW
from ....pipelines.actalker.stages import FACE_VIEW
from ....pipelines.settings import Range
from .cost import estimate, part_on, unet_inputs
from .operation_counter import MACHINES, Machine

SIDE = 640  # of the training pictures (supplement, A.1)
UPDATES = 136_000  # the number in the published files' names
WINDOWS = (8, 32)  # an update: 8 GPUs with a window each; the same with 4 windows each, one after the other
BYTES_A_WEIGHT = 16  # float32: weight, gradient, AdamW's two means


class WindowCost(NamedTuple):
    """FLOP of one window: the UNet without and with its gradients, and the frozen encoders."""

    forward: int
    training: int
    encoders: int
    weights: int  # trained numbers

    def flop(self, checkpointing: bool = False) -> int:
        """Of one window in one update; with checkpointing the forward pass is computed twice."""
        return self.training + self.encoders + (self.forward if checkpointing else 0)


def scan_without_count(u: Tensor, delta: Tensor, bias: Tensor, A: Tensor, B: Tensor, C: Tensor, skip: Tensor) -> Tensor:
    """Stands in for `bidirectional_scan`: its shape, and a gradient for every input, without matrix products."""
    read = (B * C).sum((-1, -2)).unsqueeze(-1) + (A.sum() + bias.sum() + skip.sum())
    return u + delta.sum(2) + read


def window_cost(config: ACTalkerConfig | None = None, side: int = SIDE) -> WindowCost:
    """Count a window of square pictures of `side` pixels, both gates open, with masks of the whole picture."""
    config = config or ACTalkerConfig()
    unet = part_on("unet", config, "meta", torch.float32)
    given = unet_inputs(config, (side, side), 1, (True, True), "meta", torch.float32)
    with mock.patch.object(pcm, "bidirectional_scan", scan_without_count):
        with torch.no_grad():
            forward = _count(lambda: unet(**given))
        training = _count(lambda: unet(**given).square().mean().backward())
    return WindowCost(forward, training, _encoders(config, side), sum(p.numel() for p in unet.parameters()))


def _count(call: Callable[[], object]) -> int:
    counter = FlopCounterMode(display=False)
    with counter:
        call()
    return counter.get_total_flops()


def _encoders(config: ACTalkerConfig, side: int) -> int:
    """The VAE on the window's frames and the reference, the motion networks on each frame, ArcFace and Whisper once."""
    frames = config.window
    calls = {
        "vae": lambda part: part.encode(torch.zeros(frames + 1, 3, side, side, device="meta")),
        "expression": lambda part: part(torch.zeros(frames, 3, VIEW, VIEW, device="meta")),
        "head_pose": lambda part: part(torch.zeros(frames, 3, VIEW, VIEW, device="meta")),
        "arcface": lambda part: part(torch.zeros(1, 3, FACE_VIEW, FACE_VIEW, device="meta")),
        "whisper": lambda part: part(
            torch.zeros(1, config.whisper["num_mel_bins"], 2 * config.whisper["max_source_positions"], device="meta")
        ),
    }
    total = 0
    for name, call in calls.items():
        part = part_on(name, config, "meta", torch.float32)
        with torch.no_grad():
            total += _count(lambda part=part, call=call: call(part))
    return total


def gpu_hours(cost: WindowCost, machine: Machine, windows: int, slower: float, checkpointing: bool = False) -> float:
    """Of the published number of updates. slower: time of a call by all its operations over that of its arithmetic."""
    return UPDATES * windows * cost.flop(checkpointing) * slower / machine.flop / 3600


def main(arguments: list[str] | None = None) -> None:
    """Print the counts and the table of docs/actalker.md."""
    parser = argparse.ArgumentParser(description="Arithmetic and GPU-hours of training ACTalker at full size.")
    parser.add_argument("--side", type=Range(64, 2048).read, default=SIDE, help="of the pictures (%(default)s)")
    parser.add_argument("--reduced", action="store_true", help="the size of the tests instead")
    options = parser.parse_args(arguments)
    config = ACTalkerConfig.reduced() if options.reduced else ACTalkerConfig()
    cost = window_cost(config, options.side)
    call = estimate(config, options.side, options.side, rows=1)
    print(
        f"{config.window} frames at {options.side} x {options.side}: forward {cost.forward / 1e12:.1f} TFLOP, "
        f"with gradients {cost.training / 1e12:.1f}, frozen encoders {cost.encoders / 1e12:.1f}; "
        f"{cost.weights / 1e9:.2f} G weights, {BYTES_A_WEIGHT * cost.weights / 1e9:.0f} GB with gradients and AdamW"
    )
    for windows in WINDOWS:
        print(f"{UPDATES} updates of {windows} windows: {UPDATES * windows * cost.flop() / 1e21:.2f} ZFLOP")
    for machine in MACHINES:
        slower = call.seconds(machine) / (call.flop / machine.flop)
        hours = [gpu_hours(cost, machine, windows, slower, again) for windows in WINDOWS for again in (False, True)]
        window = cost.flop() * slower / machine.flop
        print(f"  {machine.name:9s} {window:5.2f} s a window; " + ", ".join(f"{value:,.0f} h" for value in hours))


if __name__ == "__main__":
    main()
