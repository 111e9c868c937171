"""The diffusion transformer of stage 2: noisy motion and a condition a frame -> a prediction a frame."""

import math

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from .config import MotionModelConfig


def timestep_embedding(t: Tensor, width: int) -> Tensor:
    """Sinusoids of diffusion steps t (...,) in 0..1000 -> (..., width)."""
    frequencies = torch.exp(-math.log(10000) * torch.arange(width // 2, device=t.device) / (width // 2))
    angles = t[..., None].float() * frequencies
    return torch.cat([angles.cos(), angles.sin()], -1)


def rotary(length: int, head_width: int, device) -> tuple[Tensor, Tensor]:
    """Cosines and sines (length, head_width / 2) of rotary positions."""
    frequencies = 10000 ** (-torch.arange(0, head_width, 2, device=device).float() / head_width)
    angles = torch.arange(length, device=device).float()[:, None] * frequencies
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Apply rotary embeddings to x (..., length, head_width), whose halves are the pairs."""
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1).to(x.dtype)


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    return torch.addcmul(shift, x, 1 + scale)


class Block(nn.Module):
    """Attention over the window and an MLP, each scaled, shifted and gated frame by frame (AdaLN-zero)."""

    def __init__(self, config: MotionModelConfig):
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.norm1 = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.norm2 = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.up = nn.Linear(width, config.mlp_ratio * width)
        self.down = nn.Linear(config.mlp_ratio * width, width)
        if config.adaln == "block":
            self.modulation = nn.Linear(width, 6 * width)
            nn.init.zeros_(self.modulation.weight)
            nn.init.zeros_(self.modulation.bias)
        else:
            self.offset = nn.Parameter(torch.zeros(6 * width))

    def attend(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        q, k, v = rearrange(self.qkv(x), "b l (three h d) -> three b h l d", three=3, h=self.heads)
        y = F.scaled_dot_product_attention(rotate(q, cos, sin), rotate(k, cos, sin), v)
        return self.out(rearrange(y, "b h l d -> b l (h d)"))

    def forward(self, x: Tensor, modulation: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """x (B, L, width); modulation (B, L, width) of the condition, or (B, L, 6 * width) shared by all blocks."""
        six = self.modulation(modulation) if hasattr(self, "modulation") else modulation + self.offset
        shift1, scale1, gate1, shift2, scale2, gate2 = six.chunk(6, -1)
        x = torch.addcmul(x, gate1, self.attend(modulate(self.norm1(x), shift1, scale1), cos, sin))
        hidden = F.gelu(self.up(modulate(self.norm2(x), shift2, scale2)), approximate="tanh")
        return torch.addcmul(x, gate2, self.down(hidden))


class Denoiser(nn.Module):
    """Transformer over [history | noisy window] tokens; the history is clean, so its timestep is 0."""

    def __init__(self, config: MotionModelConfig):
        super().__init__()
        self.config = config
        width = config.width
        self.embed_noisy = nn.Linear(config.motion_dim, width)
        self.embed_history = nn.Linear(config.motion_dim, width)  # a projection of its own in place of a type embedding
        self.embed_condition = nn.Linear(width, width)
        self.time = nn.Sequential(nn.Linear(256, width), nn.SiLU(), nn.Linear(width, width))
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.shared = nn.Linear(width, 6 * width) if config.adaln == "single" else None
        self.norm = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.final_modulation = nn.Linear(width, 2 * width)
        self.head = nn.Linear(width, config.motion_dim)
        for layer in (self.shared, self.final_modulation, self.head):
            if layer is not None:
                nn.init.zeros_(layer.weight)
                nn.init.zeros_(layer.bias)

    def forward(self, noisy: Tensor, t: Tensor, condition: Tensor, history: Tensor) -> Tensor:
        """noisy (B, W, 768), t (B,) in 0..timesteps-1, condition (B, W, width), history (B, 4, 768) -> (B, W, 768)."""
        past = history.shape[1]
        steps = torch.cat([t.new_zeros(t.shape[0], past), t[:, None].expand(-1, noisy.shape[1])], 1)
        distinct = self.time(timestep_embedding(torch.stack([torch.zeros_like(t), t], 1), 256).to(noisy.dtype))
        time = torch.where((steps > 0)[..., None], distinct[:, 1:], distinct[:, :1])
        condition = F.silu(time + F.pad(condition, (0, 0, past, 0)))
        x = torch.cat([self.embed_history(history), self.embed_noisy(noisy)], 1) + self.embed_condition(condition)
        cos, sin = rotary(x.shape[1], self.config.width // self.config.heads, x.device)
        modulation = condition if self.shared is None else self.shared(condition)
        for block in self.blocks:
            x = block(x, modulation, cos, sin)
        x, condition = x[:, past:], condition[:, past:]
        shift, scale = self.final_modulation(condition).chunk(2, -1)
        return self.head(modulate(self.norm(x), shift, scale))
