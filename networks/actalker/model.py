"""All networks of ACTalker in one module, so that one state dict and one config describe the whole."""

import torch
from torch import nn

from .arcface import ArcFace
from .config import ACTalkerConfig
from .expression import ExpressionEncoder
from .face_mask_encoder import FaceMaskEncoder
from .head_pose import HeadPoseEncoder
from .projectors import AudioProjector, IdentityProjector, MotionProjector
from .svd_parts import AutoencoderKLTemporalDecoder
from .unet import ACTalkerUNet

# What each condition needs beyond the UNet, the VAE and the identity; a model may come without.
VOICE_PARTS = ("whisper", "audio_projector")
MOTION_PARTS = ("expression", "head_pose", "motion_projector")
IDENTITY_PARTS = ("arcface", "identity_projector", "face_mask_encoder")
PARTS = ("unet", "vae", *IDENTITY_PARTS, *VOICE_PARTS, *MOTION_PARTS)

# The published run keeps these in float32 whatever the UNet's type is.
FLOAT32_PARTS = ("audio_projector", "motion_projector", "whisper", "arcface", "expression", "head_pose")
FLOAT32_PARAMETERS = ("A_logs", "Ds", "dt_projs_bias")


class ACTalker(nn.Module):
    """Holds the parts of `PARTS` named in `parts`; the rest are None. Built in eval mode."""

    def __init__(self, config: ACTalkerConfig, parts: tuple[str, ...] = PARTS):
        super().__init__()
        unknown = set(parts) - set(PARTS)
        if unknown:
            raise ValueError(f"ACTalker has no parts {sorted(unknown)}; its parts are {', '.join(PARTS)}.")
        self.config = config
        for name in PARTS:
            self.add_module(name, build_part(name, config) if name in parts else None)
        self.eval()

    def set_precision(self, dtype: torch.dtype) -> "ACTalker":
        """Cast the UNet, VAE, face-mask encoder and identity projector; the rest and the scans' rates stay float32.

        The published run rounded the rates to half precision on the way; here they keep what the file says.
        """
        for name, part in self.named_children():
            rates = {k: p.data.float() for k, p in part.named_parameters() if k.endswith(FLOAT32_PARAMETERS)}
            cast(part, torch.float32 if name in FLOAT32_PARTS else dtype)
            for key, rate in rates.items():
                part.get_parameter(key).data = rate
        return self

    def require(self, names: tuple[str, ...], purpose: str) -> None:
        """Raise RuntimeError if a part that `purpose` needs was not loaded."""
        absent = [name for name in names if getattr(self, name) is None]
        if absent:
            raise RuntimeError(f"ACTalker cannot {purpose}: the loader was not given the file of {', '.join(absent)}.")


def cast(part: nn.Module, dtype: torch.dtype) -> None:
    """Cast a part in place; diffusers' own `to` would warn about float32 modules that these networks do not have."""
    nn.Module.to(part, dtype=dtype)


def build_part(name: str, config: ACTalkerConfig) -> nn.Module:
    """One freshly initialised part by name; call under torch.device("meta") when weights follow."""
    context = config.context
    builders = {
        "unet": lambda: ACTalkerUNet(**config.unet),
        "vae": lambda: AutoencoderKLTemporalDecoder(**config.vae),
        "arcface": lambda: ArcFace(config.identity_features, **config.arcface),
        "identity_projector": lambda: IdentityProjector(config.identity_features, context),
        "face_mask_encoder": lambda: FaceMaskEncoder(config.unet["block_out_channels"][0]),
        "whisper": lambda: _whisper(config.whisper),
        "audio_projector": lambda: AudioProjector(
            config.audio_window,
            config.whisper["encoder_layers"] + 1,
            config.whisper["d_model"],
            config.audio_hidden,
            config.audio_tokens,
            context,
        ),
        "expression": lambda: ExpressionEncoder(config.expression_features, **config.expression),
        "head_pose": lambda: HeadPoseEncoder(**config.head_pose),
        "motion_projector": lambda: MotionProjector(config.expression_features, context - 6),
    }
    return builders[name]()


def _whisper(keywords: dict) -> nn.Module:
    """Whisper's encoder alone; the decoder is not used."""
    try:
        from transformers import WhisperConfig
        from transformers.models.whisper.modeling_whisper import WhisperEncoder
    except ImportError as fault:
        raise ImportError(
            "ACTalker encodes voices with Whisper, which needs transformers: pip install transformers "
            "(the extra `actalker` of mamba-portrait)."
        ) from fault
    return WhisperEncoder(WhisperConfig(**keywords))
