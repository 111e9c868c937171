"""Save and load motion."""

import contextlib

from ..host import input_file, io, listed_files, save_path, ui
from ..media.motion import is_motion_file, load_motion, save_motion
from .values.sockets import Motion, schema


class SaveMotion(io.ComfyNode):
    """Motion to a safetensors file in the output folder."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "SaveMotion",
            "Save Motion",
            "Motion",
            ["export motion", "write motion"],
            description="Writes motion into a small safetensors file in the output folder, to be rendered on other "
            "faces later.",
            inputs=[
                Motion.Input("motion", tooltip="Any motion."),
                io.String.Input(
                    "filename_prefix",
                    default="motion/talk",
                    tooltip="Name in the output folder, or in a subfolder of it; a number and .safetensors are added.",
                ),
            ],
            outputs=[
                Motion.Output(display_name="motion", tooltip="The same motion, to go on with."),
                io.String.Output(display_name="path", tooltip="The file that was written; Load Motion takes it."),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, motion, filename_prefix) -> io.NodeOutput:
        path = save_path(filename_prefix, "safetensors")
        save_motion(path, motion)
        shown = ui.PreviewText(f"{path.name}: {len(motion.values)} frames")
        return io.NodeOutput(motion, str(path.absolute()), ui=shown)


BY_PATH = "by path"


def motion_files() -> list[str]:
    """The motion files of the input and output folders, the newest first."""
    found = []
    for name in listed_files(".safetensors"):
        with contextlib.suppress(OSError):
            if is_motion_file(input_file(name)):
                found.append(name)
    return found


class LoadMotion(io.ComfyNode):
    """Motion from a file."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "LoadMotion",
            "Load Motion",
            "Motion",
            ["import motion", "read motion"],
            description="Reads motion that Save Motion wrote, from the input, output or temp folder.",
            inputs=[
                io.String.Input(
                    "path",
                    default="",
                    tooltip="The path from Save Motion, or the name of a file in the input folder. Files outside the "
                    "input, output and temp folders are not read.",
                ),
                io.Combo.Input(
                    "file",
                    options=[BY_PATH, *motion_files()],
                    default=BY_PATH,
                    optional=True,
                    tooltip="by path: the path says which file. Or a motion file in the input or output folder, the "
                    "newest first; a path, if there is one, counts before it.",
                ),
            ],
            outputs=[Motion.Output(display_name="motion", tooltip="The motion.")],
        )

    @classmethod
    def fingerprint_inputs(cls, path: str | None = None, file: str = BY_PATH) -> float | str:
        with contextlib.suppress(OSError, ValueError):
            return input_file(_chosen(path, file)).stat().st_mtime
        return ""

    @classmethod
    def execute(cls, path, file=BY_PATH) -> io.NodeOutput:
        return io.NodeOutput(load_motion(input_file(_chosen(path, file))))


def _chosen(path: str | None, file: str | None) -> str:
    """The name of the file to read: the path where there is one, else what is chosen in the list."""
    for name in (path, None if file == BY_PATH else file):
        if isinstance(name, str) and name.strip():
            return name
    raise ValueError(
        "Load Motion needs a path or a file: give the path that Save Motion shows, or the name of a file in the input "
        "folder, or choose a file in its list."
    )
