"""Deviation Image Transformer (DIT): from two motions to the deviation maps of the regions (paper, Delta_i)."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from .config import RendererConfig
from .layers import group_norm


class Deviation(NamedTuple):
    """The deviation of a frame's motion from the source's; zero when they are equal."""

    maps: Tensor  # Delta: (B,regions,3,S_d,8,8), displacement of each region at each depth
    feature: Tensor  # D: (B,c*12,8,8), normalised deviation, for what a warp cannot make (teeth, lids)
    vector: Tensor  # (B,deviation_dim), asinh of a global projection: linear for small changes, logarithmic for large


class SourceMotion(NamedTuple):
    """DIT's features of M_0, computed once per portrait."""

    motion: Tensor  # (B,768)
    volume: Tensor  # E_0 (B,c,12,8,8), mean-free where it is normed itself
    variance: Tensor  # (B,c,1,1,1)
    tokens: Tensor  # (B,64,d)
    shift: Tensor  # k_sh of the source against itself, subtracted so that M_i = M_0 gives zero deviation


class CrossBlock(nn.Module):
    """Driving tokens attend to source and driving tokens, then a small MLP."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm_q, self.norm_kv, self.norm_mlp = nn.LayerNorm(dim), nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.q, self.kv, self.out = nn.Linear(dim, dim), nn.Linear(dim, 2 * dim), nn.Linear(dim, dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))

    def forward(self, driving: Tensor, source: Tensor) -> Tensor:
        context = self.norm_kv(torch.cat([source, driving], dim=1))
        q = rearrange(self.q(self.norm_q(driving)), "b n (h d) -> b h n d", h=self.heads)
        k, v = rearrange(self.kv(context), "b n (two h d) -> two b h n d", two=2, h=self.heads)
        attended = F.scaled_dot_product_attention(q, k, v)
        x = driving + self.out(rearrange(attended, "b h n d -> b n (h d)"))
        return x + self.mlp(self.norm_mlp(x))


class DeviationTransformer(nn.Module):
    """M_0, M_i (B,768) -> Deviation.

    Delta_i = (V_nor^i - V_nor^0) / sqrt(delta^2 + 1e-5) * k_sc^i + k_sh^i  [P], with choices of ours, each a switch of
    the config. k_sh is the difference between the frame's head and the source's (`relative_shift`), so M_i = M_0 gives
    exactly zero: the printed formula does not force it, and without it a still face drifts. A region's shift has a term
    linear in M_i - M_0 (`deviation_linear`): large motion (a turning head) is close to linear, and the transformer then
    only learns what is not. The norm is of the convolutions' features (`deviation_norm`), its variance the mean of
    frame and source (`own_variance`).

    The vector, which modulates the decoder, is not bounded: with a tanh it saturated, a tenth of a blink had nearly the
    effect of a whole one, and lids and mouths were rendered either open or shut."""

    def __init__(self, config: RendererConfig):
        super().__init__()
        self.config = config
        c, d, depth = config.deviation_channels, config.deviation_dim, config.motion_depth
        layers: list[nn.Module] = []
        for i in range(config.deviation_layers):
            layers += [nn.Conv3d(1 if i == 0 else c, c, 3, padding=1), group_norm(c), nn.SiLU()]
        self.convolutions = nn.Sequential(*layers)
        self.embed = nn.Linear(c * depth, d)
        self.position = nn.Parameter(torch.randn(1, config.motion_grid**2, d) * 0.02)
        self.role = nn.Parameter(torch.randn(2, 1, 1, d) * 0.02)  # source, driving
        count = config.deviation_blocks if config.use_transformer else 0
        self.blocks = nn.ModuleList(CrossBlock(d, config.deviation_heads) for _ in range(count))
        self.scale_shift = nn.Linear(d, 2 * c * depth)
        nn.init.normal_(self.scale_shift.weight, std=0.02)
        nn.init.zeros_(self.scale_shift.bias)
        self.to_maps = nn.Conv3d(c, config.regions * 3, 3, padding=1, bias=False)
        nn.init.normal_(self.to_maps.weight, std=0.01)
        self.linear_shift = (
            nn.Linear(config.motion_dim, config.regions * 3 * config.depth_planes, bias=False)
            if config.deviation_linear
            else None
        )
        self.to_vector = nn.Linear(config.motion_dim + c * depth, d, bias=False)

    def prepare(self, motion: Tensor) -> SourceMotion:
        """The source's half of the work: (B,768) -> cached tensors."""
        volume, variance, tokens = self._embed(motion)
        shift = self._head(tokens, tokens)[1]
        return SourceMotion(motion, volume, variance, tokens, shift)

    def forward(self, motion: Tensor, source: SourceMotion) -> Deviation:
        """(B,768) against a source of the same batch size."""
        c, s = self.config, self.config.depth_planes
        volume, variance, tokens = self._embed(motion)
        scale, shift = self._head(tokens, source.tokens)
        delta2 = variance if c.own_variance else (variance + source.variance) / 2
        k_sh = shift - source.shift if c.relative_shift else shift
        d = (volume - source.volume) / (delta2 + 1e-5).sqrt() * (1 + scale) + k_sh
        change = motion - source.motion
        planes = d.unflatten(2, (s, c.motion_depth // s)).mean(3)  # 12 -> S_d
        maps = self.to_maps(planes).unflatten(1, (c.regions, 3))
        if self.linear_shift is not None:
            maps = maps + self.linear_shift(change).view(-1, c.regions, 3, s, 1, 1)
        vector = self.to_vector(torch.cat([change, d.mean((3, 4)).flatten(1)], dim=1)).asinh()
        return Deviation(maps, d.flatten(1, 2), vector)

    def _embed(self, motion: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        g, depth = self.config.motion_grid, self.config.motion_depth
        # V as (B,1,12,8,8): depth where a 3-D convolution expects it
        v = rearrange(motion, "b (h w s) -> b 1 s h w", h=g, w=g, s=depth)
        normed = self.config.deviation_norm == "motion"
        e = self.convolutions(F.layer_norm(v, v.shape[1:], eps=1e-5) if normed else v)
        mean, variance = e.mean((2, 3, 4), keepdim=True), e.var((2, 3, 4), keepdim=True, unbiased=False)
        tokens = self.embed(rearrange(e, "b c s h w -> b (h w) (c s)")) + self.position
        return e if normed else e - mean, variance, tokens

    def _head(self, driving: Tensor, source: Tensor) -> tuple[Tensor, Tensor]:
        """k_sc - 1 and the raw k_sh, each (B,c,12,8,8)."""
        x, context = driving + self.role[1], source + self.role[0]
        for block in self.blocks:
            x = block(x, context)
        g = self.config.motion_grid
        both = self.scale_shift(x).transpose(1, 2).unflatten(2, (g, g))
        scale, shift = both.unflatten(1, (2, self.config.deviation_channels, self.config.motion_depth)).unbind(1)
        return scale, shift
