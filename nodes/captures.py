"""Captured faces in, motion out, and the other way; pictures of face points."""

import contextlib
from fractions import Fraction

import torch

from ..host import input_file, intermediate_device, io, listed_files, save_path, ui
from ..media.captures import FORMS, NEUTRALS, SUFFIXES
from ..pipelines.captures import load_capture, save_capture
from ..pipelines.pose_pictures import pose_pictures
from ..pipelines.settings import PoseSettings, RenderingSettings
from .values.sockets import Motion, Renderer, Source, same_network, schema
from .values.widgets import advanced, setting

BY_PATH = "by path"


def capture_files() -> list[str]:
    """The tables in the input and output folders, the newest first; arrays only by path."""
    return listed_files(SUFFIXES[0])


def _fps(default: float, tooltip: str) -> io.Float.Input:
    return io.Float.Input("fps", default=default, min=1.0, max=240.0, step=0.01, tooltip=tooltip)


class LoadCapture(io.ComfyNode):
    """Blend shapes or landmarks to motion."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "LoadCapture",
            "Load Capture",
            "Motion",
            ["ARKit", "Live Link Face", "blendshapes", "MediaPipe", "FACEGOOD", "import CSV", "face capture"],
            description="Reads a captured face as motion: the CSV of a phone (Live Link Face, ARKit's 52 blend "
            "shapes), MediaPipe's blend shapes or landmarks, or FACEGOOD's columns.",
            inputs=[
                Renderer.Input("renderer", tooltip="From Load Renderer: the motion is written in its language."),
                io.String.Input(
                    "path",
                    default="",
                    tooltip="The name of a .csv, .npz or .npy in the input folder, or a path in the input, output or "
                    "temp folder.",
                ),
                _fps(25.0, "Frames a second of the motion, whatever the capture's are; 25 is that of a voice."),
                io.Combo.Input(
                    "neutral",
                    options=list(NEUTRALS),
                    default=NEUTRALS[0],
                    tooltip="What movement is told from. rest: the capture's own zero, as a calibrated phone gives it. "
                    "first frame: the face of its first frame.",
                ),
                io.Combo.Input(
                    "file",
                    options=[BY_PATH, *capture_files()],
                    default=BY_PATH,
                    optional=True,
                    tooltip="by path: the path says which file. Or a CSV in the input or output folder, the newest "
                    "first; a path, if there is one, counts before it.",
                ),
            ],
            outputs=[Motion.Output(display_name="motion", tooltip="The motion, relative to a face at rest.")],
        )

    @classmethod
    def fingerprint_inputs(cls, path: str | None = None, file: str = BY_PATH, **rest) -> float | str:
        with contextlib.suppress(OSError, ValueError):
            return input_file(_chosen(path, file)).stat().st_mtime
        return ""

    @classmethod
    def execute(cls, renderer, path, fps, neutral, file=BY_PATH) -> io.NodeOutput:
        found = input_file(_chosen(path, file))
        rate = Fraction(fps).limit_denominator(1001)
        return io.NodeOutput(load_capture(found, renderer.on_device(), fps=rate, neutral=neutral))


def _chosen(path: str | None, file: str | None) -> str:
    for name in (path, None if file == BY_PATH else file):
        if isinstance(name, str) and name.strip():
            return name
    raise ValueError("Load Capture needs a path or a file: give the name of one in the input folder, or choose a CSV.")


class SaveCapture(io.ComfyNode):
    """Motion to blend shapes."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "SaveCapture",
            "Save Capture",
            "Motion",
            ["export CSV", "ARKit", "Live Link Face", "Blender", "Unreal", "blendshapes"],
            description="Writes motion as a CSV of blend shapes into the output folder, for Blender, Unreal and other "
            "programs that animate faces.",
            inputs=[
                Motion.Input("motion", tooltip="Any motion."),
                Renderer.Input("renderer", tooltip="From Load Renderer: its read-out names the motion."),
                io.String.Input(
                    "filename_prefix",
                    default="motion/capture",
                    tooltip="Name in the output folder, or in a subfolder of it; a number and .csv are added.",
                ),
                io.Combo.Input(
                    "form",
                    options=list(FORMS),
                    default=FORMS[0],
                    tooltip="live link: 61 columns as Live Link Face records them. mediapipe: MediaPipe's 52 blend "
                    "shapes. facegood: FACEGOOD's 33 columns of the mouth.",
                ),
                _fps(60.0, "Frames a second of the table; phones record 60."),
            ],
            outputs=[
                Motion.Output(display_name="motion", tooltip="The same motion, to go on with."),
                io.String.Output(display_name="path", tooltip="The file that was written; Load Capture takes it."),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, motion, renderer, filename_prefix, form, fps) -> io.NodeOutput:
        path = save_path(filename_prefix, "csv")
        rate = Fraction(fps).limit_denominator(1001)
        save_capture(path, motion, renderer.on_device(), form=form, fps=rate)
        return io.NodeOutput(motion, str(path.absolute()), ui=ui.PreviewText(f"{path.name}: {form}"))


class PosePictures(io.ComfyNode):
    """Motion to pictures of face points."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "PosePictures",
            "Motion to Pose Pictures",
            "Motion",
            ["DWPose", "OpenPose face", "face landmarks", "ControlNet", "VACE", "Wan Animate", "pose video"],
            description="Draws motion as face points on black, as DWPose does, where Decode Motion would show the "
            "face: for graphs that are steered by poses, such as Wan-Animate, VACE and ControlNet.",
            inputs=[
                Renderer.Input("renderer", tooltip="From Load Renderer; the same one that encoded the source."),
                Source.Input("source", tooltip="From Encode Source: the portrait that the points are laid on."),
                Motion.Input("motion", tooltip="Any motion."),
                setting(PoseSettings, "size", "Side of the pictures in pixels."),
                setting(
                    RenderingSettings,
                    "mode",
                    display_name="pose and lips",
                    tooltip="relative: the change of the motion is added to the portrait's own pose; for a voice, lips "
                    "that are parted in the photo close first. keep_lips: they stay parted between words. absolute: "
                    "the driver's expression and head rotation are used as they are, but not the position in the "
                    "picture. expression: only his expression is; the head moves from the portrait's own pose.",
                ),
                setting(PoseSettings, "count", "70 points with the pupils, or 68 without."),
                setting(PoseSettings, "style", "points: points alone, as DWPose draws them. points and lines: joined."),
                advanced(setting(PoseSettings, "radius", "Radius of a point, in a picture of 512 pixels.")),
            ],
            outputs=[
                io.Image.Output(display_name="frames", tooltip="A picture for each frame of the motion."),
                io.Float.Output(display_name="fps", tooltip="Frames a second."),
            ],
        )

    @classmethod
    def execute(cls, renderer, source, motion, size, mode, count, style, radius) -> io.NodeOutput:
        encoded = same_network(source, renderer.name, "source")
        settings = PoseSettings(size=size, radius=radius, count=count, style=style)
        drawn = pose_pictures(renderer.on_device(), encoded, motion, settings, RenderingSettings(mode=mode))
        return io.NodeOutput(torch.cat(list(drawn)).to(intermediate_device()), float(motion.fps))
