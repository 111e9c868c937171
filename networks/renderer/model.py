"""The whole of stage 1: a portrait is encoded once, then motion is decoded to frames."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .appearance import AppearanceExtractor
from .arms import ArmLayer, ArmSource
from .config import RendererConfig
from .decoder import ImageDecoder, Synthesis
from .depth import DepthExpansion
from .deviation import Deviation, DeviationTransformer, SourceMotion
from .image_encoder import ImageEncoder
from .layers import bilinear, resize, to_channels_last
from .lmdd import LatentMotionDecoder, MotionField, SourceMaps
from .motion_encoder import MotionEncoder, MotionParameters
from .plate import Matte, Outline, painted_plate, vacated
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


NO_NAMES = (
    "This renderer's motion has no named parameters yet, which limits, lips, regions, joint control and voices need: "
    "fit a read-out on drawn people with `python -m mamba_portrait fit`."
)
MONOCHROME = 0.015  # largest rms distance of the pixels' colours from one line at which a photo is monochrome


def monochrome(photo: Tensor) -> Tensor | None:
    """(B,3,H,W) -> the line (B,2,3,1,1) in RGB space on which the colours of a black-and-white or toned photo lie; None
    if any of the photos has colours. Generated pixels are projected onto that line: without it, teeth came out teal in
    old photographs."""
    light = photo.mean(1, keepdim=True)
    centre, middle = photo.mean((2, 3), keepdim=True), light.mean((2, 3), keepdim=True)
    spread = (light - middle).square().mean((2, 3), keepdim=True).clamp_min(1e-6)
    slope = ((light - middle) * (photo - centre)).mean((2, 3), keepdim=True) / spread
    line = torch.stack([centre - slope * middle, slope], 1)
    error = (photo - line[:, 0] - line[:, 1] * light).square().mean((1, 2, 3)).sqrt()
    return line if bool(((error < MONOCHROME) & (spread.flatten() > 1e-4)).all()) else None


def _blended(picture: Tensor, other: Tensor, weight: Tensor, own: bool = True) -> Tensor:
    """The picture where weight is 0, the other where it is 1. At inference in the picture's memory, if that is its
    `own`: new memory for every frame costs as much as the blending."""
    if torch.is_grad_enabled() or not own:
        return torch.lerp(picture, other, weight)
    return picture.lerp_(other, weight)


@dataclass(frozen=True)
class Source:
    """An encoded portrait: everything that does not depend on the frame."""

    image: Tensor  # (B,3,H,W) the photo as given, [0,1]; (B,4,H,W) with alpha; of a half body without its arms
    small: Tensor  # (B,3,S,S) at the network's size
    identity: Tensor  # F_id (B,C,S_d,h,w)
    context: Tensor  # coarsest features (B,C,8,8), for the appearance extractor
    skips: list[Tensor]
    source_maps: SourceMaps
    pose: SourceMotion
    matte: Tensor | None = None  # (B,1,128,128) in [0,1]: the person, where the renderer has a matte
    plate: Tensor | None = None  # as the image: the photo with the person painted over
    arms: ArmSource | None = None  # of a half body
    tone: Tensor | None = None  # (B,2,3,1,1) of a monochrome photo: each channel is [0] + [1] times the lightness

    @property
    def motion(self) -> Tensor:
        """M_0 (B,768)."""
        return self.pose.motion

    def toned(self) -> Source:
        """The same with `tone` set, so that generated pixels take the tone of a monochrome photo."""
        return replace(self, tone=monochrome(self.small))

    def repeat(self, count: int) -> Source:
        """Each portrait `count` times in a row; a single portrait is expanded without copying."""
        if count == 1:
            return self
        single = self.motion.shape[0] == 1
        return _map(self, lambda t: t.expand(count, *t.shape[1:]) if single else t.repeat_interleave(count, 0))

    def at_size(self, size: tuple[int, int]) -> Source:
        """The same with the photo resized to (height, width), so that decoding frames of that size need not do it."""
        plate = None if self.plate is None else resize(self.plate, size)
        arms = None if self.arms is None else self.arms._replace(photo=resize(self.arms.photo, size))
        return replace(self, image=resize(self.image, size), plate=plate, arms=arms)

    def to(self, *args, **kwargs) -> Source:
        """As Tensor.to, for every part."""
        return _map(self, lambda t: t.to(*args, **kwargs))


class Rendered(NamedTuple):
    """A frame and its intermediate results."""

    image: Tensor  # (B,3,H,W) in [0,1]; (B,4,H,W) of a source with alpha
    keep: Tensor  # (B,1,S,S): how much of the warped photo was kept
    warped: Tensor  # (B,3,H,W) the warped photo
    synthesis: Synthesis
    motion: MotionField
    deviation: Deviation
    left: Tensor | None = None  # (B,1,H,W): how much of the plate is shown, where the renderer has one


class Renderer(nn.Module):
    """Image encoder, depth, appearance, motion encoder, DIT, LMDD, warp and decoder, with the read-out of motion
    parameters."""

    def __init__(self, config: RendererConfig | None = None):
        super().__init__()
        self.config = config or RendererConfig.lite()
        self.image_encoder = ImageEncoder(self.config)
        self.depth = DepthExpansion(self.config.encoder_widths[1], self.config)
        self.appearance = AppearanceExtractor(self.config)
        self.motion_encoder = MotionEncoder(self.config)
        self.parameters_of_motion = MotionParameters(self.config)
        self.deviation = DeviationTransformer(self.config)
        self.lmdd = LatentMotionDecoder(self.config)
        self.decoder = ImageDecoder(self.config)
        if self.config.arms:
            self.arms = ArmLayer()
        if self.config.matte_widths:
            self.matte = Matte(self.config)
            self.outline = Outline(self.config)

    def encode_source(
        self, image: Tensor, motion: Tensor | None = None, size: int | None = None, armed: bool = True
    ) -> Source:
        """(B,3,H,W) in [0,1], any size, or (B,4,H,W) with alpha, which the frames then have too -> Source. `motion`
        replaces the encoded M_0; `size` replaces image_size; without `armed` a half body's photo shows no arms. M_0 is
        `centred`: its framing parameters are zero."""
        colour, arms = image[:, :3], None
        motion = self.centred(self.encode_motion(colour) if motion is None else motion)
        if self.config.arms and armed:
            arms, image = self.arms.taken(image)
            colour = image[:, :3]
        small = resize(colour, size or self.config.image_size)
        pyramid, skips = self.image_encoder(small)
        identity = self.depth(pyramid[1])
        source_maps = self.lmdd.prepare(pyramid, identity)
        identity = to_channels_last(identity.flatten(1, 2)).view_as(identity)
        skips = [to_channels_last(skip) for skip in skips]
        pose = self.deviation.prepare(motion)
        matte = plate = None
        if self.config.matte_widths:
            matte = self.matte.of(colour)
            plate = painted_plate(image, matte)
        return Source(image.contiguous(), small, identity, pyramid[-1], skips, source_maps, pose, matte, plate, arms)

    def extract_appearance(self, source: Source) -> Tensor:
        """F_A (B,appearance_dim)."""
        return self.appearance(source.context, source.small)

    def appearance_of(self, photos: Tensor) -> Tensor:
        """F_A (B,appearance_dim) of photos (B,3,H,W) in [0,1] that are not encoded otherwise. As `extract_appearance`
        but for the size at which the photo is read."""
        small = resize(photos, self.config.motion_size)
        own = self.config.appearance_pyramid
        return self.appearance(None if own else self.image_encoder.context(small)[-1], small)

    def encode_motion(self, frames: Tensor) -> Tensor:
        """(B,3,H,W) in [0,1] -> M (B,768)."""
        seen = self.motion_encoder.encode_with_keypoints(frames)
        if seen.free is None:
            return seen.motion
        with torch.autocast(frames.device.type, enabled=False):  # half precision would leak it into the names
            return seen.motion + self.free_part(seen.free)

    def free_part(self, change: Tensor) -> Tensor:
        """The component of a change of motion (...,768) that no parameter names."""
        return change - self.parameters_of_motion.named_part(change) if self.config.readout else change

    def centred(self, motion: Tensor, reference: Tensor | None = None) -> Tensor:
        """Motion (...,768) with its framing parameters relative to those of `reference` (768,); without a reference
        they become zero in every frame. Without a read-out motion is left as it is."""
        if not self.config.readout:
            return motion
        return motion - self.parameters_of_motion.framing_part(motion if reference is None else reference)

    def within_limits(self, motion: Tensor, source: Source) -> Tensor:
        """Motion (B,768) with its parameters clamped to the limits of vocabulary.py, extended to the portrait's own
        values where these are outside: a mouth that is open beyond the limit in the photo may stay so. Without a
        read-out nothing is clamped."""
        if not self.config.readout:
            return motion
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

        A source of one portrait serves any batch. Field and mask are resized: the photo is warped at the output's size
        and the generated picture is blended in by the mask. Motion is not clamped here (see `within_limits`)."""
        source, appearance = self._matched(source, appearance, motion.shape[0])
        field, deviation = self.motion_field(source, appearance, motion)
        warped = self.warp_photo(source, field.field, size)
        return self.paint(source, appearance, field, deviation, warped, articulation)

    def _matched(self, source: Source, appearance: Tensor, count: int) -> tuple[Source, Tensor]:
        """A source and its appearance for so many frames."""
        given = source.motion.shape[0]
        if given == count:
            return source, appearance
        if given != 1:
            raise ValueError(f"{given} sources for {count} motions: give one source, or one for each motion")
        return source.repeat(count), appearance.expand(count, -1)

    def motion_field(self, source: Source, appearance: Tensor, motion: Tensor) -> tuple[MotionField, Deviation]:
        """The first third of `decode`, DIT and LMDD: motion (B,768) -> where each pixel comes from, and the deviation
        that the decoder reads besides."""
        source, appearance = self._matched(source, appearance, motion.shape[0])
        deviation = self.deviation(motion, source.pose)
        field = self.lmdd(deviation, source.source_maps, appearance)
        if source.arms is not None:
            parameters = self.read_parameters(motion), self.read_parameters(source.motion)
            field = field._replace(arms=self.arms.moved(source.arms.points, *parameters))
        return field, deviation

    def warp_photo(self, source: Source, field: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        """The second third: the photo (B,3,H,W) at `size`, by default its own, moved by a field (B,2,h,w)."""
        photo = resize(source.image, size or tuple(source.image.shape[-2:]))
        return warp(photo.expand(field.shape[0], -1, -1, -1) if photo.shape[0] == 1 else photo, field)

    def paint(
        self,
        source: Source,
        appearance: Tensor,
        field: MotionField,
        deviation: Deviation,
        warped: Tensor,
        articulation: float = 1.0,
    ) -> Rendered:
        """The last third: what the photo does not show is painted over the warped photo (B,3,H,W)."""
        source, appearance = self._matched(source, appearance, warped.shape[0])
        synthesis = self.decoder(
            source.small, source.skips, source.identity, appearance, field, deviation, articulation
        )
        size = tuple(warped.shape[-2:])
        keep = bilinear(synthesis.keep, size)
        generated = bilinear(synthesis.image, size)
        if source.tone is not None:
            generated = source.tone[:, 0] + source.tone[:, 1] * generated.mean(1, keepdim=True)
        if warped.shape[1] == 4:
            generated = torch.cat([generated, warped[:, 3:].to(generated.dtype)], 1)  # what is painted is as opaque
        image = _blended(generated, warped.float(), keep, own=generated is not synthesis.image)
        left = None
        if source.plate is not None:
            left = bilinear(vacated(field.forward, source.matte, field.features, self.outline), size)
            image = _blended(image, resize(source.plate, size).to(image.dtype), left.to(image.dtype))
        if source.arms is not None:
            image = self.arms.laid(image, source.arms, field.arms, field.field)
        return Rendered(image.clamp_(0, 1), synthesis.keep, warped, synthesis, field, deviation, left)

    def read_parameters(self, motion: Tensor) -> Tensor:
        """(...,768) -> (...,24) motion parameters (vocabulary.py names them), with arms (...,34). ValueError without a
        read-out."""
        self._check_readout()
        return self.parameters_of_motion.read(motion)

    def motion_from_parameters(self, parameters: Tensor) -> Tensor:
        """(...,24), with arms also (...,34) -> (...,768). ValueError without a read-out."""
        self._check_readout()
        return self.parameters_of_motion.write(parameters)

    def _check_readout(self) -> None:
        if not self.config.readout:
            raise ValueError(NO_NAMES)

    @property
    def motion_language(self) -> str:
        """Id of the names of this renderer's motion (see `MotionParameters.language`), "" without a read-out; motion of
        another one does not fit."""
        return self.parameters_of_motion.language() if self.config.readout else ""

    @property
    def motion_encoder_id(self) -> str:
        """Id of the encoder, where motion has a part that only this encoder's renderer understands; "" where all of it
        has names."""
        return "" if self.config.motion_space == "named" else self.motion_encoder.identity()

    def rest_motion(self) -> Tensor:
        """(768,): the motion of a head at rest; zeros without a read-out."""
        writer = self.parameters_of_motion.writer
        return writer.bias.clone() if self.config.readout else torch.zeros_like(writer.bias)
