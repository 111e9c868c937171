"""The parts of Stable Video Diffusion that ACTalker builds on, taken from diffusers (extra `actalker`)."""

try:
    from diffusers import AutoencoderKLTemporalDecoder, EulerDiscreteScheduler, UNetSpatioTemporalConditionModel
    from diffusers.models.transformers.transformer_temporal import TransformerSpatioTemporalModel
except ImportError as fault:
    raise ImportError(
        "ACTalker needs diffusers and transformers, which are not installed: pip install diffusers transformers "
        "(the extra `actalker` of mamba-portrait)."
    ) from fault

__all__ = [
    "AutoencoderKLTemporalDecoder",
    "EulerDiscreteScheduler",
    "TransformerSpatioTemporalModel",
    "UNetSpatioTemporalConditionModel",
]
