"""Cost of a full-size UNet call of ACTalker and of decoding a chunk: counted on the meta device, measured on a GPU.

python -m mamba_portrait.learning.evaluation.actalker.cost                   # count: no weights, no GPU, a minute
python -m mamba_portrait.learning.evaluation.actalker.cost --device cuda     # and measure, random weights in fp16
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from unittest import mock

import torch
from torch import Tensor

from ....networks.actalker import pcm
from ....networks.actalker.config import ACTalkerConfig
from ....networks.actalker.model import build_part
from .operation_counter import MACHINES, Cost, OperationCounter


def unet_inputs(
    config: ACTalkerConfig,
    size: tuple[int, int],
    rows: int,
    gates: tuple[bool, bool],
    device: str | torch.device,
    dtype: torch.dtype,
) -> dict[str, Tensor]:
    """Zeros in the shapes of one call: `rows` guidance rows of a window, full masks on the open branches."""
    frames, context, (h, w) = config.window, config.context, (size[0] // 8, size[1] // 8)
    kind = {"device": device, "dtype": dtype}
    given = {
        "sample": torch.zeros(rows, frames, config.unet.get("in_channels", 8), h, w, **kind),
        "identity": torch.zeros(rows * frames, 1, context, **kind),
        "audio": torch.zeros(rows * frames, config.audio_tokens, context, **kind),
        "motion": torch.zeros(rows * frames, 1, context, **kind),
        "face_feature": torch.zeros(rows, frames, config.unet["block_out_channels"][0], h, w, **kind),
        "added_time_ids": torch.zeros(rows, 3, device=device),
        "timestep": torch.zeros((), device=device),
    }
    masks = (torch.full((1, 1, *size), float(gate)) for gate in gates)
    return given | dict(zip(("audio_mask", "motion_mask"), masks, strict=True))


def part_on(name: str, config: ACTalkerConfig, device: str | torch.device, dtype: torch.dtype) -> torch.nn.Module:
    """A part of ACTalker with random weights, or none at all on the meta device."""
    with torch.device(device):
        return torch.nn.Module.to(build_part(name, config), device=device, dtype=dtype).eval()


def _weights(module: torch.nn.Module) -> int:
    return sum(x.numel() * x.element_size() for x in module.parameters())


def estimate(
    config: ACTalkerConfig | None = None,
    height: int = 576,
    width: int = 576,
    rows: int = 4,
    gates: tuple[bool, bool] = (True, True),
    dtype: torch.dtype = torch.float16,
) -> Cost:
    """Cost of one UNet call for `rows` guidance rows of one window."""
    config = config or ACTalkerConfig()
    unet = part_on("unet", config, "meta", dtype)
    given = unet_inputs(config, (height, width), rows, gates, "meta", dtype)
    with OperationCounter().counting() as counter:
        unet(**given)
    return Cost(_weights(unet), counter.peak, counter.operations, counter.scan_steps // (rows * config.window))


def estimate_decoding(
    config: ACTalkerConfig | None = None,
    height: int = 576,
    width: int = 576,
    chunk: int = 10,
    dtype: torch.dtype = torch.float16,
) -> Cost:
    """Cost of decoding `chunk` frames with the VAE."""
    config = config or ACTalkerConfig()
    vae = part_on("vae", config, "meta", dtype)
    latents = torch.zeros(chunk, config.vae["latent_channels"], height // 8, width // 8, device="meta", dtype=dtype)
    with OperationCounter().counting() as counter:
        vae.decode(latents, num_frames=chunk)
    return Cost(_weights(vae), counter.peak, counter.operations)


@dataclass
class Measured:
    """Of one UNet call: seconds, those within the bidirectional scans, and the peak bytes on a GPU (else 0)."""

    seconds: float
    scan_seconds: float
    peak_bytes: int


@dataclass
class _Clock:
    """Seconds within wrapped calls, the device synchronised before and after each."""

    device: torch.device
    seconds: float = 0.0

    def synchronised_time(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()

    def timed(self, function: Callable) -> Callable:
        def call(*args, **kwargs):
            begin = self.synchronised_time()
            result = function(*args, **kwargs)
            self.seconds += self.synchronised_time() - begin
            return result

        return call


@torch.inference_mode()
def measure(
    config: ACTalkerConfig | None = None,
    device: str | torch.device = "cuda",
    height: int = 576,
    width: int = 576,
    rows: int = 4,
    dtype: torch.dtype = torch.float16,
    calls: int = 3,
) -> Measured:
    """Time one UNet call with random weights on a device: the minimum of `calls` after a warm-up call.

    The scans are timed in calls of their own, because waiting for each of them slows the whole.
    """
    config, device = config or ACTalkerConfig(), torch.device(device)
    unet = part_on("unet", config, device, dtype)
    given = unet_inputs(config, (height, width), rows, (True, True), device, dtype)
    unet(**given)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    whole, scans = [], []
    for _ in range(calls):
        clock = _Clock(device)
        clock.timed(unet)(**given)
        whole.append(clock.seconds)
        clock = _Clock(device)
        with mock.patch.object(pcm.BidirectionalScan, "forward", clock.timed(pcm.BidirectionalScan.forward)):
            unet(**given)
        scans.append(clock.seconds)
    peak = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0
    return Measured(min(whole), min(scans), peak)


def _giga(count: int) -> str:
    return f"{count / 1e9:.2f} G"


def main(arguments: list[str] | None = None) -> None:
    """Print the counts and, with --device, the measurements."""
    parser = argparse.ArgumentParser(description="Memory and time of one full-size UNet call of ACTalker in fp16.")
    parser.add_argument("--device", help="measure there too, with random weights; cuda at full size wants 16 GB")
    parser.add_argument("--reduced", action="store_true", help="the size of the tests instead, in fp32")
    options = parser.parse_args(arguments)
    config, side, dtype = ACTalkerConfig(), 576, torch.float16
    if options.reduced:
        config, side, dtype = ACTalkerConfig.reduced(), 128, torch.float32
    for rows, gates in ((1, (True, True)), (3, (True, False)), (4, (True, True))):  # with three rows one gate is shut
        cost = estimate(config, side, side, rows, gates, dtype)
        print(
            f"UNet, {rows} rows of {config.window} frames at {side} x {side}: weights {_giga(cost.weight_bytes)}B, "
            f"activations {_giga(cost.peak_bytes)}B, {_giga(cost.flop)}FLOP, {_giga(cost.scan_elements)} scan elements"
        )
        for machine in MACHINES:
            total, scans = cost.seconds(machine), cost.seconds(machine, scans_only=True)
            print(f"  {machine.name:9s} {total:7.3f} s estimated, scans {scans / total:4.0%}")
    cost = estimate_decoding(config, side, side, dtype=dtype)
    print(f"VAE, decoding 10 frames: activations {_giga(cost.peak_bytes)}B, {_giga(cost.flop)}FLOP")
    if options.device:
        found = measure(config, options.device, side, side, dtype=dtype)
        share = found.scan_seconds / found.seconds
        print(
            f"measured on {options.device}, 4 rows: {found.seconds:.3f} s, scans {share:.0%}, "
            f"peak {_giga(found.peak_bytes)}B with the weights"
        )


if __name__ == "__main__":
    main()
