"""A voice to motion: what the motion model hears of it, and the motion that it samples."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import torch
import torch.nn.functional as F
from torch import Tensor

from ..media.audio import frame_count, to_mono_16k
from ..media.motion import Motion
from ..media.sound_file import SoundFile
from ..networks.motion_model.model import GlobalAudio, MotionModel
from ..sampling.windows import sample_motion
from ..vocabulary import FPS, SAMPLES_A_FRAME
from .devices import Progress, autocast, device_of
from .settings import SamplingSettings

LISTENING_PAD = 20  # frames of silence before and after a voice while its features are computed
WARM_UP_FRAMES = 8  # frames of silence that are sampled first and cut off again


@dataclass(frozen=True)
class Voice:
    """Speech in the form of the motion model's input."""

    waveform: Tensor  # (1,N) mono, 16 kHz, N = 640 * frames
    frames: int  # frames of video at 25 fps


def prepare_voice(waveform: Tensor, rate: int) -> Voice:
    """Sound of any rate and channel count (C,N) -> 16 kHz mono, padded to whole frames (never cut)."""
    if waveform.numel() == 0:
        raise ValueError("The audio is empty; give a recording with speech in it.")
    frames = _frames_of(waveform.shape[-1], rate)
    return _whole_frames(to_mono_16k(waveform.cpu(), rate).reshape(1, -1), frames)


def prepare_voice_file(sound: SoundFile) -> Voice:
    """`prepare_voice` of a file, which is read as a stream: memory holds the 16 kHz mono alone."""
    mono, samples = sound.mono_16k()
    return _whole_frames(mono[None], _frames_of(samples, sound.rate))


def _frames_of(samples: int, rate: int) -> int:
    frames = frame_count(samples, rate, FPS)
    if frames < 1:
        raise ValueError(f"The audio lasts {samples / rate:.3f} s, less than half a video frame; give a longer clip.")
    return frames


def _whole_frames(mono: Tensor, frames: int) -> Voice:
    samples = frames * SAMPLES_A_FRAME  # a last frame at least half covered by sound is kept, padded with silence
    missing = samples - mono.shape[1]
    return Voice(F.pad(mono, (0, missing)) if missing > 0 else mono[:, :samples], frames)


@torch.inference_mode()
def extract_global_audio(
    model: MotionModel, voice: Voice, *, bf16: bool = False, keep_on: str | torch.device = "cpu"
) -> GlobalAudio:
    """Mamba-g over the whole recording: the speaking style, and the prosody of every frame."""
    device = device_of(model)
    with autocast(device, bf16):
        features = model.extract_global(_padded(voice).to(device)).window(LISTENING_PAD, LISTENING_PAD + voice.frames)
    return GlobalAudio(features.style.float().to(keep_on), features.frames.float().to(keep_on))


@torch.inference_mode()
def extract_local_audio(
    model: MotionModel, voice: Voice, *, bf16: bool = False, keep_on: str | torch.device = "cpu"
) -> Tensor:
    """Mamba-l over the slices around each frame: F_al (1,T,d), which determines the lips."""
    device = device_of(model)
    with autocast(device, bf16):
        features = model.extract_local(_padded(voice).to(device))
    return features[:, LISTENING_PAD : LISTENING_PAD + voice.frames].float().to(keep_on)


def _padded(voice: Voice) -> Tensor:
    """(1,N): the waveform with silence before and after, as around training clips. Without it the mouth opened before
    the first word of recordings that begin with speech."""
    return F.pad(voice.waveform, (LISTENING_PAD * SAMPLES_A_FRAME, LISTENING_PAD * SAMPLES_A_FRAME))


@torch.inference_mode()
def generate_motion(
    model: MotionModel,
    global_audio: GlobalAudio,
    local_audio: Tensor,
    appearance: Tensor | None,
    settings: SamplingSettings | None = None,
    *,
    style: GlobalAudio | None = None,
    history: Tensor | None = None,
    noise_offset: int = 0,
    bf16: bool = False,
    progress: Progress | None = None,
) -> Motion:
    """Voice features -> Motion at 25 fps, relative to the resting face.

    `style` replaces the speaking style (Mamba-g's style vector) by that of another recording. `history` and
    `noise_offset` continue earlier motion, as in `sample_motion`. Without history, sampling starts from a face at rest
    and WARM_UP_FRAMES of silence, which are cut off again. The paper starts from zeros, which are not a face at rest in
    our motion space: the mouth opened before the first word.
    """
    frames = local_audio.shape[1]
    if global_audio.frames.shape[1] != frames:
        raise ValueError(
            f"Global audio has {global_audio.frames.shape[1]} frames and local audio {frames}: "
            "both must come from the same recording."
        )
    device, warm_up = device_of(model), 0
    global_audio = GlobalAudio((style or global_audio).style.to(device), global_audio.frames.to(device))
    local_audio, appearance = local_audio.to(device), None if appearance is None else appearance.to(device)
    with autocast(device, bf16):
        if history is None:
            warm_up, history = WARM_UP_FRAMES, model.rest_motion.expand(model.config.history, -1)
            global_audio, local_audio = _after_silence(model, global_audio, local_audio)
        values = sample_motion(
            model,
            global_audio,
            local_audio,
            appearance,
            settings,
            frames=warm_up + frames,
            history=history,
            noise_offset=noise_offset - warm_up,
            progress=progress,
        )[warm_up:]
    return Motion(
        values.float().cpu(),
        model.rest_motion.float().cpu(),
        Fraction(FPS),
        model.motion_language,
        model.motion_encoder_id,
    )


def _after_silence(model: MotionModel, global_audio: GlobalAudio, local_audio: Tensor) -> tuple[GlobalAudio, Tensor]:
    """Features preceded by those of WARM_UP_FRAMES of silence."""
    silence = local_audio.new_zeros(1, WARM_UP_FRAMES * SAMPLES_A_FRAME)
    before = model.extract_global(silence).frames.to(global_audio.frames)
    local = torch.cat([model.extract_local(silence).to(local_audio), local_audio], 1)
    return GlobalAudio(global_audio.style, torch.cat([before, global_audio.frames], 1)), local
