"""Gates and masks of voice and driving video: one socket for ACTalker and for implicit motion."""

import torch

from ..host import io
from ..pipelines.control import GATE, Control
from .values.sockets import Control as ControlSocket
from .values.sockets import schema


def single_mask(mask: torch.Tensor | None) -> torch.Tensor | None:
    """A host's MASK, (H,W) or (B,H,W), to one (H,W) on the CPU; of a clip's masks the union."""
    if mask is not None and mask.numel() == 0:
        raise ValueError(f"A mask of shape {tuple(mask.shape)} holds nothing: see the node wired to it.")
    if mask is None:
        return None
    mask = mask.detach().float().cpu()
    return mask if mask.dim() == 2 else mask.reshape(-1, *mask.shape[-2:]).amax(0)


def _gate(name: str, who: str, where: str) -> io.Float.Input:
    return io.Float.Input(
        name,
        default=getattr(Control, name),
        min=GATE.low,
        max=GATE.high,
        step=GATE.step,
        tooltip=f"Strength of the {who}: 0 off, 1 full. In Joint Motion it controls {where}.",
    )


def _mask(name: str, who: str) -> io.Mask.Input:
    return io.Mask.Input(
        name,
        optional=True,
        tooltip=f"Where the {who} controls the result: in the photo for ACTalker, in the cropped portrait for Joint "
        "Motion in the mode parallel control (in its linear mode masks do not count).",
    )


class JointControl(io.ComfyNode):
    """Gates and masks."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "JointControl",
            "Control Gates",
            "Motion",
            ["joint control", "gate", "mask", "audio and video"],
            description="Sets gates and masks: how strongly, and where in the picture, voice and driving video control "
            "the result. For ACTalker Sample and for Joint Motion.",
            inputs=[
                _gate("audio", "voice", "the mouth"),
                _gate("motion", "driving video", "brows, eyes and head"),
                _mask("audio_mask", "voice"),
                _mask("motion_mask", "driving video"),
            ],
            outputs=[ControlSocket.Output(display_name="control", tooltip="Gates and masks.")],
        )

    @classmethod
    def execute(cls, audio, motion, audio_mask=None, motion_mask=None) -> io.NodeOutput:
        return io.NodeOutput(Control(audio, motion, single_mask(audio_mask), single_mask(motion_mask)))
