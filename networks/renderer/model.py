"""Stage 1 whole: a portrait is encoded once, then any motion turns it into frames."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ...vocabulary import COUNT
from .appearance import AppearanceExtractor
from .config import RendererConfig
from .decoder import ImageDecoder, Synthesis
from .depth import DepthExpansion
from .deviation import Deviation, DeviationTransformer, SourceMotion
from .image_encoder import ImageEncoder
from .layers import bilinear, resize, side_by_side
from .lmdd import LatentMotionDecoder, MotionField, SourceAnatomy
from .motion_encoder import MotionEncoder, MotionParameters
from .warp import warp


def _map(value: Any, function) -> Any:
    """Apply `function` to every tensor of a nest of tuples, lists and dataclasses."""
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_map(v, function) for v in value))
    if isinstance(value, (list, tuple)):
        return type(value)(_map(v, function) for v in value)
    if is_dataclass(value):
        return replace(value, **{f.name: _map(getattr(value, f.name), function) for f in fields(value)})
    return value


MONOCHROME = 0.015  # rms distance of the pixels' colours from one line, up to which a photo counts as of one tone


def monochrome(photo: Tensor) -> Tensor | None:
    """(B,3,H,W) -> the line (B,2,3,1,1) on which the colours of a black-and-white or toned photo lie; None if any of
    the photos has colours. What is painted is brought onto that line: teeth came out teal in old photographs."""
    light = photo.mean(1, keepdim=True)
    centre, middle = photo.mean((2, 3), keepdim=True), light.mean((2, 3), keepdim=True)
    spread = (light - middle).square().mean((2, 3), keepdim=True).clamp_min(1e-6)
    slope = ((light - middle) * (photo - centre)).mean((2, 3), keepdim=True) / spread
    line = torch.stack([centre - slope * middle, slope], 1)
    error = (photo - line[:, 0] - line[:, 1] * light).square().mean((1, 2, 3)).sqrt()
    return line if bool(((error < MONOCHROME) & (spread.flatten() > 1e-4)).all()) else None


@dataclass(frozen=True)
class Source:
    """A portrait as the networks know it: everything that does not depend on the frame."""

    image: Tensor  # (B,3,H,W) the photo as given, [0,1]
    small: Tensor  # (B,3,S,S) at the network's size
    identity: Tensor  # F_id (B,C,S_d,h,w)
    context: Tensor  # coarsest features (B,C,8,8), for the appearance extractor
    skips: list[Tensor]
    anatomy: SourceAnatomy
    pose: SourceMotion
    tone: Tensor | None = None  # (B,2,3,1,1) of a monochrome photo: each channel is [0] + [1] times the lightness

    @property
    def motion(self) -> Tensor:
        """M_0 (B,768)."""
        return self.pose.motion

    def toned(self) -> Source:
        """The portrait, whose painted parts take the photo's tone where it is black and white or of one tone."""
        return replace(self, tone=monochrome(self.small))

    def repeat(self, count: int) -> Source:
        """Each portrait `count` times in a row; a single portrait is expanded without copying."""
        if count == 1:
            return self
        single = self.motion.shape[0] == 1
        return _map(self, lambda t: t.expand(count, *t.shape[1:]) if single else t.repeat_interleave(count, 0))

    def to(self, *args, **kwargs) -> Source:
        """As Tensor.to, for every part."""
        return _map(self, lambda t: t.to(*args, **kwargs))


class Rendered(NamedTuple):
    """A frame and how it came about."""

    image: Tensor  # (B,3,H,W) in [0,1]
    keep: Tensor  # (B,1,S,S): how much of the warped photo was kept
    warped: Tensor  # (B,3,H,W) the photo moved
    synthesis: Synthesis
    motion: MotionField
    deviation: Deviation


class Renderer(nn.Module):
    """Image encoder, depth, appearance, motion encoder, DIT, LMDD, warp and decoder, with the read-out of motion
    parameters."""

    def __init__(self, config: RendererConfig | None = None):
        super().__init__()
        self.config = config or RendererConfig.lite()
        self.image_encoder = ImageEncoder(self.config)
        self.depth = DepthExpansion(self.config.encoder_widths[1], self.config)
        self.appearance = AppearanceExtractor(self.config.encoder_widths[-1], self.config)
        self.motion_encoder = MotionEncoder(self.config)
        self.parameters_of_motion = MotionParameters(self.config)
        self.deviation = DeviationTransformer(self.config)
        self.lmdd = LatentMotionDecoder(self.config)
        self.decoder = ImageDecoder(self.config)

    def encode_source(self, image: Tensor, motion: Tensor | None = None, size: int | None = None) -> Source:
        """(B,3,H,W) in [0,1], any size -> Source. `motion` replaces the encoded M_0 (training); `size` the network's
        side. M_0 is `centred`: where the head is in the photo counts as zero."""
        small = resize(image, size or self.config.image_size)
        pyramid, skips = self.image_encoder(small)
        identity = self.depth(pyramid[1])
        motion = self.centred(self.encode_motion(image) if motion is None else motion)
        anatomy = self.lmdd.prepare(pyramid, identity)
        identity = side_by_side(identity.flatten(1, 2)).view_as(identity)
        skips = [side_by_side(skip) for skip in skips]
        pose = self.deviation.prepare(motion)
        return Source(image.contiguous(), small, identity, pyramid[-1], skips, anatomy, pose)

    def extract_appearance(self, source: Source) -> Tensor:
        """F_A (B,appearance_dim)."""
        return self.appearance(source.context)

    def encode_motion(self, frames: Tensor) -> Tensor:
        """(B,3,H,W) in [0,1] -> M (B,768)."""
        return self.motion_encoder(frames)

    def centred(self, motion: Tensor, reference: Tensor | None = None) -> Tensor:
        """Motion (...,768) whose framing parameters are counted from those of `reference` (768,); without one, they are
        zero in every frame."""
        return motion - self.parameters_of_motion.framing_part(motion if reference is None else reference)

    def within_limits(self, motion: Tensor, source: Source) -> Tensor:
        """Motion (B,768) held where faces end: a photo that gapes, told to open its mouth, gapes. The limits are those
        of vocabulary.py, or what the portrait itself already shows beyond them."""
        return motion - self.parameters_of_motion.excess(motion, source.motion)

    def decode(
        self,
        source: Source,
        appearance: Tensor,
        motion: Tensor,
        size: tuple[int, int] | None = None,
        articulation: float = 1.0,
    ) -> Rendered:
        """Motion M_i (B,768) -> frames at `size` (height, width), by default the photo's own.

        A source of one portrait serves any batch. The field and the mask have no resolution: the photo is moved at the
        output's size and the network's picture is used only where the mask asks for it. `within_limits` holds
        motion where faces end; training and its figures do without."""
        count = motion.shape[0]
        if source.motion.shape[0] != count:
            if source.motion.shape[0] != 1:
                raise ValueError(
                    f"{source.motion.shape[0]} sources for {count} motions: give one source, or one for each motion"
                )
            source = source.repeat(count)
            appearance = appearance.expand(count, -1)
        deviation = self.deviation(motion, source.pose)
        field = self.lmdd(deviation, source.anatomy)
        synthesis = self.decoder(
            source.small, source.skips, source.identity, appearance, field, deviation, articulation
        )
        size = size or tuple(source.image.shape[-2:])
        warped = warp(resize(source.image, size), field.field)
        keep = bilinear(synthesis.keep, size)
        painted = bilinear(synthesis.image, size)
        if source.tone is not None:
            painted = source.tone[:, 0] + source.tone[:, 1] * painted.mean(1, keepdim=True)
        image = torch.lerp(painted, warped.float(), keep)
        return Rendered(image.clamp_(0, 1), synthesis.keep, warped, synthesis, field, deviation)

    def read_parameters(self, motion: Tensor) -> Tensor:
        """(...,768) -> (...,24) motion parameters (vocabulary.py names them)."""
        return self.parameters_of_motion.read(motion)

    def motion_from_parameters(self, parameters: Tensor) -> Tensor:
        """(...,24) -> (...,768)."""
        return self.parameters_of_motion.write(parameters)

    @property
    def motion_language(self) -> str:
        """The id of what motion numbers mean to this renderer; motion of another language would be nonsense to it."""
        return self.parameters_of_motion.language()

    def rest_motion(self) -> Tensor:
        """(768,): the motion of a head at rest."""
        weight = self.parameters_of_motion.reader.weight
        return self.motion_from_parameters(weight.new_zeros(COUNT))
