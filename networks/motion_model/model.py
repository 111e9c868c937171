"""Stage 2: voice, appearance and the preceding motion -> motion, by denoising (paper, section on stage 2)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...vocabulary import REGIONS, SAMPLES_A_FRAME
from .config import MotionModelConfig
from .denoiser import Denoiser
from .mamba_global import GlobalAudio, MambaGlobal
from .mamba_local import MambaLocal

LIPS = len(REGIONS["mouth"])


def smoothed(curves: Tensor, deviation: float) -> Tensor:
    """Curves (B,T,n) smoothed over time by a Gaussian of so many frames, the first and last frame repeated outside."""
    half = math.ceil(3 * deviation)
    kernel = torch.exp(-0.5 * (torch.arange(-half, half + 1, device=curves.device) / deviation) ** 2)
    padded = F.pad(curves.float().transpose(1, 2), (half, half), mode="replicate")
    weights = (kernel / kernel.sum()).expand(curves.shape[2], 1, -1)
    return F.conv1d(padded, weights, groups=curves.shape[2]).transpose(1, 2).to(curves.dtype)


class MotionModel(nn.Module):
    """The networks of stage 2 and the statistics of the motion they learned.

    `denoise` works on normalised motion, (M - motion_mean) / motion_std. A condition that is absent, dropped for
    guidance or switched off for an ablation is replaced by a learned null vector. `motion_language`: id of the motion
    space, that of the renderer whose motion it was trained on, "" if not known.
    """

    def __init__(self, config: MotionModelConfig, motion_language: str = ""):
        super().__init__()
        self.config = config
        self.motion_language = motion_language
        self.motion_encoder_id = ""  # of the encoder that wrote the motion it learnt, where that had no names
        width = config.width
        self.mamba_global = MambaGlobal(config) if config.mamba_global else None
        self.mamba_local = MambaLocal(config) if config.mamba_local else None
        self.from_style = nn.Linear(config.global_width, width)
        self.from_global = nn.Linear(config.global_width, width)
        self.from_local = nn.Linear(config.local_width, width)
        self.from_appearance = nn.Sequential(
            nn.LayerNorm(config.appearance_dim), nn.Linear(config.appearance_dim, width)
        )
        self.null_audio = nn.Parameter(torch.zeros(width))
        self.null_appearance = nn.Parameter(torch.zeros(width))
        self.ear = nn.Linear(width, config.mouth)  # the audio regression: condition -> mouth parameters
        nn.init.zeros_(self.ear.weight)
        nn.init.zeros_(self.ear.bias)
        self.denoiser = Denoiser(config)
        self.register_buffer("motion_mean", torch.zeros(config.motion_dim))
        self.register_buffer("motion_std", torch.ones(config.motion_dim))
        self.register_buffer("rest_motion", torch.zeros(config.motion_dim))
        # linear maps from mouth parameters to normalised motion and back (set at the start of training)
        self.register_buffer("mouth_writer", torch.zeros(config.mouth, config.motion_dim))
        self.register_buffer("mouth_reader", torch.zeros(config.motion_dim, config.mouth))

    def extract_global(self, waveform: Tensor) -> GlobalAudio:
        """F_ag of mono 16 kHz waveforms (B, N), T = N // 640. Raises ValueError for less than one frame."""
        if self.mamba_global is None:
            shape = waveform.shape[0], waveform.shape[1] // SAMPLES_A_FRAME, self.config.global_width
            return GlobalAudio(waveform.new_zeros(shape[0], shape[2]), waveform.new_zeros(shape))
        return self.mamba_global(waveform)

    def extract_local(self, waveform: Tensor) -> Tensor:
        """F_al (B, N // 640, local_width) of mono 16 kHz waveforms (B, N). ValueError for less than one frame."""
        if self.mamba_local is None:
            frames = waveform.shape[1] // SAMPLES_A_FRAME
            return waveform.new_zeros(waveform.shape[0], frames, self.config.local_width)
        return self.mamba_local(waveform)

    def normalise(self, motion: Tensor) -> Tensor:
        """M (..., 768) -> zero mean, unit deviation."""
        return (motion - self.motion_mean) / self.motion_std

    def scale_mouth_noise(self, noise: Tensor, share: float) -> Tensor:
        """Noise (..., 768), its component in the mouth parameters scaled by `share`."""
        return noise + (share - 1) * (noise @ self.mouth_reader) @ self.mouth_writer

    def predict_mouth(self, global_audio: GlobalAudio, local_audio: Tensor) -> Tensor:
        """Audio regression: the mouth parameters (B, W, mouth), relative to their mean, predicted from audio alone."""
        told = self.ear(self.condition(global_audio, local_audio))
        if not self.config.smoothing:
            return told
        lips, others = told.split([LIPS, told.shape[-1] - LIPS], 2)
        return torch.cat([lips, smoothed(others, self.config.smoothing)], 2)

    def lead_mouth(self, motion: Tensor, mouth: Tensor, share: float) -> Tensor:
        """Normalised motion (B, W, 768), its mouth parameters interpolated by `share` towards `mouth` (B, W, mouth)."""
        return motion + share * (mouth - motion @ self.mouth_reader) @ self.mouth_writer

    def condition(
        self,
        global_audio: GlobalAudio,
        local_audio: Tensor,
        appearance: Tensor | None = None,
        drop_audio: Tensor | None = None,
        drop_appearance: Tensor | None = None,
    ) -> Tensor:
        """The sum of all conditions, (B, W, width): the paper's "fuzzy inference", without class labels.

        drop_audio and drop_appearance (B,) bool mark the samples whose condition is replaced by its null vector.
        """
        audio = self.from_local(local_audio) + self.from_global(global_audio.frames)
        audio = audio + self.from_style(global_audio.style)[:, None]
        if drop_audio is not None:
            audio = torch.where(drop_audio[:, None, None], self.null_audio.to(audio.dtype), audio)
        if appearance is None or not self.config.appearance:
            return audio + self.null_appearance
        embedded = self.from_appearance(appearance)
        if drop_appearance is not None:
            embedded = torch.where(drop_appearance[:, None], self.null_appearance.to(embedded.dtype), embedded)
        return audio + embedded[:, None]

    def denoise(
        self,
        noisy: Tensor,
        t: Tensor,
        global_audio: GlobalAudio,
        local_audio: Tensor,
        appearance: Tensor | None = None,
        history: Tensor | None = None,
        drop_audio: Tensor | None = None,
        drop_appearance: Tensor | None = None,
    ) -> Tensor:
        """One prediction (eps, v or x0, as the config says) for normalised motion.

        noisy (B, W, 768); t (B,) integer steps; global_audio with W frames; local_audio (B, W, local_width);
        appearance (B, appearance_dim) or None; history (B, 4, 768) normalised, None = zeros as at a clip's start;
        drop masks (B,) bool.
        Raises ValueError when the audio does not have W frames.
        """
        if global_audio.frames.shape[1] != noisy.shape[1] or local_audio.shape[1] != noisy.shape[1]:
            raise ValueError(
                f"denoise: {noisy.shape[1]} motion frames, but {global_audio.frames.shape[1]} frames of global and "
                f"{local_audio.shape[1]} of local audio; cut them to the same window"
            )
        if history is None:
            history = noisy.new_zeros(noisy.shape[0], self.config.history, noisy.shape[2])
        condition = self.condition(global_audio, local_audio, appearance, drop_audio, drop_appearance)
        return self.denoiser(noisy, t, condition, history)
