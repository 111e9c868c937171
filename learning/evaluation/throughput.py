"""Frames a second on a device for each precision and batch, and every form of the selective scan: agreement and speed.

Meant for a GPU, where one run of `bench` does all of it. On a CPU the shapes are reduced: it shows that the code runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from ...networks.mamba import backend
from ...networks.mamba.selective_scan import selective_scan, triton_serves
from ...networks.mamba.ssd import ssd_chunked, ssd_sequential
from ...networks.renderer.model import Renderer

PRECISIONS = {"fp32": None, "fp16": torch.float16, "bf16": torch.bfloat16}
SIDE, CPU_SIDE = 512, 64
BATCHES, CPU_BATCHES = (32, 8, 1, 64), (2,)  # the most telling first, in case the time is up
SECONDS = 0.4  # for which each is repeated
BUDGET = 120.0  # seconds after which no further measurement begins

# (rows, steps, groups, channels, states) of Mamba-1: ACTalker's parallel control layers at 576 pixels, one guidance
# row of 25 frames, both directions; (rows, steps, heads, channels, states) of Mamba-2: Mamba-g over 24 s of speech and
# Mamba-l over 256 slices.
MAMBA1 = {"ACTalker /8": (25, 5217, 2, 640, 16), "ACTalker /16": (25, 1329, 2, 1280, 16)}
MAMBA2 = {"Mamba-g": (1, 1200, 8, 32, 16), "Mamba-l": (256, 10, 6, 32, 16)}
CPU_MAMBA1, CPU_MAMBA2 = {"ACTalker, reduced": (2, 40, 2, 8, 4)}, {"Mamba-g, reduced": (1, 80, 2, 8, 4)}


@dataclass(frozen=True)
class Throughput:
    """Decoding on the device: frames a second there, and with the copies to the host; difference from fp32 in [0,1]."""

    precision: str
    batch: int
    compiled: bool
    frames_a_second: float
    copied_a_second: float
    error: float  # largest


@dataclass(frozen=True)
class Scan:
    """One form of the scan at one shape; error: relative to the recurrence in float64, one row. None: no gradient."""

    shape: str
    form: str
    forward_ms: float
    backward_ms: float | None
    error: float


class Watch:
    """Times functions on a device, and knows when the budget is used up."""

    def __init__(self, device: torch.device, seconds: float = SECONDS, budget: float = BUDGET):
        self.device, self.seconds, self.end = device, seconds, time.perf_counter() + budget
        self.left_out: list[str] = []

    def has_time(self, name: str) -> bool:
        """False, with the name noted, once the budget is used up."""
        if time.perf_counter() < self.end:
            return True
        self.left_out.append(name)
        return False

    def synchronised(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        elif self.device.type == "mps":
            torch.mps.synchronize()
        return time.perf_counter()

    def milliseconds(self, function: Callable[[], object]) -> float:
        """Median of a call; two go before, to choose kernels and to fill caches."""
        function(), function()
        taken, began = [], self.synchronised()
        while len(taken) < 3 or (time.perf_counter() - began < self.seconds and len(taken) < 100):
            start = self.synchronised()
            function()
            taken.append(self.synchronised() - start)
        return 1000 * sorted(taken)[len(taken) // 2]


def measure_throughput(
    watch: Watch, renderer: Renderer, compiled: bool, compiler: Callable = torch.compile
) -> list[Throughput]:
    """Decoding to SIDE for each precision and batch, and the largest batches compiled where asked for."""
    on_cpu = watch.device.type == "cpu"
    side, batches = (CPU_SIDE, CPU_BATCHES) if on_cpu else (SIDE, BATCHES)
    photo = torch.rand(1, 3, side, side, device=watch.device)
    with torch.no_grad():
        source = renderer.encode_source(photo)
        appearance = renderer.extract_appearance(source)

    def decode(motion: Tensor) -> Tensor:
        return renderer.decode(source, appearance, renderer.within_limits(motion, source), (side, side)).image

    plan = [(precision, batch, False) for batch in batches for precision in PRECISIONS]
    if compiled:
        plan[3:3] = [(precision, batches[0], True) for precision in PRECISIONS]
    rows = []
    for precision, batch, faster in plan:
        if watch.has_time(f"decoding, {precision}, {batch} at once{', compiled' if faster else ''}"):
            motion = source.motion + 0.1 * torch.randn(batch, source.motion.shape[1], device=watch.device)
            with torch.no_grad():
                rows.append(
                    _throughput(watch, compiler(decode) if faster else decode, decode, motion, precision, faster)
                )
    return rows


def _throughput(watch: Watch, function, reference, motion: Tensor, precision: str, compiled: bool) -> Throughput:
    expected, dtype = reference(motion), PRECISIONS[precision]

    def work() -> Tensor:
        with torch.autocast(watch.device.type, dtype) if dtype else nullcontext():
            return function(motion)

    error = float((work().float() - expected).abs().max())
    on_device = watch.milliseconds(work)
    copied = watch.milliseconds(lambda: work().permute(0, 2, 3, 1).cpu())
    return Throughput(
        precision, len(motion), compiled, 1000 * len(motion) / on_device, 1000 * len(motion) / copied, error
    )


def measure_scans(watch: Watch) -> list[Scan]:
    """Each form that runs here at the shapes of both systems, forward and backward."""
    on_cpu = watch.device.type == "cpu"
    rows = []
    for name, shape in (CPU_MAMBA2 if on_cpu else MAMBA2).items():
        rows += _measured(watch, f"{name} (Mamba-2)", _mamba2_forms(watch.device), _mamba2_inputs(shape, watch.device))
    for name, shape in (CPU_MAMBA1 if on_cpu else MAMBA1).items():
        rows += _measured(watch, f"{name} (Mamba-1)", _mamba1_forms(watch.device), _mamba1_inputs(shape, watch.device))
    return rows


def _mamba2_inputs(shape: tuple[int, ...], device: torch.device) -> list[Tensor]:
    """x, dt, A, B, C, D of ssd.py; the last but A and D are by row."""
    rows, steps, heads, channels, states = shape
    x, dt = (
        torch.randn(rows, steps, heads, channels, device=device),
        0.1 * torch.rand(rows, steps, heads, device=device),
    )
    B, C = (torch.randn(rows, steps, 1, states, device=device) for _ in range(2))
    return [x, dt, -1 - 15 * torch.rand(heads, device=device), B, C, torch.ones(heads, device=device)]


def _mamba1_inputs(shape: tuple[int, ...], device: torch.device) -> list[Tensor]:
    """u, delta, A, B, C, skip of selective_scan.py."""
    rows, steps, groups, channels, states = shape
    u = torch.randn(rows, steps, groups, channels, device=device)
    delta = 0.1 * torch.rand(rows, steps, groups, channels, device=device)
    A = -torch.arange(1, states + 1, device=device, dtype=torch.float32).expand(groups, channels, -1).contiguous()
    B, C = (torch.randn(rows, steps, groups, states, device=device) for _ in range(2))
    return [u, delta, A, B, C, torch.ones(groups, channels, device=device)]


def _mamba2_forms(device: torch.device) -> dict[str, Callable]:
    forms = {"sequential": lambda *x: ssd_sequential(*x)[0], "our matrix form": lambda *x: ssd_chunked(*x)[0]}
    package = backend.kernels() if device.type == "cuda" else None
    if package is not None:
        scan = package.ops.triton.ssd_combined.mamba_chunk_scan_combined
        forms["mamba_ssm"] = lambda x, dt, A, B, C, D: scan(x, dt, A, B, C, 64, D=D)
    return forms


def _mamba1_forms(device: torch.device) -> dict[str, Callable]:
    def of(form: str) -> Callable:
        return lambda *x: selective_scan(*x, form=form)[0]

    forms = {"sequential": of("sequential"), "our PyTorch": of("chunked" if device.type == "cpu" else "two_level")}
    with torch.no_grad():
        if triton_serves(torch.empty(0, device=device)):
            forms["our Triton"] = of("triton")
    if device.type == "cuda" and backend.kernels() is not None:
        forms["mamba_ssm"] = of("kernels")
    return forms


def _measured(watch: Watch, shape: str, forms: dict[str, Callable], inputs: list[Tensor]) -> list[Scan]:
    """All forms but the sequential one, with which they are compared: on the first row, in float64 on the CPU."""
    sequential, rows = forms.pop("sequential"), []
    first = [x[:1] if i in (0, 1, 3, 4) else x for i, x in enumerate(inputs)]
    with torch.no_grad():
        truth = sequential(*(x.cpu().double() for x in first))
    for form, scan in forms.items():
        if not watch.has_time(f"{shape}, {form}"):
            continue
        with torch.no_grad():
            error = float((scan(*first).cpu().double() - truth).norm() / truth.norm())
            forward = watch.milliseconds(lambda scan=scan: scan(*inputs))
        backward = None if form == "our Triton" else watch.milliseconds(lambda scan=scan: _differentiate(scan, inputs))
        rows.append(Scan(shape, form, forward, backward, error))
    return rows


def _differentiate(scan: Callable, inputs: list[Tensor]) -> None:
    """Forward and backward."""
    leaves = [x.detach().requires_grad_(True) for x in inputs]
    torch.autograd.grad(scan(*leaves).sum(), leaves)


def table(throughput: list[dict], scans: list[dict], left_out: list[str]) -> list[str]:
    """The rows of both as lines of text."""
    lines = ["", f"{'decoding':<10} {'at once':>7} {'compiled':>8} {'frames/s':>9} {'copied/s':>9} {'error':>9}"]
    for row in throughput:
        lines.append(
            f"{row['precision']:<10} {row['batch']:>7} {'yes' if row['compiled'] else 'no':>8} "
            f"{row['frames_a_second']:9.0f} {row['copied_a_second']:9.0f} {row['error']:9.1e}"
        )
    lines += ["", f"{'scan':<28} {'form':<16} {'forward ms':>10} {'and back':>10} {'error':>9}"]
    for row in scans:
        back = f"{row['backward_ms']:10.2f}" if row["backward_ms"] is not None else " " * 10
        lines.append(f"{row['shape']:<28} {row['form']:<16} {row['forward_ms']:10.2f} {back} {row['error']:9.1e}")
    return [*lines, *(f"left out, for the time was up: {name}" for name in left_out)]
