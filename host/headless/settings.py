"""The host interface without ComfyUI: the same names as `comfyui.py`, over plain folders and plain PyTorch.

`settings` holds what ComfyUI takes from its command line; `configure` changes it temporarily.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import torch

from ...precision import has_bf16, warn_of_slow_bf16
from ..paths import check_prefix, find_file, find_model, list_files, prefix_error, shown
from . import schema as io  # noqa: F401 - a name of the host
from .schema import ComfyExtension  # noqa: F401 - a name of the host
from .video import VideoFromFile  # noqa: F401 - a name of the host


class Interrupted(BaseException):
    """The run was cancelled. As in newer ComfyUIs no code that catches Exception goes on after it."""


@dataclass
class Settings:
    """Folders, device and precision of a headless run."""

    input_directory: Path = field(default_factory=Path.cwd)
    output_directory: Path = field(default_factory=lambda: Path.cwd() / "output")
    model_folders: list[Path] = field(default_factory=list)
    device: str = "auto"
    precision: str = "auto"
    progress: Callable[[int, int], None] | None = None
    preview: Callable[[torch.Tensor], None] | None = None


log = logging.getLogger("mamba_portrait")

settings = Settings()
_interrupt = threading.Event()
_temporary: list[tempfile.TemporaryDirectory] = []


@contextlib.contextmanager
def configure(**changes) -> Iterator[Settings]:
    """Change some of `settings` inside a `with` block; names and meanings as in `Settings`."""
    before = replace(settings, model_folders=list(settings.model_folders))
    try:
        for name, value in changes.items():
            if not hasattr(settings, name):
                raise ValueError(f"there is no setting '{name}'; there are {sorted(vars(settings))}")
            setattr(settings, name, value)
        yield settings
    finally:
        for name, value in vars(before).items():
            setattr(settings, name, value)


class PreviewText:
    """Text that a node shows under itself."""

    def __init__(self, value: str):
        self.value = value

    def as_dict(self) -> dict:
        return {"text": (self.value,)}


class PreviewImage:
    """Pictures that a node shows under itself; here only their shape is kept."""

    def __init__(self, image: torch.Tensor, animated: bool = False, cls: type | None = None):
        self.shape = tuple(image.shape)

    def as_dict(self) -> dict:
        return {"images": [self.shape]}


ui = SimpleNamespace(PreviewText=PreviewText, PreviewImage=PreviewImage)


def in_memory(video) -> bool:
    """Whether a VIDEO value is made of tensors, and so has no file to be read from."""
    return not hasattr(video, "get_stream_source")


def add_model_folder(path: str | os.PathLike | None = None) -> None:
    """Look for checkpoints in `path` as well; None means `models/mamba_portrait` below the current folder."""
    folder = Path(path) if path is not None else Path.cwd() / "models" / "mamba_portrait"
    if folder not in settings.model_folders:
        settings.model_folders.append(folder)


def model_files() -> list[str]:
    """Names of the safetensors files in the model folders, each once."""
    names = {
        path.relative_to(folder).as_posix(): None
        for folder in settings.model_folders
        if folder.is_dir()
        for path in sorted(folder.rglob("*.safetensors"))
    }
    return list(names)


def model_file(name: str) -> Path:
    """The full path of a listed model file; FileNotFoundError, for any other name, says where models are expected."""
    path = find_model(name, settings.model_folders)
    if path is None:
        folders = " or ".join(map(str, settings.model_folders)) or "a model folder"
        raise FileNotFoundError(f"The model file '{shown(name)}' is not there: put it into {folders}.")
    return path


def model_subfolders(name: str) -> list[Path]:
    """The existing folders `name`, in the model folders or beside one."""
    ours = [folder / name for folder in settings.model_folders]
    beside = [folder.parent / name for folder in settings.model_folders]
    return [folder for folder in dict.fromkeys((*ours, *beside)) if folder.is_dir()]


def input_file(name: str) -> Path:
    """A file that a graph may read, by its name in the input folder (or annotated, as ComfyUI's upload widgets write
    it) or by a path in the input, output or temporary folder, links resolved. FileNotFoundError for anything else."""
    places = {"input": settings.input_directory, "output": settings.output_directory, "temp": temp_directory()}
    path = find_file(name, places)
    if path is None:
        raise FileNotFoundError(
            f"There is no file '{shown(name)}' in the input folder {settings.input_directory} or the output folder "
            f"{settings.output_directory}: put it into one of them, or give its own folder as the input folder."
        )
    return path


def listed_files(suffix: str) -> list[str]:
    """Names that `input_file` takes, of the files with a suffix in the input and output folders, the newest first."""
    return list_files({"input": settings.input_directory, "output": settings.output_directory}, suffix)


def temp_directory() -> Path:
    """A temporary folder, removed when the program ends."""
    if not _temporary:
        _temporary.append(tempfile.TemporaryDirectory(prefix="mamba_portrait_", ignore_cleanup_errors=True))
    return Path(_temporary[0].name)


def save_path(prefix: str, extension: str) -> Path:
    """The next free output file for a prefix such as `motion/talk`: `output/motion/talk_00001_.ext`.

    ValueError for a prefix that is no name, leads out of the output folder, or cannot be made there."""
    base = Path(settings.output_directory) / check_prefix(prefix, settings.output_directory)
    pattern = re.compile(re.escape(base.name) + r"_(\d{5,})_\.")
    try:
        base.parent.mkdir(parents=True, exist_ok=True)
        taken = [int(match[1]) for path in base.parent.iterdir() if (match := pattern.match(path.name))]
    except OSError as error:
        raise prefix_error(prefix, error) from error
    return base.parent / f"{base.name}_{max(taken, default=0) + 1:05}_.{extension}"


def load_device() -> torch.device:
    """The device on which networks run: the setting, or CUDA if available, else the CPU."""
    if settings.device != "auto":
        return torch.device(settings.device)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def intermediate_device() -> torch.device:
    """The device for results between nodes."""
    return torch.device("cpu")


def use_bf16(device: torch.device) -> bool:
    """The precision setting; `auto` takes bfloat16 on CUDA devices that have it. Where it was asked for on a CPU that
    does not have it, that is said once."""
    if settings.precision == "auto":
        return device.type == "cuda" and has_bf16(device)
    if settings.precision == "bf16":
        warn_of_slow_bf16(device)
    return settings.precision == "bf16"


def free_memory(device: torch.device) -> float:
    """Free memory of a device in bytes; infinite where it is not known."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    with contextlib.suppress(OSError):
        found = re.search(r"MemAvailable: *(\d+) kB", Path("/proc/meminfo").read_text())
        return int(found[1]) * 1024 if found else float("inf")
    return float("inf")


def interrupt() -> None:
    """Cancel the running workflow at its next step (from another thread or a signal handler)."""
    _interrupt.set()


def check_interrupt() -> None:
    """Raise if `interrupt` was called; once raised, the next run starts clean."""
    if _interrupt.is_set():
        _interrupt.clear()
        raise Interrupted("The run was cancelled.")


def say(text: str) -> None:
    """Tell the user something about the node that runs: a line in the log."""
    log.info(text)


class progress_bar:  # noqa: N801 - called like a function: progress_bar(total) gives a callable
    """A callable `(done, total)` that reports to `settings.progress` and raises `Interrupted` after `interrupt`.

    preview: a picture (H,W,3) in [0,1] of the work so far, for `settings.preview`.
    """

    def __init__(self, total: int | None = None):
        self._total = total or 1
        check_interrupt()

    def __call__(self, done: int, total: int | None = None, preview: torch.Tensor | None = None) -> None:
        self._total = total or self._total
        if settings.progress is not None:
            settings.progress(done, self._total)
        if preview is not None and settings.preview is not None:
            settings.preview(preview)
        check_interrupt()


class ManagedModel:
    """A network and its name. There is no memory management here: it moves to its device once and stays."""

    def __init__(self, module: torch.nn.Module, name: str):
        self.name = name
        self.module = module.eval().requires_grad_(False)

    def on_device(self, memory_required: int = 0) -> torch.nn.Module:
        """The module on its compute device; `memory_required` is for ComfyUI's memory management and unused here."""
        return self.module.to(load_device())
