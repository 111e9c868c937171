"""bench: the speed of each stage on this machine."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tqdm import tqdm

from ..files import whole_file
from ..pipelines.settings import Range
from .options import add_machine, add_networks, command, number, use_machine

LENGTHS = (10.0, 600.0)  # seconds of audio for which memory should be the same


def add(commands) -> argparse.ArgumentParser:
    """Declare the command."""
    parser = command(
        commands,
        "bench",
        "measure every stage in fp32 and bf16, and a matrix product for comparison",
        run,
        """
bench
bench --json output/bench.json --threads 2
bench --memory
bench --device cuda --json output/bench_cuda.json
""",
    )
    parser.add_argument("--json", metavar="FILE", help="write all numbers there as well")
    parser.add_argument(
        "--seconds",
        type=number(Range(0.0, 3600.0)),
        default=1.0,
        help="how long each measurement is repeated (%(default)s)",
    )
    parser.add_argument(
        "--memory", action="store_true", help="also animate 10 s and 10 min of audio and compare memory"
    )
    parser.add_argument(
        "--rates",
        action=argparse.BooleanOptionalAction,
        help="also frames a second in fp32, fp16 and bf16, and each form of the scan (by default except on a CPU)",
    )
    parser.add_argument(
        "--compile", action=argparse.BooleanOptionalAction, help="of these rates also compiled ones (likewise)"
    )
    add_networks(parser, motion_model=True, person=False)
    add_machine(parser)
    return parser


def run(options: argparse.Namespace) -> None:
    """Run the command; prints a table. Networks whose weights are missing are measured with random ones."""
    from ..learning.evaluation.speed import run_bench, table
    from ..model_loaders.checkpoint import load_motion_model, load_renderer

    with use_machine(options) as machine, tqdm(desc="bench", disable=None, leave=False, bar_format="{desc}") as bar:
        result = run_bench(
            machine.device,
            _or_random(load_renderer, options.renderer),
            _or_random(load_motion_model, options.motion_model),
            options.seconds,
            lambda name: bar.set_description(f"measuring: {name}"),
            rates=machine.device.type != "cpu" if options.rates is None else options.rates,
            compiled=machine.device.type != "cpu" if options.compile is None else options.compile,
        )
    if options.memory:
        result["memory"] = [{"seconds": s, "megabytes": peak_memory(s, options)} for s in LENGTHS]
    print(table(result))
    if options.json:
        with whole_file(options.json) as partial:
            partial.write_text(json.dumps(result, indent=1) + "\n", "utf8")
        print(Path(options.json))


def _or_random(load, file: str | None):
    """The network of a file; without a file the shipped one, or None where it is missing."""
    try:
        return load(file)
    except FileNotFoundError:
        if file:
            raise
        return None


def peak_memory(seconds: float, options: argparse.Namespace) -> float:
    """Peak resident megabytes of a process that animates the example portrait with so many seconds of speech."""
    from ..media.audio import load_audio, to_mono_16k, write_wav
    from ..vocabulary import SAMPLE_RATE

    assets = Path(__file__).resolve().parents[1] / "assets"
    speech = to_mono_16k(*load_audio(assets / "greeting.flac"))
    samples = round(SAMPLE_RATE * seconds)
    with tempfile.TemporaryDirectory() as folder:
        voice = write_wav(
            Path(folder) / "voice.wav", speech.repeat(1, samples // speech.shape[-1] + 1)[:, :samples], SAMPLE_RATE
        )
        arguments = [sys.executable, "-m", f"{__package__.rpartition('.')[0]}", "animate", str(assets / "portrait.jpg")]
        arguments += [str(voice), "-o", str(Path(folder) / "film.mp4"), "--finder", "whole", "--size", "256"]
        arguments += ["--device", options.device, "--precision", options.precision]
        arguments += ["--renderer", options.renderer] if options.renderer else []
        arguments += ["--motion-model", options.motion_model] if options.motion_model else []
        with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
            stderr = process.stderr.read()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"The memory run failed: {stderr.strip().splitlines()[-1:]}")
    return usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)
