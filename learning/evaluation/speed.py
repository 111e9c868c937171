"""Benchmark of each stage, relative to the peak rate of this machine.

Times depend on the load of the machine, so a large matrix product (GEMM) is timed in the same run, before and after:
the ratio of a stage's rate to the GEMM's can be compared between runs and machines.
"""

from __future__ import annotations

import platform
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ...media.crop import Crop, paste_back
from ...media.video import VideoWriter
from ...networks.motion_model.config import MotionModelConfig
from ...networks.motion_model.model import MotionModel
from ...networks.renderer.config import RendererConfig
from ...networks.renderer.model import Renderer
from ...sampling.windows import sample_motion
from ...vocabulary import FPS, SAMPLES_A_FRAME

FRAMES = 80  # of audio: one window of the sampler, 3.2 s
PICTURE = 512  # side of the finished portrait
SCENE = (1080, 1920)  # the photo that frames are pasted back into
GEMM = 1536  # side of the square matrices; large enough to reach a CPU's best, small enough for its cache


@dataclass(frozen=True)
class Row:
    """One measurement. milliseconds and gflop are for one `unit`: a portrait, a second of video, or a frame."""

    stage: str
    unit: str
    precision: str
    batch: int
    milliseconds: float
    gflop: float | None  # 2 x multiply-adds of convolutions and matrix products
    of_gemm: float | None  # the stage's GFLOP/s over the machine's own, same precision


class Bench:
    """Times stages on one device. `seconds`: how long each is repeated; the median counts."""

    def __init__(self, device: torch.device, seconds: float = 1.0):
        self.device, self.seconds = device, seconds
        self.rows: list[Row] = []
        self.gemm = {precision: self.gemm_rate(precision) for precision in ("fp32", "bf16")}

    def time(self, function: Callable[[], object]) -> float:
        """Median milliseconds of a call, after one to warm up."""
        function()
        taken, began = [], time.perf_counter()
        while not taken or (time.perf_counter() - began < self.seconds and len(taken) < 200):
            self._wait()
            start = time.perf_counter()
            function()
            self._wait()
            taken.append(time.perf_counter() - start)
        return 1000 * median(taken)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def gemm_rate(self, precision: str) -> float:
        """GFLOP/s of one large matrix product."""
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        a, b = (torch.randn(GEMM, GEMM, device=self.device).to(dtype) for _ in range(2))
        return 2 * GEMM**3 / self.time(lambda: a @ b) / 1e6

    def add(
        self, stage: str, unit: str, precision: str, batch: int, units: float, function: Callable, count: bool = True
    ) -> None:
        """Time a function that does `units` units at once, in autocast where the precision is bf16."""

        def work():
            with torch.no_grad(), self._autocast(precision):
                return function()

        gflop = None
        if count:
            counter = FlopCounterMode(display=False)
            with counter:
                work()
            gflop = counter.get_total_flops() / 1e9 / units
        milliseconds = self.time(work) / units
        share = gflop / milliseconds * 1000 / self.gemm[precision] if gflop else None
        self.rows.append(Row(stage, unit, precision, batch, milliseconds, gflop, share))

    def _autocast(self, precision: str):
        return torch.autocast(self.device.type, torch.bfloat16) if precision == "bf16" else nullcontext()


def measure_renderer(bench: Bench, renderer: Renderer) -> None:
    """Encoding a portrait, and decoding frames at the network's size and to a 512 picture, one and eight at once."""
    device = bench.device
    photo = torch.rand(1, 3, PICTURE, PICTURE, device=device)
    with torch.no_grad():
        source = renderer.encode_source(photo).toned()
        appearance = renderer.extract_appearance(source)
    for precision in ("fp32", "bf16"):
        bench.add("encode source", "portrait", precision, 1, 1, lambda: renderer.encode_source(photo).toned())
        bench.add("appearance", "portrait", precision, 1, 1, lambda: renderer.extract_appearance(source))
        bench.add(
            "watch a driving frame", "frame", precision, 8, 8, lambda: renderer.encode_motion(photo.repeat(8, 1, 1, 1))
        )
        for batch in (1, 8):
            motion = source.motion + 0.1 * torch.randn(batch, source.motion.shape[1], device=device)
            for side in (renderer.config.image_size, PICTURE):

                def decode(motion: Tensor = motion, side: int = side) -> Tensor:
                    wanted = renderer.within_limits(motion, source)
                    return renderer.decode(source, appearance, wanted, (side, side)).image

                bench.add(f"decode to {side}", "frame", precision, batch, batch, decode)


def measure_motion_model(bench: Bench, model: MotionModel) -> None:
    """Extracting audio features and sampling a second of speech, with the default settings."""
    device, seconds = bench.device, FRAMES / FPS
    waveform = 0.1 * torch.randn(1, FRAMES * SAMPLES_A_FRAME, device=device)
    appearance = torch.randn(1, model.config.appearance_dim, device=device)
    with torch.no_grad():
        heard, local = model.extract_global(waveform), model.extract_local(waveform)
    for precision in ("fp32", "bf16"):
        bench.add("Mamba-g", "second", precision, 1, seconds, lambda: model.extract_global(waveform))
        bench.add("Mamba-l", "second", precision, 1, seconds, lambda: model.extract_local(waveform))
        bench.add(
            "sample motion",
            "second",
            precision,
            1,
            seconds,
            lambda: sample_motion(model, heard, local, appearance, frames=FRAMES),
        )


def measure_media(bench: Bench) -> None:
    """Pasting back into a 1920x1080 photo, and encoding 512-pixel video; neither has a precision."""
    noise = torch.nn.functional.avg_pool2d(torch.rand(1, 3, PICTURE, PICTURE), 9, 1, 4)[0].movedim(0, -1)
    frames = torch.stack([noise.roll(i, 1) for i in range(8)])  # small motion between frames, as of a face
    photo = torch.rand(*SCENE, 3)
    crop = Crop(700, 200, PICTURE, *SCENE)
    bench.add("paste back", "frame", "fp32", 8, 8, lambda: paste_back(photo, frames, crop), count=False)
    with tempfile.TemporaryDirectory() as folder:

        def encode() -> None:
            with VideoWriter(Path(folder) / "bench.mp4", fps=FPS) as writer:
                for _ in range(4):
                    writer.write(frames)

        bench.add("encode video", "frame", "fp32", 8, 32, encode, count=False)


def run_bench(
    device: torch.device,
    renderer: nn.Module | None = None,
    motion_model: nn.Module | None = None,
    seconds: float = 1.0,
    report: Callable[[str], None] = lambda line: None,
) -> dict:
    """Everything, as plain values ready for JSON. Networks that are None are `lite` ones with random weights.

    The whole is `second`: what a second of 25-fps film from a voice takes (hear, sample, decode to 512, encode), for
    each precision and batch.
    """
    renderer = (renderer or Renderer(RendererConfig.lite())).to(device).eval()
    model = (motion_model or MotionModel(MotionModelConfig.lite())).to(device).eval()
    bench = Bench(device, seconds)
    for name, measure in (
        ("renderer", lambda: measure_renderer(bench, renderer)),
        ("motion model", lambda: measure_motion_model(bench, model)),
        ("media", lambda: measure_media(bench)),
    ):
        report(name)
        measure()
    return {
        "machine": describe_machine(device),
        "gemm_gflops": {precision: max(rate, bench.gemm_rate(precision)) for precision, rate in bench.gemm.items()},
        "parameters": {
            "renderer": sum(p.numel() for p in renderer.parameters()),
            "motion model": sum(p.numel() for p in model.parameters()),
        },
        "rows": [asdict(row) for row in bench.rows],
        "second": second_of_film(bench.rows),
    }


def second_of_film(rows: list[Row]) -> list[dict]:
    """Computing time for a second of video from a voice, and the real-time factor (above 1: faster than real time)."""
    found = {(row.stage, row.precision, row.batch): row.milliseconds for row in rows}
    encode = found["encode video", "fp32", 8]
    table = []
    for precision in ("fp32", "bf16"):
        voice = sum(found[stage, precision, 1] for stage in ("Mamba-g", "Mamba-l", "sample motion"))
        for batch in (1, 8):
            frame = found[f"decode to {PICTURE}", precision, batch] + encode
            total = (voice + FPS * frame) / 1000
            table.append({"precision": precision, "batch": batch, "seconds": total, "realtime": 1 / total})
    return table


def describe_machine(device: torch.device) -> dict:
    """Processor, threads and versions."""
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else processor(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": platform.system(),
    }


def processor() -> str:
    """The processor's name, as far as the system tells."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def table(result: dict) -> str:
    """The result as text."""
    machine, gemm = result["machine"], result["gemm_gflops"]
    lines = [
        f"{machine['device']}, {machine['threads']} threads, torch {machine['torch']}; "
        f"matrix product {gemm['fp32']:.0f} GFLOP/s fp32, {gemm['bf16']:.0f} bf16",
        "",
        f"{'stage':<22} {'unit':<9} {'prec.':<5} {'batch':>5} {'ms':>9} {'GFLOP':>7} {'of GEMM':>8}",
    ]
    for row in result["rows"]:
        gflop = f"{row['gflop']:7.2f}" if row["gflop"] is not None else " " * 7
        share = f"{row['of_gemm']:8.2f}" if row["of_gemm"] is not None else " " * 8
        lines.append(
            f"{row['stage']:<22} {row['unit']:<9} {row['precision']:<5} {row['batch']:>5} "
            f"{row['milliseconds']:9.2f} {gflop} {share}"
        )
    lines += ["", f"a second of film from a voice ({PICTURE} picture, hearing, sampling, decoding, encoding):"]
    lines += [
        f"  {row['precision']}, {row['batch']} at once: {row['seconds']:.2f} s, {row['realtime']:.2f} x real time"
        for row in result["second"]
    ]
    for row in result.get("memory", ()):
        lines.append(f"  peak memory for {row['seconds']:.0f} s of audio: {row['megabytes']:.0f} MB")
    return "\n".join(lines)
