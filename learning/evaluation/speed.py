"""Benchmark of each stage, relative to the peak rate of this machine.

Times depend on the machine and its load, so a large matrix product (GEMM) is timed in the same run: the ratio of a
stage's rate to the GEMM's can be compared between runs and machines, and so can the seconds of work that a second of
film takes, times the GEMM's GFLOP/s in fp32.
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

from ...media.audio import load_audio
from ...media.crop import Crop, paste_back
from ...media.photo import load_photo
from ...media.video import VideoWriter
from ...networks.motion_model.config import MotionModelConfig
from ...networks.motion_model.model import MotionModel
from ...networks.renderer.config import RendererConfig
from ...networks.renderer.model import Renderer
from ...pipelines import portrait, rendering, speaking, writing
from ...pipelines.framing import frame_portrait
from ...pipelines.settings import RenderingSettings
from ...sampling.windows import sample_motion
from ...vocabulary import FPS, SAMPLES_A_FRAME
from . import throughput

ASSETS = Path(__file__).resolve().parents[2] / "assets"
FRAMES = 80  # of audio: one window of the sampler, 3.2 s
PICTURE = 512  # side of the finished portrait
SCENE = (1080, 1920)  # the photo that frames are pasted back into
FACE = (175.0, 77.0, 273.0, 174.0)  # in assets/portrait.jpg, so that no finder is needed
GEMM = 1536  # side of the square matrices; large enough to reach a CPU's best, small enough for its cache
GEMM_SECONDS = 0.1  # for which it is timed before and after a film
ROUNDS = 5  # films a precision, at most one a repetition of `seconds`


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

    def time(self, function: Callable[[], object], seconds: float | None = None) -> float:
        """Median milliseconds of a call, after one to warm up."""
        function()
        seconds = self.seconds if seconds is None else seconds
        taken, began = [], time.perf_counter()
        while not taken or (time.perf_counter() - began < seconds and len(taken) < 200):
            self._wait()
            start = time.perf_counter()
            function()
            self._wait()
            taken.append(time.perf_counter() - start)
        return 1000 * median(taken)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def gemm_rate(self, precision: str, seconds: float | None = None) -> float:
        """GFLOP/s of one large matrix product, timed for `seconds`."""
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        a, b = (torch.randn(GEMM, GEMM, device=self.device).to(dtype) for _ in range(2))
        return 2 * GEMM**3 / self.time(lambda: a @ b, seconds) / 1e6

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
    *,
    rates: bool = False,
    compiled: bool = False,
) -> dict:
    """Everything, as plain values ready for JSON. Networks that are None are `lite` ones with random weights.

    The whole is `second`: what a second of 25-fps film from a voice takes for each precision (`measure_film`). rates:
    also frames a second by precision and batch, `compiled` too, and the scans (`throughput`).
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
    report("film")
    rounds = max(1, min(ROUNDS, round(ROUNDS * seconds)))
    second = [measure_film(bench, renderer, model, precision, rounds) for precision in ("fp32", "bf16")]
    result = _summary(bench, renderer, model) | {"second": second}
    if rates:
        report("frames a second")
        watch = throughput.Watch(device, min(seconds, throughput.SECONDS))
        result["throughput"] = [asdict(row) for row in throughput.measure_throughput(watch, renderer, compiled)]
        report("scans")
        watch.end += throughput.BUDGET / 4
        result["scans"] = [asdict(row) for row in throughput.measure_scans(watch)]
        result["left_out"] = watch.left_out
    return result


def _summary(bench: Bench, renderer: nn.Module, model: nn.Module) -> dict:
    """The machine, the networks and the rows of the stages."""
    return {
        "machine": describe_machine(bench.device),
        "gemm_gflops": {precision: max(rate, bench.gemm_rate(precision)) for precision, rate in bench.gemm.items()},
        "parameters": {
            "renderer": sum(p.numel() for p in renderer.parameters()),
            "motion model": sum(p.numel() for p in model.parameters()),
        },
        "rows": [asdict(row) for row in bench.rows],
    }


def measure_film(bench: Bench, renderer: Renderer, model: MotionModel, precision: str, rounds: int) -> dict:
    """A second of film from a voice by the stages as commands and nodes run them: hear, sample, render, encode.

    `seconds` of work a second of film; `ratio`: times the GFLOP/s of a matrix product in fp32, each round's own, timed
    before and after it, so that the load of the machine cancels; medians of the rounds, after one to warm up."""
    photo = frame_portrait(load_photo(ASSETS / "portrait.jpg"), box=FACE).picture
    waveform, rate = load_audio(ASSETS / "greeting.flac")
    voice = speaking.prepare_voice(waveform[..., : round(rate * FRAMES / FPS)], rate)
    bf16, settings = precision == "bf16", RenderingSettings(size=PICTURE)
    source = portrait.encode_source(renderer, photo, bf16=bf16, keep_on=bench.device)
    appearance = portrait.extract_appearance(renderer, source, bf16=bf16, keep_on=bench.device)
    model.motion_language = renderer.motion_language  # random networks have none in common

    def film(path: Path) -> None:
        global_audio = speaking.extract_global_audio(model, voice, bf16=bf16, keep_on=bench.device)
        local_audio = speaking.extract_local_audio(model, voice, bf16=bf16, keep_on=bench.device)
        motion = speaking.generate_motion(model, global_audio, local_audio, appearance, bf16=bf16)
        frames = rendering.render(renderer, source, appearance, motion, settings, bf16=bf16)
        writing.assemble(path, frames, motion.fps)

    seconds, ratios = [], []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(1 + rounds):
            before, start = bench.gemm_rate("fp32", GEMM_SECONDS), time.perf_counter()
            film(Path(folder) / "film.mp4")
            seconds.append((time.perf_counter() - start) * FPS / voice.frames)
            ratios.append(seconds[-1] * (before + bench.gemm_rate("fp32", GEMM_SECONDS)) / 2)
    middle, ratio = median(seconds[1:]), median(ratios[1:])
    return {"precision": precision, "batch": settings.batch, "seconds": middle, "realtime": 1 / middle, "ratio": ratio}


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
    lines += ["", f"a second of film from a voice ({PICTURE} picture, hearing, sampling, rendering, encoding):"]
    lines += [
        f"  {row['precision']}: {row['seconds']:.2f} s, {row['realtime']:.2f} x real time; "
        f"{row['ratio']:.0f} = seconds x GFLOP/s of a matrix product in fp32"
        for row in result["second"]
    ]
    if "throughput" in result:
        lines += throughput.table(result["throughput"], result["scans"], result["left_out"])
    for row in result.get("memory", ()):
        lines.append(f"  peak memory for {row['seconds']:.0f} s of audio: {row['megabytes']:.0f} MB")
    return "\n".join(lines)
