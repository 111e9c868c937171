"""One function a stage of ACTalker: identity, sampling, decoding (voice and driving video are in files of their own).

Networks stay on the device they are on; results between stages go to `keep_on`. Pictures are (H,W,3) float in [0,1].
A whole run:

    masks = face_masks(photo.shape[:2], [box])
    identity = encode_identity(model, photo, box, masks.face)
    voice, driving = encode_voice(model, waveform), encode_driving(model, frames, fps, boxes)
    latents = sample(model, identity, voice, driving, control=Control(audio=1.0, motion=0.5), masks=masks)
    for pictures in decode(model, latents): ...          # 12.5 frames a second
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ...media.picture import checked
from ...networks.actalker.model import IDENTITY_PARTS, ACTalker, cast
from ...networks.actalker.svd_parts import EulerDiscreteScheduler
from ...sampling.actalker import DrivingConditions, GuidanceScales, guidance_rows, sample_latents
from ...vocabulary import ACTALKER_FPS
from ..control import Control
from .crops import cut_box, lanczos, prepared_size
from .driving import MotionTokens, encode_driving
from .masks import Box, Masks, control_masks, face_masks
from .voice import VoiceTokens, encode_voice

__all__ = ["Identity", "decode", "encode_driving", "encode_identity", "encode_voice", "face_masks", "sample"]

FACE_VIEW = 112  # pixels of ArcFace's input


@dataclass(frozen=True, eq=False)
class Identity:
    """A portrait ready to be driven: token (1, 1, D), VAE latent (4, h, w), face feature (1, C0, h, w), size (H, W)."""

    token: Tensor
    latent: Tensor
    face_feature: Tensor
    size: tuple[int, int]


@torch.inference_mode()
def encode_identity(
    model: ACTalker,
    photo: Tensor,
    box: Box,
    face_mask: Tensor,
    *,
    image_size: int | None = None,
    keep_on: str | torch.device = "cpu",
) -> Identity:
    """Photo (H,W,3), its face's box in pixels and its face mask (H,W) to an Identity.

    image_size: the result's short side, 576 by default; sides become multiples of 64.
    Raises ValueError for an empty box or a mask of another size, RuntimeError if the identity parts were not loaded.
    """
    model.require((*IDENTITY_PARTS, "vae"), "encode an identity")
    if tuple(face_mask.shape) != tuple(photo.shape[:2]):
        raise ValueError(
            f"The face mask has (height, width) {tuple(face_mask.shape)}, the photo {tuple(photo.shape[:2])}: give the "
            "mask of this photo, or resize it."
        )
    size = prepared_size(*photo.shape[:2], image_size or model.config.image_size)
    picture = lanczos(checked(photo, "the photo")[..., :3], size).movedim(-1, 0)
    embedding = embed_face(model, photo, box)
    token = model.identity_projector(embedding.to(model.identity_projector.proj1.weight))
    encoder = model.face_mask_encoder
    mask = lanczos(face_mask, size).expand(1, 3, -1, -1).to(encoder.conv_in.weight)
    latent = encode_image(model.vae, picture)
    return Identity(token[None].to(keep_on), latent.to(keep_on), encoder(mask).to(keep_on), size)


def embed_face(model: ACTalker, photo: Tensor, box: Box) -> Tensor:
    """ArcFace's embedding (1, 512) of the face in a box of a photo (H,W,3)."""
    face = cut_box(photo[..., :3].movedim(-1, 0).float(), box, FACE_VIEW)
    return model.arcface((face * 2 - 1)[None].to(model.arcface.conv1.weight))


def encode_image(vae: torch.nn.Module, picture: Tensor) -> Tensor:
    """(3, H, W) in [0,1] to the unscaled mean latent (4, h, w); in float32 where the VAE's config asks for it."""
    dtype, device = vae.quant_conv.weight.dtype, vae.quant_conv.weight.device
    wide = torch.float32 if vae.config.force_upcast else dtype
    try:
        cast(vae, wide)
        return vae.encode((picture * 2 - 1)[None].to(device, wide)).latent_dist.mode()[0]
    finally:
        cast(vae, dtype)


@torch.inference_mode()
def sample(
    model: ACTalker,
    identity: Identity,
    voice: VoiceTokens | None = None,
    driving: MotionTokens | None = None,
    *,
    masks: Masks,
    control: Control | None = None,
    mask_mode: str = "release",
    scales: GuidanceScales | None = None,
    steps: int = 25,
    overlap: int = 0,
    shift_step: int = 7,
    seed: int = 0,
    rows_at_once: int = 4,
    progress: Callable[[int, int], None] | None = None,
    preview: Callable[[Tensor], None] | None = None,
) -> Tensor:
    """Latents (N, 4, h, w) at 12.5 frames a second, unscaled, of a portrait driven by voice, video or both.

    N is the length of the shorter source. control: gates and masks; its masks override those of `masks` and
    `mask_mode`. A window of unconditional frames is sampled after the end and cut off, so that the last frames have
    frames after them. progress(done, total) is called after every window of every step and may raise; preview gets
    latents like the result. Raises ValueError without a source: neither voice nor video, or all gates closed.
    """
    control = control or Control()
    gates = (control.audio if voice else 0.0, control.motion if driving else 0.0)
    if not any(gates):
        raise ValueError("Nothing drives the portrait: connect a voice or a driving video and open its gate.")
    frames = min(source.frames for source, gate in zip((voice, driving), gates, strict=True) if gate)
    conditions = _conditions(model, identity, voice, driving, gates, frames, masks, control, mask_mode)
    factor = model.vae.config.scaling_factor
    rows = guidance_rows(*gates, scales or GuidanceScales())
    latents = sample_latents(
        model.unet,
        EulerDiscreteScheduler(**model.config.scheduler),
        conditions,
        identity.latent.to(conditions.image_latent.device) * factor,
        rows,
        steps=steps,
        window=model.config.window,
        overlap=overlap,
        shift_step=shift_step,
        seed=seed,
        rows_at_once=rows_at_once,
        progress=progress,
        preview=None if preview is None else lambda x: preview(x[:frames] / factor),
    )
    return latents[:frames] / factor


def _conditions(model, identity, voice, driving, gates, frames, masks, control, mask_mode) -> DrivingConditions:
    """The UNet's conditions of the driven frames and of the unconditional window after them."""
    weight, config = model.unet.conv_in.weight, model.config
    absent = (config.audio_tokens, config.context), (1, config.context)
    tokens = []
    for source, gate, shape in zip((voice, driving), gates, absent, strict=True):
        if gate:
            tail = source.none.expand(config.window, -1, -1)
            tokens += [torch.cat([source.tokens[:frames], tail]) * gate, source.none * gate]
        else:
            tokens += [torch.zeros(frames + config.window, *shape), torch.zeros(1, *shape)]
    chosen = control_masks(masks, *gates, mask_mode)
    given = (control.audio_mask, control.motion_mask)
    picked = [own if own is not None else default for own, default in zip(given, chosen, strict=True)]
    # a closed gate also empties its mask: with zero tokens the scan would still mix the image tokens
    open_masks = [mask if gate else torch.zeros_like(mask) for mask, gate in zip(picked, gates, strict=True)]
    audio_mask, motion_mask = (lanczos(mask, identity.size)[None, None] for mask in open_masks)
    audio, no_audio, motion, no_motion = (x.to(weight) for x in tokens)
    time_ids = [float(ACTALKER_FPS), config.motion_bucket, config.expression_bucket]
    return DrivingConditions(
        identity=identity.token.to(weight),
        audio=audio,
        no_audio=no_audio,
        motion=motion,
        no_motion=no_motion,
        image_latent=identity.latent.to(weight),
        face_feature=identity.face_feature.to(weight),
        audio_mask=audio_mask,
        motion_mask=motion_mask,
        time_ids=torch.tensor(time_ids, device=weight.device),
    )


@torch.inference_mode()
def decode(
    model: ACTalker,
    latents: Tensor,
    *,
    chunk: int = 10,
    progress: Callable[[int, int], None] | None = None,
    keep_on: str | torch.device = "cpu",
) -> Iterator[Tensor]:
    """Latents (N, 4, h, w) to pictures, `chunk` frames at a time: yields (n, H, W, 3) float in [0,1].

    Raises ValueError for latents of another shape or a chunk below 1.
    """
    if chunk < 1:
        raise ValueError(f"decode: chunk must be at least 1 frame, not {chunk}.")
    channels = model.config.vae["latent_channels"]
    if latents.dim() != 4 or latents.shape[1] != channels or latents.numel() == 0:
        raise ValueError(f"The latents are {tuple(latents.shape)}; ACTalker's are (frames, {channels}, height, width).")
    weight, done = model.vae.quant_conv.weight, 0
    for part in latents.split(chunk):
        pictures = model.vae.decode(part.to(weight), num_frames=len(part)).sample
        done += len(part)
        if progress is not None:
            progress(done, len(latents))
        yield (pictures.float() * 0.5 + 0.5).clamp(0, 1).movedim(1, -1).to(keep_on)
