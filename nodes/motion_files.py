"""Save and load motion."""

import contextlib

from ..host import input_file, io, save_path, ui
from ..media.motion import load_motion, save_motion
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
                )
            ],
            outputs=[Motion.Output(display_name="motion", tooltip="The motion.")],
        )

    @classmethod
    def fingerprint_inputs(cls, path: str | None = None) -> float | str:
        with contextlib.suppress(OSError):
            return input_file(path).stat().st_mtime if path else ""
        return ""

    @classmethod
    def execute(cls, path) -> io.NodeOutput:
        if not isinstance(path, str) or not path.strip():
            raise ValueError(
                "Load Motion needs a path: the one that Save Motion shows, or a file name in the input folder."
            )
        return io.NodeOutput(load_motion(input_file(path)))
