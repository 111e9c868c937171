"""Sizes and constants of ACTalker: as published, and reduced for tests."""

from dataclasses import asdict, dataclass, field

from ..fields import check_fields, check_names

SVD_XT = {
    "in_channels": 8,
    "out_channels": 4,
    "block_out_channels": (320, 640, 1280, 1280),
    "layers_per_block": 2,
    "num_attention_heads": (5, 10, 20, 20),
    "cross_attention_dim": 1024,
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 768,
    "num_frames": 25,
}
SVD_VAE = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "layers_per_block": 2,
    "latent_channels": 4,
    "sample_size": 768,
    "scaling_factor": 0.18215,
    "force_upcast": True,
}
EDM_SCHEDULER = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "v_prediction",
    "interpolation_type": "linear",
    "use_karras_sigmas": True,
    "sigma_min": 0.002,
    "sigma_max": 700.0,
    "timestep_spacing": "leading",
    "timestep_type": "continuous",
    "steps_offset": 1,
}
WHISPER_TINY = {
    "d_model": 384,
    "encoder_layers": 4,
    "encoder_attention_heads": 6,
    "encoder_ffn_dim": 1536,
    "num_mel_bins": 80,
    "max_source_positions": 1500,
}
RANGES = {
    **dict.fromkeys("layers_per_block encoder_layers num_layers blocks transformer_layers_per_block".split(), (1, 64)),
    **dict.fromkeys("num_attention_heads encoder_attention_heads".split(), (1, 256)),
    "num_frames": (1, 1024),
    "num_train_timesteps": (1, 10_000),
    "sample_size": (1, 8192),
    "beta_start": (0.0, 1.0),
    "beta_end": (0.0, 1.0),
    "sigma_min": (0.0, 1e6),
    "sigma_max": (1e-6, 1e6),
    "scaling_factor": (1e-6, 1e6),
    "audio_window": (1, 1500),
    "image_size": (64, 2048),
    "motion_bucket": (0, 1024),
    "expression_bucket": (0, 1024),
    "groups": (1, 1024),
    "width": (1, 4096),
    "max_source_positions": (1, 100_000),
}
"""Of fields of the config, and of the keywords within it."""
UNET, VAE = ("block_out_channels", "cross_attention_dim", "num_frames"), ("latent_channels",)
"""Keywords that the model itself reads."""


@dataclass(frozen=True)
class ACTalkerConfig:
    """Every part's constructor arguments; the defaults are the published model's.

    unet, vae, scheduler and whisper hold the keywords of diffusers' and transformers' configs.
    """

    unet: dict = field(default_factory=lambda: dict(SVD_XT))
    vae: dict = field(default_factory=lambda: dict(SVD_VAE))
    scheduler: dict = field(default_factory=lambda: dict(EDM_SCHEDULER))
    whisper: dict = field(default_factory=lambda: dict(WHISPER_TINY))
    audio_window: int = 10  # Whisper steps of 20 ms around one frame
    audio_tokens: int = 32
    audio_hidden: int = 1024
    identity_features: int = 512
    expression_features: int = 512
    arcface: dict = field(default_factory=dict)
    expression: dict = field(default_factory=dict)
    head_pose: dict = field(default_factory=dict)
    image_size: int = 576  # short side of the generated picture
    motion_bucket: int = 12
    expression_bucket: int = 20

    def __post_init__(self):
        check_fields(self, RANGES)
        for part, names in (("unet", UNET), ("vae", VAE), ("whisper", tuple(WHISPER_TINY))):
            if missing := [name for name in names if name not in getattr(self, part)]:
                raise ValueError(f"ACTalkerConfig: {part} lacks {', '.join(missing)}.")
        context = self.unet["cross_attention_dim"]
        if isinstance(context, bool) or not isinstance(context, int) or not 7 <= context <= 8192:
            raise ValueError(
                f"ACTalkerConfig: cross_attention_dim must be one number above 6 (the head's pose), not {context}."
            )

    @property
    def context(self) -> int:
        """Channels of a condition token."""
        return self.unet["cross_attention_dim"]

    @property
    def window(self) -> int:
        """Frames in one call of the UNet."""
        return self.unet["num_frames"]

    @classmethod
    def reduced(cls) -> "ACTalkerConfig":
        """The same design small enough to run in a test: 128-pixel pictures, windows of 3 frames, random weights."""
        return cls(
            unet={
                "block_out_channels": (32, 64, 64, 64),
                "num_attention_heads": (2, 4, 4, 4),
                "layers_per_block": 1,
                "cross_attention_dim": 64,
                "addition_time_embed_dim": 8,
                "projection_class_embeddings_input_dim": 24,
                "num_frames": 3,
            },
            vae=SVD_VAE | {"block_out_channels": (32, 32, 32, 32), "layers_per_block": 1},
            whisper=WHISPER_TINY
            | {"d_model": 16, "encoder_layers": 2, "encoder_attention_heads": 2, "encoder_ffn_dim": 16},
            audio_tokens=4,
            audio_hidden=16,
            identity_features=16,
            expression_features=16,
            arcface={"width": 4, "blocks": (1, 1, 1, 1)},
            expression={"width": 4, "blocks": (1, 1, 1, 1)},
            head_pose={"width": 8, "groups": 4},
            image_size=128,
        )

    def to_dict(self) -> dict:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> "ACTalkerConfig":
        """Raises ValueError that names unknown fields (a file from a newer version) and impossible values."""
        check_names(cls, values)
        return cls(**{name: _tuples(value) for name, value in values.items()})


def _tuples(value):
    """JSON knows no tuples; sizes are tuples throughout."""
    if isinstance(value, dict):
        return {k: _tuples(v) for k, v in value.items()}
    return tuple(value) if isinstance(value, list) else value
