"""Latent Motion Deviation Decoder (LMDD): deviation maps and depth-aware identity to a motion field and its mask."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import RendererConfig
from .deviation import Deviation
from .layers import Modulate, ResBlock, bilinear, blocks, concat_channels, conv, resize, to_channels_last, upsample
from .region_attention import RegionAttention
from .warp import convex_upsample, invert, warp

# motion fields start near zero: unscaled heads stayed at zero flow for thousands of steps, or diverged
RESPONSE_SCALE = 0.2
RESIDUAL_SCALE = 0.03
REST_LOGIT = 4.0  # without motion the mask keeps the photo: sigmoid(4) = 0.98


class SourceMaps(NamedTuple):
    """The part of the LMDD that depends on the portrait alone, computed once."""

    mixing: Tensor  # (B,regions,S_d,H,W): focus map of each region times the weight of each depth plane
    response: Tensor | None  # (B,regions,2,3,H,W): at each pixel, from a region's 3-D deviation to 2-D displacement
    fine: Tensor  # (B,4,9,H,W): weights of `convex_upsample`, which follow the edges of the face
    features: Tensor  # (B,C,H,W), warped into the mask module
    rest: Tensor  # (B,3,H,W): the mask module's output without motion, subtracted so that M_0 moves nothing
    planes: Tensor | None = None  # (B,S_d,H,W): weights of the planes, where each warps by itself; else within `mixing`
    query: Tensor | None = None  # (B,16,H,W): of the region-aware attention, whose focus maps multiply `mixing`


class MotionField(NamedTuple):
    """Where each pixel of the frame comes from, and whether the photo shows it."""

    field: Tensor  # (B,2,2H,2W) backward displacement
    coarse: Tensor  # the same before the residual (supervised too, or the residual would take over its work)
    visible: Tensor  # logits (B,1,H,W): delta_phi before its sigmoid
    features: Tensor  # (B,refine_width,H,W), for the decoder
    forward: Tensor | None = None  # (B,2,H,W): displacement of the source's pixels, of which `coarse` is the inverse
    volume: Tensor | None = None  # (B,3,S_d,H,W): the same for each depth plane, where each warps by itself
    arms: Tensor | None = None  # (B,8,2) in [-1,1]: where the points of a half body's arms go


class LatentMotionDecoder(nn.Module):
    """The paper's three parts. (i) motion-depth decoupling: every depth plane of every region has its own deviation,
    and each pixel has weights over the planes. (ii) attention: focus maps, a softmax over the regions and one static
    region. (iii) the mask module. The weights of (i) and (ii) depend on the portrait alone and are computed once; a
    frame needs only the weighted sum and (iii). With `region_attention` those of (ii) are computed for every frame,
    from the regions' deviations and F_A besides.

    The planes' displacements are summed into one 2-D field, rather than warping a volume: the photo itself can then be
    warped at any resolution, and a 3-D grid sample is seven times slower on a CPU. With `warp` "planes" and "volume"
    F_id is warped by the deviations of each plane, and the 2-D field is their sum."""

    def __init__(self, config: RendererConfig):
        super().__init__()
        self.config = config
        r, s = config.regions, config.depth_planes
        fine, coarse = config.encoder_widths[0], config.encoder_widths[1]
        context = config.encoder_widths[-1]
        wide, narrow = config.lmdd_widths
        self.gather = conv(config.depth_channels * s + coarse + context, wide)
        self.body = blocks(2, wide)
        self.join = conv(wide + fine, narrow)
        self.detail = blocks(2, narrow)
        self.static = int(config.static_region)
        attends = config.use_attention and config.region_attention
        convolves = config.use_attention and not attends
        self.focus = nn.Conv2d(narrow, (r + self.static) * s, 3, padding=1) if convolves else None
        self.attention = RegionAttention(narrow, config) if attends else None
        self.planes = nn.Conv2d(narrow, s, 1)
        self.respond = nn.Conv2d(narrow, r * 6, 3, padding=1) if config.warp == "field" else None
        if self.respond is not None:
            nn.init.normal_(self.respond.weight, std=0.02)
            nn.init.zeros_(self.respond.bias)
        self.sharpen = nn.Conv2d(narrow, 36, 1)
        self._init_mask_module(config, fine + narrow)

    def _init_mask_module(self, config: RendererConfig, channels: int) -> None:
        width, inject = config.refine_width, 16
        self.inject = nn.Conv2d(config.deviation_channels * config.motion_depth, inject, 1, bias=False)
        self.enter = conv(channels + inject + 4, width)
        self.modulate = Modulate(config.deviation_dim, width)
        self.refine = nn.Sequential(ResBlock(width), ResBlock(width))
        self.leave = nn.Conv2d(width, 3, 3, padding=1)
        nn.init.normal_(self.leave.weight, std=0.01)
        nn.init.zeros_(self.leave.bias)

    def prepare(self, pyramid: list[Tensor], identity: Tensor) -> SourceMaps:
        """F_S pyramid and F_id (B,C,S_d,h,w) of the source -> its maps, H = W = motion_size / 2."""
        r, s = self.config.regions, self.config.depth_planes
        fine, coarse, context = pyramid[0], pyramid[1], pyramid[-1]
        x = self.body(
            self.gather(torch.cat([identity.flatten(1, 2), coarse, resize(context, coarse.shape[-1])], dim=1))
        )
        x = self.detail(self.join(torch.cat([upsample(x), fine], dim=1)))
        active = F.silu(x)
        planes = self.planes(active).float().softmax(1)  # (B,S_d,H,W)
        together = self.respond is not None  # the planes are summed, weighed
        if self.focus is not None:
            focus = self.focus(active).float().unflatten(1, (r + self.static, s)).softmax(1)[:, :r]
            mixing = focus * planes[:, None] if together else focus  # a region after the last one is static
        else:
            share = 1 if self.attention is not None else r + self.static
            mixing = ((planes if together else torch.ones_like(planes)) / share)[:, None].expand(-1, r, -1, -1, -1)
        response = RESPONSE_SCALE * self.respond(active).float().unflatten(1, (r, 2, 3)) if together else None
        weights = self.sharpen(active).float().unflatten(1, (4, 9)).softmax(2)
        features = to_channels_last(torch.cat([fine, x], dim=1))
        still = features.new_zeros(features.shape[0], 2, *features.shape[-2:])
        rest = self._mask_module(features, still, still, None)[0]
        query = None if self.attention is None else self.attention.query(active).float()
        return SourceMaps(mixing, response, weights, features, rest, None if together else planes, query)

    def forward(
        self,
        deviation: Deviation,
        source_maps: SourceMaps,
        appearance: Tensor | None = None,
    ) -> MotionField:
        """The motion field of a frame's deviation (B,...), for source maps of the same batch size; F_A (B,A) is read by
        the region-aware attention alone."""
        size = source_maps.mixing.shape[-1]
        maps = bilinear(deviation.maps.float().flatten(1, 3), (size, size)).view(*deviation.maps.shape[:4], size, size)
        mixing = source_maps.mixing
        if self.attention is not None:
            mixing = mixing * self.attention(source_maps.query, maps, appearance)
        if source_maps.planes is None:
            volume, forward = None, self._summed(mixing, maps, source_maps.response)
        else:
            volume = RESPONSE_SCALE * (mixing[:, :, None] * maps).sum(1)  # (B,3,S_d,H,W)
            forward = (volume[:, :2] * source_maps.planes[:, None]).sum(2)
            volume = self._backward(volume)
        coarse = invert(convex_upsample(forward, source_maps.fine), self.config.inversion_steps)
        backward = F.avg_pool2d(coarse, 2)
        moved = warp(source_maps.features, backward)
        out, features = self._mask_module(moved, backward, forward, deviation)
        change = out - source_maps.rest
        residual = RESIDUAL_SCALE * F.interpolate(change[:, :2], scale_factor=2, mode="bilinear", align_corners=False)
        visible = REST_LOGIT + change[:, 2:]
        return MotionField(coarse + residual, coarse, visible, features, forward, volume)

    @staticmethod
    def _summed(mixing: Tensor, maps: Tensor, response: Tensor) -> Tensor:
        """One displacement (B,2,H,W) of all regions and planes."""
        # (B,regions,3,H,W), depth planes composited one by one: the product is large
        regions = torch.zeros_like(maps[:, :, :, 0])
        for weight, plane in zip(mixing.unbind(2), maps.unbind(3), strict=True):
            regions = torch.addcmul(regions, weight[:, :, None], plane)
        return (response * regions[:, :, None]).sum(1).sum(2)  # over both at once is slower

    def _backward(self, volume: Tensor) -> Tensor:
        """Backward displacement of each plane (B,3,S_d,H,W); planes that warp by themselves are inverted like the
        field, a volume is not."""
        if self.config.warp == "volume":
            return -volume
        planes = invert(volume[:, :2].transpose(1, 2).flatten(0, 1), self.config.inversion_steps)
        flat = planes.unflatten(0, (-1, volume.shape[2])).transpose(1, 2)
        return torch.cat([flat, torch.zeros_like(volume[:, 2:])], 1)

    def _mask_module(
        self, features: Tensor, backward: Tensor, forward: Tensor, deviation: Deviation | None
    ) -> tuple[Tensor, Tensor]:
        """Residual displacement and visibility (B,3,H,W), and the features they were read from."""
        b, _, h, w = features.shape
        if deviation is None:
            injected = features.new_zeros(b, self.inject.out_channels, h, w)
        else:
            injected = resize(self.inject(deviation.feature), (h, w)).to(features.dtype)
        fields = torch.cat([backward, forward], dim=1).to(features.dtype) * 8  # about unit scale
        x = self.enter(concat_channels(features, fields, injected))
        if deviation is not None:
            x = self.modulate(x, deviation.vector)
        x = self.refine(x)
        return self.leave(F.silu(x)).float(), x
