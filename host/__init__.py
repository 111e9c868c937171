"""The interface to the program that runs the nodes.

Inside ComfyUI it exports ComfyUI's node types, model folders, model management and progress; elsewhere (command line,
tests, scripts) a headless implementation with the same names and meanings. Nodes import from here only. Only this
file lists the names; both modules define them, with the same parameters.
"""

import sys


def inside_comfyui() -> bool:
    """True inside ComfyUI: it imports its model management before it loads custom nodes."""
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
in_memory = program.in_memory
input_file = program.input_file
intermediate_device = program.intermediate_device
io = program.io
listed_files = program.listed_files
load_device = program.load_device
model_file = program.model_file
model_files = program.model_files
model_subfolders = program.model_subfolders
progress_bar = program.progress_bar
save_path = program.save_path
say = program.say
temp_directory = program.temp_directory
ui = program.ui
use_bf16 = program.use_bf16
