"""The one door to the program we run in.

Inside ComfyUI it exports ComfyUI's own node types, model folders, model management and progress; anywhere else (command
line, tests, scripts) a headless stand-in with the same names and the same meaning. Nodes import from here and never ask
which of the two they got. The names are listed here alone; both modules define them, with the same parameters.
"""

import sys


def inside_comfyui() -> bool:
    """True when ComfyUI itself is running us: it has loaded its model management long before it loads custom nodes."""
    return "comfy.model_management" in sys.modules and "folder_paths" in sys.modules


if inside_comfyui():
    from . import comfyui as program
else:
    from .headless import settings as program

ComfyExtension = program.ComfyExtension
Interrupted = program.Interrupted
ManagedModel = program.ManagedModel
VideoFromFile = program.VideoFromFile
add_model_folder = program.add_model_folder
check_interrupt = program.check_interrupt
free_memory = program.free_memory
input_file = program.input_file
intermediate_device = program.intermediate_device
io = program.io
load_device = program.load_device
model_file = program.model_file
model_files = program.model_files
model_subfolders = program.model_subfolders
progress_bar = program.progress_bar
save_path = program.save_path
temp_directory = program.temp_directory
ui = program.ui
use_bf16 = program.use_bf16
