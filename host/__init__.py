"""The one door to the program we run in.

Inside ComfyUI it exports ComfyUI's own node types, model folders, model management and progress; anywhere else (command
line, tests, scripts) a headless stand-in with the same names and the same meaning. Nodes import from here and never ask
which of the two they got.
"""

import sys


def inside_comfyui() -> bool:
    """True when ComfyUI itself is running us: it has loaded its model management long before it loads custom nodes."""
    return "comfy.model_management" in sys.modules and "folder_paths" in sys.modules


if inside_comfyui():
    from .comfyui import (
        ComfyExtension,
        Interrupted,
        ManagedModel,
        VideoFromFile,
        add_model_folder,
        check_interrupt,
        free_memory,
        input_file,
        intermediate_device,
        io,
        load_device,
        model_file,
        model_files,
        model_subfolders,
        progress_bar,
        save_path,
        temp_directory,
        ui,
        use_bf16,
    )
else:
    from .headless.settings import (
        ComfyExtension,
        Interrupted,
        ManagedModel,
        VideoFromFile,
        add_model_folder,
        check_interrupt,
        free_memory,
        input_file,
        intermediate_device,
        io,
        load_device,
        model_file,
        model_files,
        model_subfolders,
        progress_bar,
        save_path,
        temp_directory,
        ui,
        use_bf16,
    )

__all__ = [
    "ComfyExtension",
    "Interrupted",
    "ManagedModel",
    "VideoFromFile",
    "add_model_folder",
    "check_interrupt",
    "free_memory",
    "input_file",
    "inside_comfyui",
    "intermediate_device",
    "io",
    "load_device",
    "model_file",
    "model_files",
    "model_subfolders",
    "progress_bar",
    "save_path",
    "temp_directory",
    "ui",
    "use_bf16",
]
