"""Options that several commands share."""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..messages import shown
from ..pipelines.settings import Range

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3  # malloc.h


@dataclass(frozen=True)
class Machine:
    """The device (a torch.device) of the networks, and whether they run in bfloat16."""

    device: object
    bf16: bool


def command(commands, name: str, summary: str, run, examples: str = "") -> argparse.ArgumentParser:
    """Declare one command; `examples`, a line each, are shown below its options."""
    lines = [f"  python -m mamba_portrait {line}" for line in examples.strip().splitlines()]
    added = commands.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog="\n".join(["examples:", *lines]) if lines else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    added.set_defaults(run=run)
    return added


def add_machine(parser: argparse.ArgumentParser) -> None:
    """--device, --precision, --threads."""
    group = parser.add_argument_group("machine")
    group.add_argument("--device", default="auto", help="auto (CUDA if there is one), cpu, cuda, cuda:1, mps")
    group.add_argument(
        "--precision",
        choices=("auto", "fp32", "bf16"),
        default="auto",
        help="auto: bfloat16 on CUDA devices that have it, float32 elsewhere",
    )
    group.add_argument("--threads", type=processes, help="CPU threads (default: PyTorch's choice)")


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """The first import of PyTorch belongs in this block: its objects are not searched for garbage again and again while
    they are made, nor later, which takes .15 of 1.4 s."""
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


@contextlib.contextmanager
def use_machine(options: argparse.Namespace) -> Iterator[Machine]:
    """Configure the host by the options inside a `with` block. ValueError when the device is not there."""
    import torch

    from ..host.headless import settings as headless

    keep_freed_memory()
    if options.threads:
        torch.set_num_threads(options.threads)
    with headless.configure(device=_existing(options.device), precision=options.precision):
        device = headless.load_device()
        yield Machine(device, headless.use_bf16(device))


def keep_freed_memory() -> None:
    """Let glibc keep freed blocks for the next frame, up to the largest that a frame needs.

    By default it returns every large block to the system and maps it again: 5700 page faults and 12 of 60 ms a frame on
    one core, none with this. It affects this process only, and does nothing with other C libraries.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    for option, value in ((M_MMAP_THRESHOLD, 1 << 30), (M_TRIM_THRESHOLD, (1 << 31) - 1), (M_TOP_PAD, 64 << 20)):
        libc.mallopt(option, value)


def _existing(name: str) -> str:
    """The device's name if this machine has it."""
    import torch

    if name == "auto":
        return name
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"There is no device '{name}'; use auto, cpu, cuda, cuda:1 or mps.") from error
    found = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if (device.index or 0) >= found.get(device.type, 0):
        raise ValueError(f"The device '{name}' is not on this machine; use --device auto or --device cpu.")
    return name


def add_networks(parser: argparse.ArgumentParser, motion_model: bool, person: bool = True) -> None:
    """--renderer and --motion-model: other weights than the shipped ones; --person: somebody's changes of them."""
    group = parser.add_argument_group("networks")
    if person:
        group.add_argument("--person", metavar="FILE", help="a person's file, that personalise makes from their film")
    group.add_argument("--renderer", metavar="FILE", help="renderer checkpoint (default: the one that ships)")
    if motion_model:
        group.add_argument("--motion-model", metavar="FILE", help="motion model checkpoint (default: the shipped one)")


def number(allowed: Range, none: str | None = None) -> Callable[[str], float | None]:
    """argparse type of every option that is a number: text to a number in the range, or to None for the word `none`."""

    def read(text: str) -> float | None:
        if text == none:
            return None
        try:
            return allowed.read(text)
        except argparse.ArgumentTypeError as fault:
            raise argparse.ArgumentTypeError(f"{fault} ('{none}' is allowed too)" if none else str(fault)) from fault

    read.allowed = allowed
    return read


positive_int = number(Range(1, 1_000_000_000))
count = number(Range(0, 1_000_000_000))
processes = number(Range(1, 1024))
seed = number(Range(0, (1 << 63) - 1))
seconds = number(Range(0.0, 864_000.0))

EDGE = Range(-65535.0, 65535.0)  # of a box, in pixels


def box(text: str) -> tuple[float, float, float, float]:
    """x0,y0,x1,y1 in pixels."""
    try:
        x0, y0, x1, y1 = (float(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"must be x0,y0,x1,y1 in pixels, such as 120,80,360,320, not {shown(text)}"
        ) from error
    for value in (x0, y0, x1, y1):
        if fault := EDGE.fault(value):
            raise argparse.ArgumentTypeError(f"has an edge that {fault}")
    return x0, y0, x1, y1
