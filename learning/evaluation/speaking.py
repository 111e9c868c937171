"""Motion for a sound, by all stages of the voice, as `animate` goes through them."""

from __future__ import annotations

from torch import Tensor

from ...media.motion import Motion
from ...networks.motion_model.model import MotionModel
from ...pipelines.settings import SamplingSettings
from ...pipelines.speaking import Voice, extract_global_audio, extract_local_audio, generate_motion
from ...vocabulary import SAMPLES_A_FRAME


def motion_of_sound(
    model: MotionModel, sound: Tensor, appearance: Tensor | None, seed: int = 0, *, bf16: bool = False
) -> Motion:
    """Sound (640 * T,) at 16 kHz -> the motion that it commands; appearance: F_A of the portrait, or None."""
    voice = Voice(sound[None], len(sound) // SAMPLES_A_FRAME)
    heard = extract_global_audio(model, voice, bf16=bf16), extract_local_audio(model, voice, bf16=bf16)
    return generate_motion(model, *heard, appearance, SamplingSettings(seed=seed), bf16=bf16)
