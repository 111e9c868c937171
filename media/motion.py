"""Motion tracks: 768 numbers of implicit motion a frame, saved, loaded and retargeted to other faces."""

import os
import re
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..files import CannotWrite, whole_file
from ..messages import shown
from ..model_loaders.described import check_language as check_language_id
from ..vocabulary import MOTION_MODES

MOTION_SIZE = 768  # 8 x 8 x 12, the paper's implicit motion
RATE = re.compile(r"([1-9]\d{0,8})(?:/([1-9]\d{0,8}))?")
SLOWEST, FASTEST = Fraction(1, 100), Fraction(1000)  # frames a second, as of films
VERSION = "1"
NEGLIGIBLE = 1e-3  # root mean square of a free part that half precision and rounding leave


@dataclass(frozen=True, eq=False)
class Motion:
    """A motion track. values (T,768) float32; reference (768,), the driver's motion that changes are relative to (the
    first frame, or a face at rest for a voice); fps frames a second; language: id of the motion space's names, the
    renderer's `motion_language`, "" if not known; encoder: id of the encoder that wrote motion without names, the
    renderer's `motion_encoder_id`, "" where all of it has names (as in every file without that id)."""

    values: Tensor
    reference: Tensor
    fps: Fraction
    language: str = ""
    encoder: str = ""

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.shape[1] != MOTION_SIZE or self.values.shape[0] < 1:
            raise ValueError(f"A motion needs values (T,{MOTION_SIZE}) with T >= 1, got {tuple(self.values.shape)}.")
        if tuple(self.reference.shape) != (MOTION_SIZE,):
            raise ValueError(f"A motion's reference has shape ({MOTION_SIZE},), got {tuple(self.reference.shape)}.")
        if Fraction(self.fps) <= 0:
            raise ValueError(f"A motion's frame rate must be positive, got {self.fps}.")
        if not (torch.isfinite(self.values).all() and torch.isfinite(self.reference).all()):
            raise ValueError(
                "The motion has NaN or infinite numbers: make it again from an undamaged voice, video or file, and "
                "with less guidance if that was high."
            )
        object.__setattr__(self, "values", self.values.detach().float())
        object.__setattr__(self, "reference", self.reference.detach().to(self.values))
        object.__setattr__(self, "fps", Fraction(self.fps))

    @property
    def frames(self) -> int:
        return self.values.shape[0]

    @property
    def duration(self) -> float:
        """Seconds."""
        return float(self.frames / self.fps)


def save_motion(path: str | os.PathLike, motion: Motion) -> Path:
    """Write a motion as safetensors with its rate and language in the metadata; the file appears only when complete.

    Raises CannotWrite, or ValueError with the system's reason, where it cannot be written."""
    path = Path(path)
    if path.suffix != ".safetensors":
        path = path.with_name(path.name + ".safetensors")
    metadata = {
        "format": "mamba_portrait",
        "kind": "motion",
        "version": VERSION,
        "fps": str(motion.fps),
        "motion_language": motion.language,
    } | ({"motion_encoder": motion.encoder} if motion.encoder else {})
    tensors = {"values": motion.values, "reference": motion.reference}
    tensors = {name: value.cpu().clone(memory_format=torch.contiguous_format) for name, value in tensors.items()}
    try:
        with whole_file(path) as partial:
            save_file(tensors, str(partial), metadata=metadata)
    except CannotWrite:
        raise
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(
            f"The motion could not be written to {path} ({reason}): choose another name or place."
        ) from error
    return path


def is_motion_file(path: str | os.PathLike) -> bool:
    """Whether the header says that a file holds a motion; False for what is no safetensors file."""
    try:
        with safe_open(str(path), framework="pt") as file:
            return _is_motion(file.metadata() or {})
    except (SafetensorError, OSError):
        return False


def _is_motion(metadata: dict[str, str]) -> bool:
    return metadata.get("format") == "mamba_portrait" and metadata.get("kind") == "motion"


def load_motion(path: str | os.PathLike) -> Motion:
    """Read a saved motion. Raises FileNotFoundError, or ValueError for another kind of file."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"Motion file not found: {path}")
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            if not _is_motion(metadata):
                kind = shown(metadata.get("kind", "something else")).strip("'")
                raise ValueError(f"{path.name} is not a motion file (it holds {kind}); save one with 'Save Motion'.")
            if metadata.get("version") != VERSION:
                version = shown(metadata.get("version"))
                raise ValueError(f"{path.name} has motion format {version}; this pack reads {VERSION}.")
            fps = _rate(metadata.get("fps", ""), path.name)
            language = check_language_id(metadata.get("motion_language", ""), path.name)
            encoder = check_language_id(metadata.get("motion_encoder", ""), path.name, "motion_encoder")
            values, reference = (_numbers(file.get_tensor(name), name, path.name) for name in ("values", "reference"))
    except SafetensorError as error:
        raise ValueError(f"{path.name} is not a motion file or is damaged; save one with 'Save Motion'.") from error
    try:
        return Motion(values, reference, fps, language, encoder)
    except ValueError as error:
        raise ValueError(f"{path.name} holds no motion: {error}") from error


def _rate(text: str, file: str) -> Fraction:
    """Frames a second as `save_motion` writes them. ValueError for anything else, and for an implausible rate."""
    found = RATE.fullmatch(text)
    if not found or not SLOWEST <= (rate := Fraction(int(found[1]), int(found[2] or 1))) <= FASTEST:
        raise ValueError(
            f"{file} has {shown(text)} for its frames a second, where a number such as 25 or 30000/1001, at most "
            f"{FASTEST}, should be: it is damaged, save the motion again."
        )
    return rate


def _numbers(values: Tensor, name: str, file: str) -> Tensor:
    if not values.is_floating_point():
        raise ValueError(f"{file} has {name} that are no real numbers: it is damaged, save the motion again.")
    return values


def check_language(language: str, renderer) -> None:
    """Raise ValueError when the motion space of a motion or a motion model is known and not the renderer's."""
    if language and language != renderer.motion_language:
        raise ValueError(
            f"The motion was made for another renderer (its motion language is {language}, this renderer's "
            f"{renderer.motion_language}): load the renderer and the motion model that were trained together, or make "
            "the motion again with this renderer."
        )


def fitted_to(motion: Motion, renderer) -> Motion:
    """The motion as a renderer can use it: with its free part if the renderer's own encoder wrote that, else without.

    A file of before encoders had ids is all names. Raises ValueError as `check_language`, and where both have a free
    part, of different encoders."""
    own = renderer.motion_encoder_id
    if motion.encoder != own and (not renderer.config.readout or (motion.encoder and not motion.language)):
        raise ValueError(
            "The motion was made by another motion encoder, and its numbers have no names that this renderer knows: "
            "make the motion again with this renderer."
        )
    check_language(motion.language, renderer)
    if motion.encoder == own:
        return motion
    device = renderer.parameters_of_motion.writer.weight.device
    change, rest = (motion.values - motion.reference).to(device), renderer.rest_motion()
    free = renderer.free_part(change)
    if motion.encoder and own and float(free.square().mean().sqrt()) > NEGLIGIBLE:
        raise ValueError(
            f"Part of this motion has no names, and another motion encoder wrote it ({motion.encoder}, this renderer's "
            f"is {own}): make the motion again with this renderer."
        )
    reference = motion.reference.to(device)
    reference = reference - renderer.free_part(reference - rest)
    return replace(motion, values=(reference + change - free).cpu(), reference=reference.cpu(), encoder="")


def retarget(motion: Motion, source_motion: Tensor, mode: str = "relative", gain: float = 1.0) -> Tensor:
    """Retarget a motion to a photo whose own motion is M_0 = source_motion (768,) or (1,768) -> (T,768).

    "relative" and "keep_lips": M_i = M_0 + gain (M_driver_i - reference), relative to the photo's own expression and
    pose (rendering then closes parted lips, or does not);
    "expression" is "relative" from a source_motion whose expression is the reference's (`pipelines.neutral`);
    "absolute": M_i = reference + gain (M_driver_i - reference), the driver's own motion at gain 1. Framing parameters
    are relative to the driving video's first frame and to the photo, so the position in the video does not matter.
    """
    if mode not in MOTION_MODES:
        raise ValueError(f"mode must be one of {', '.join(MOTION_MODES)}, not {mode!r}.")
    base = source_motion.reshape(-1)
    if base.shape[0] != MOTION_SIZE:
        raise ValueError(f"The source's motion has shape ({MOTION_SIZE},), got {tuple(source_motion.shape)}.")
    reference = motion.reference.to(base)
    change = gain * (motion.values.to(base) - reference)
    return (reference if mode == "absolute" else base) + change
