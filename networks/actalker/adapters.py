"""Decoupled cross-attention: identity through the attention's own keys and values, voice and motion through adapters.

y = attend(q, id) + sum_i scale_i * mask_i * attend(q, token_i)        i = 0 voice, 1 motion
"""

import torch
from torch import nn
from torch.nn import functional as F

from .conditions import Context

SCALES = (1.25, 1.25)  # of the published inference settings


class DecoupledAttention(nn.Module):
    """Processor of a diffusers `Attention`; holds the adapters' key and value projections (no biases)."""

    def __init__(self, dim: int, context: int, scales: tuple[float, float] = SCALES):
        super().__init__()
        self.scales = scales
        self.to_k_ip = nn.ModuleList(nn.Linear(context, dim, bias=False) for _ in scales)
        self.to_v_ip = nn.ModuleList(nn.Linear(context, dim, bias=False) for _ in scales)

    def forward(
        self,
        attn: nn.Module,
        hidden_states: torch.Tensor,
        encoder_hidden_states: Context,
        attention_mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """hidden_states (n, L, C) to the same; n is a multiple of the context's rows.

        Queries are independent of each other, so the temporal layers' (B * hw, F, C) are read as (B, hw * F, C) and no
        token is ever repeated per position.
        """
        tokens, masks = encoder_hidden_states
        queries = hidden_states.reshape(tokens.identity.shape[0], -1, hidden_states.shape[-1])
        q = _heads(attn.to_q(queries), attn.heads)
        y = _attend(q, attn.to_k, attn.to_v, tokens.identity)
        for i, (token, scale) in enumerate(zip((tokens.audio, tokens.motion), self.scales, strict=True)):
            part = _attend(q, self.to_k_ip[i], self.to_v_ip[i], token)
            y = y + scale * (part if masks is None else masks[i] * part)
        y = attn.to_out[1](attn.to_out[0](y.expand_as(queries)))
        return y.reshape_as(hidden_states)


def _heads(x: torch.Tensor, heads: int) -> torch.Tensor:
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def _attend(q: torch.Tensor, to_k: nn.Linear, to_v: nn.Linear, tokens: torch.Tensor) -> torch.Tensor:
    """q (rows, heads, L, d) over tokens (rows, n, D) to (rows, L, C), or (rows, 1, C) where there is but one token."""
    value = to_v(tokens)
    if tokens.shape[1] == 1:
        return value
    heads = q.shape[1]
    out = F.scaled_dot_product_attention(q, _heads(to_k(tokens), heads), _heads(value, heads))
    return out.transpose(1, 2).flatten(2)
