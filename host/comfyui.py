"""The host interface inside ComfyUI: a thin layer over its own API (as of core 0.3.64). Imported only there."""

import logging
import os
from pathlib import Path

import comfy.model_management as management
import comfy.utils
import folder_paths
import torch
from comfy.model_patcher import ModelPatcher
from comfy_api.latest import ComfyExtension, Input, InputImpl, io, ui  # noqa: F401 - the host's own names
from comfy_execution.utils import get_executing_context
from PIL import Image

from ..precision import has_bf16
from .paths import check_prefix, find_file, find_model, list_files, prefix_error, shown

log = logging.getLogger("mamba_portrait")

VideoFromFile = InputImpl.VideoFromFile
Interrupted = management.InterruptProcessingException

MODEL_FOLDER = "mamba_portrait"
PREVIEW_SIDE = 512
EVERYTHING = 1e32  # bytes


def in_memory(video) -> bool:
    """Whether a VIDEO value is made of tensors: its stream source is then the base class's, which encodes them."""
    return type(video).get_stream_source is Input.Video.get_stream_source


def add_model_folder(path: str | os.PathLike | None = None) -> None:
    """Make ComfyUI look for our checkpoints in `path`; None means `models/mamba_portrait`."""
    folder = Path(path) if path is not None else Path(folder_paths.models_dir) / MODEL_FOLDER
    folder_paths.add_model_folder_path(MODEL_FOLDER, str(folder))


def model_files() -> list[str]:
    """Names of the safetensors files in our model folders, as in a node's drop-down."""
    return [name for name in folder_paths.get_filename_list(MODEL_FOLDER) if name.endswith(".safetensors")]


def model_file(name: str) -> Path:
    """The full path of a listed model file; FileNotFoundError, for any other name, says where models are expected."""
    folders = folder_paths.get_folder_paths(MODEL_FOLDER)
    path = find_model(name, folders)
    if path is None:
        raise FileNotFoundError(
            f"The model file '{shown(name)}' is not there: put it into {' or '.join(folders)} and press R to refresh."
        )
    return path


def model_subfolders(name: str) -> list[Path]:
    """The existing folders `name`: in our model folders, beside them, and those of extra_model_paths.yaml."""
    ours = [Path(folder) / name for folder in folder_paths.get_folder_paths(MODEL_FOLDER)]
    listed = map(Path, folder_paths.folder_names_and_paths.get(name, ((), ()))[0])
    return [f for f in dict.fromkeys((*ours, Path(folder_paths.models_dir) / name, *listed)) if f.is_dir()]


def input_file(name: str) -> Path:
    """A file that a graph may read, by its name in the input folder (or annotated, as upload widgets write it) or by a
    path in the input, output or temp folder, links resolved. FileNotFoundError for anything else."""
    path = find_file(name, {kind: folder_paths.get_directory_by_type(kind) for kind in ("input", "output", "temp")})
    if path is None:
        raise FileNotFoundError(
            f"There is no file '{shown(name)}' in ComfyUI's input, output or temp folder: put it into one of them and "
            "give its name or path."
        )
    return path


def listed_files(suffix: str) -> list[str]:
    """Names that `input_file` takes, of the files with a suffix in the input and output folders, the newest first."""
    return list_files({kind: folder_paths.get_directory_by_type(kind) for kind in ("input", "output")}, suffix)


def temp_directory() -> Path:
    """ComfyUI's temporary folder, which it clears at every start."""
    folder = Path(folder_paths.get_temp_directory())
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def save_path(prefix: str, extension: str) -> Path:
    """The next free output file for a prefix such as `motion/talk`, counted and placed as ComfyUI's own savers do.

    ValueError for a prefix that is no name, leads out of the output folder, or cannot be made there."""
    root = os.path.abspath(folder_paths.get_output_directory())
    prefix = check_prefix(prefix, root)  # and without the end of 'talk/', which would not be counted
    try:
        folder, name, counter, _, _ = folder_paths.get_save_image_path(prefix, root)
    except OSError as error:
        raise prefix_error(prefix, error) from error
    return Path(folder) / f"{name}_{counter:05}_.{extension}"


def load_device() -> torch.device:
    """The device on which networks run."""
    return management.get_torch_device()


def intermediate_device() -> torch.device:
    """The device for results between nodes."""
    return management.intermediate_device()


def free_memory(device: torch.device) -> float:
    """Free memory of a device in bytes."""
    return management.get_free_memory(device)


def use_bf16(device: torch.device) -> bool:
    """Whether to run in bfloat16 on this device, by ComfyUI's own rules and command-line flags; never on a CPU that
    does not have it."""
    return management.should_use_bf16(device) and (device.type != "cpu" or has_bf16(device))


def check_interrupt() -> None:
    """Raise if the user pressed cancel."""
    management.throw_exception_if_processing_interrupted()


def say(text: str) -> None:
    """Tell the user something about the node that runs: a line in the log, and a text on the node."""
    log.info(text)
    context = get_executing_context()
    if context is None:
        return
    from server import PromptServer  # only while a node runs: the module needs the host's whole start

    if getattr(PromptServer, "instance", None) is not None:
        PromptServer.instance.send_progress_text(text, context.node_id)


class progress_bar:  # noqa: N801 - called like a function: progress_bar(total) gives a callable
    """A callable `(done, total)` that moves the node's progress bar and raises `Interrupted` once the user cancels.

    preview: a picture (H,W,3) in [0,1] that the page shows on the node meanwhile.
    """

    def __init__(self, total: int | None = None):
        self._bar = comfy.utils.ProgressBar(total or 1)
        check_interrupt()

    def __call__(self, done: int, total: int | None = None, preview: torch.Tensor | None = None) -> None:
        shown = None
        if preview is not None:
            pixels = (preview.clamp(0, 1) * 255).round().byte().cpu().numpy()
            shown = ("JPEG", Image.fromarray(pixels), PREVIEW_SIDE)
        self._bar.update_absolute(done, total, shown)
        check_interrupt()


class ManagedModel:
    """A network under ComfyUI's model management: on the compute device while in use, offloaded when others need the
    memory."""

    def __init__(self, module: torch.nn.Module, name: str):
        self.name = name
        self.module = module.eval().requires_grad_(False)
        self.patcher = ModelPatcher(self.module, load_device(), management.unet_offload_device())

    def on_device(self, memory_required: int = 0) -> torch.nn.Module:
        """The module on its compute device, with `memory_required` bytes asked for the work itself.

        It is always fully loaded, with --lowvram and --novram too: it is small, and ComfyUI's partial loading and its
        dynamic VRAM work for its own layer classes only.
        """
        management.load_models_gpu([self.patcher], memory_required=memory_required, force_full_load=True)
        device = self.patcher.load_device
        if any(weight.device.type != device.type for weight in self.module.parameters()):  # --novram loads nothing
            self.patcher.partially_load(device, EVERYTHING)
        return self.module
