"""Blend, articulation and image decoder U (paper: phi_m, phi_r, I_R), composited with the warped photo."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import RendererConfig
from .deviation import Deviation
from .feature_decoder import FeatureDecoder
from .layers import Modulate, blocks, concat_channels, conv, conv_of_upsampled, resize, shuffle_down, shuffle_up
from .lmdd import MotionField
from .warp import warp, warp_planes, warp_volume

AT_REST = 0.5  # length of the deviation's vector below which paint fades out; a face that speaks has 3 to 10


class Synthesis(NamedTuple):
    """The decoder's picture and the mask that composites it with the warped photo."""

    image: Tensor  # (B,3,S,S) in [0,1]: used inside the mouth, on closed lids and in disoccluded areas
    keep: Tensor  # (B,1,S,S) in [0,1]: 1 = the warped photo
    warped_identity: Tensor  # phi' (B,C*S_d,h,w), for the threshold mask loss


class ImageDecoder(nn.Module):
    """phi' = w(F_id); phi_m = d phi' + (1-d) F_id; phi_r = max(0, phi_m) + beta min(0, phi_m); I_R = U(phi_r).

    The same blend is repeated with the texture skips. U outputs a picture and a mask: the mask keeps the warped photo
    wherever it is right, so that detail is copied rather than generated, and the output has the photo's own resolution.
    Without motion it keeps all of it.
    Without `decoder_skips` U reads phi_r alone, and without `composite` the mask is zero: I_R is U's picture.
    """

    def __init__(self, config: RendererConfig):
        super().__init__()
        self.config = config
        folded = config.depth_channels * config.depth_planes
        slopes = 1 if config.single_slope else folded
        self.beta = nn.Parameter(torch.full((slopes,), config.articulation_slope))
        if config.decoder_skips:
            self._init_with_skips(folded, config)
        else:
            self.picture = FeatureDecoder(folded, config)

    def _init_with_skips(self, folded: int, config: RendererConfig) -> None:
        half, quarter = config.skip_widths
        low, middle, high = config.decoder_widths
        n, refine = config.decoder_blocks, config.refine_width
        self.enter = conv(folded + refine + 1, low)
        self.modulate_low = Modulate(config.deviation_dim, low)
        self.appearance = Modulate(config.appearance_dim, low) if config.use_appearance else None
        finer = (middle, high)[: config.appearance_levels - 1] if config.use_appearance else ()
        self.appearance_finer = nn.ModuleList(Modulate(config.appearance_dim, width) for width in finer)
        self.low = blocks(n, low)
        self.join_middle = conv(low + quarter + refine + 1, middle)
        self.modulate_middle = Modulate(config.deviation_dim, middle)
        self.middle = blocks(n + 1, middle, norm=False)
        self.join_high = conv(middle + half + 12, high)
        self.high = blocks(n, high, norm=False)
        self.leave = nn.Conv2d(high, 16, 3, padding=1)  # four sub-pixels of RGB and mask
        nn.init.normal_(self.leave.weight, std=0.01)
        nn.init.zeros_(self.leave.bias)

    def forward(
        self,
        image: Tensor,
        skips: list[Tensor],
        identity: Tensor,
        appearance: Tensor,
        motion: MotionField,
        deviation: Deviation,
        articulation: float = 1.0,
    ) -> Synthesis:
        """image (B,3,S,S) at the network's size, F_id (B,C,S_d,h,w), F_A (B,A); all of one batch size.

        articulation scales beta, the negative slope of the activation: 0.5 weakens, 1.5 exaggerates.
        """
        size = image.shape[-1]
        keep = motion.visible.sigmoid().to(identity.dtype)  # delta_phi
        source = identity.flatten(1, 2)
        warped = self._warped(identity, motion)  # phi'
        x = self._blend(source, warped, keep)  # phi_m
        x = x.clamp_min(0) + articulation * self.beta.view(1, -1, 1, 1).to(x.dtype) * x.clamp_max(0)  # phi_r
        if self.config.decoder_skips:
            picture, logits = self._with_skips(x, image, skips, appearance, motion, deviation, keep)
        else:
            picture, logits = self.picture(resize(x, size // 8)), resize(motion.visible, size)
        mask = faded_mask(logits.sigmoid(), deviation) if self.config.composite else torch.zeros_like(logits)
        return Synthesis(picture, mask, warped)

    def _warped(self, identity: Tensor, motion: MotionField) -> Tensor:
        """phi' (B,C*S_d,h,w): F_id moved by one field, or each of its planes by its own, or as a volume."""
        if motion.volume is None:
            return warp(identity.flatten(1, 2), motion.field)
        if self.config.warp == "planes":
            return warp_planes(identity, motion.volume[:, :2]).flatten(1, 2)
        return warp_volume(identity, motion.volume).flatten(1, 2)

    def _with_skips(
        self,
        x: Tensor,
        image: Tensor,
        skips: list[Tensor],
        appearance: Tensor,
        motion: MotionField,
        deviation: Deviation,
        keep: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """U's picture (B,3,S,S) in [0,1] and the logits of its mask (B,1,S,S), from phi_r and everything else."""
        size = image.shape[-1]
        half, quarter = skips
        at = size // 8
        x = self.enter(concat_channels(resize(x, at), resize(motion.features, at), resize(keep, at)))
        x = self.modulate_low(x, deviation.vector)
        if self.appearance is not None:
            x = self.appearance(x, appearance)
        x = self.low(x)
        at = size // 4
        blended = self._blend(quarter, warp(quarter, motion.field), keep)
        x = conv_of_upsampled(self.join_middle, x, blended, resize(motion.features, at), resize(keep, at))
        x = self.modulate_middle(x, deviation.vector)
        for modulate in self.appearance_finer[:1]:
            x = modulate(x, appearance)
        x = self.middle(x)
        detail = shuffle_down(warp(image, motion.field)).to(x.dtype)
        x = conv_of_upsampled(self.join_high, x, self._blend(half, warp(half, motion.field), keep), detail)
        for modulate in self.appearance_finer[1:]:
            x = modulate(x, appearance)
        out = shuffle_up(self.leave(F.silu(self.high(x))).float())
        logits = resize(motion.visible, size) + 2 * out[:, 3:]
        return out[:, :3].sigmoid(), logits

    @staticmethod
    def _blend(source: Tensor, warped: Tensor, keep: Tensor) -> Tensor:
        keep = resize(keep, source.shape[-1]).float()
        return torch.lerp(source.float(), warped.float(), keep).to(source.dtype)


def faded_mask(mask: Tensor, deviation: Deviation) -> Tensor:
    """The mask (B,1,S,S), which leaves some paint around lips and eyes whatever the motion, brought to 1 towards M_0:
    there the frame is the photo."""
    moved = (deviation.vector.float().square().sum(1) / AT_REST**2).clamp(max=1).view(-1, 1, 1, 1)
    return 1 - (1 - mask) * moved.to(mask.dtype)
