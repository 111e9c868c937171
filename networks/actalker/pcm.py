"""The parallel-control Mamba layer (PCM): image tokens are scanned together with the condition tokens.

Two branches, voice and motion. Each picks the image tokens under its mask, appends an identity token and its own
condition tokens, and runs a bidirectional selective scan over that sequence, frame by frame. The branches are summed.
There is no residual path: the layer's output replaces the hidden state.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

from ..mamba.bidirectional import bidirectional_scan
from ..mamba.mamba1 import log_rates, step_size_bias


class BidirectionalScan(nn.Module):
    """Mamba-1 scan of one sequence forward and backward with separate parameters, summed (a PCM "unit").

    Parameters are stacked by direction: k = 0 forward, k = 1 backward. A_logs and Ds are direction-major.
    """

    def __init__(self, dim: int, rank: int, states: int = 16):
        super().__init__()
        self.rank, self.states = rank, states
        self.x_proj_weight = nn.Parameter(torch.empty(2, rank + 2 * states, dim).uniform_(-(dim**-0.5), dim**-0.5))
        self.dt_projs_weight = nn.Parameter(torch.empty(2, dim, rank).uniform_(-(rank**-0.5), rank**-0.5))
        self.dt_projs_bias = nn.Parameter(step_size_bias((2, dim)))
        self.A_logs = nn.Parameter(log_rates(2 * dim, states))
        self.Ds = nn.Parameter(torch.ones(2 * dim))

    def forward(self, sequence: torch.Tensor) -> torch.Tensor:
        """(frames, L, D) to the same; frames are independent."""
        wide = torch.promote_types(sequence.dtype, torch.float32)
        projected = F.linear(sequence, self.x_proj_weight.flatten(0, 1)).unflatten(-1, (2, -1))
        low, B, C = projected.split([self.rank, self.states, self.states], -1)
        return bidirectional_scan(
            sequence,
            self._step_sizes(low),
            self.dt_projs_bias.to(wide),
            -torch.exp(self.A_logs.to(wide)).unflatten(0, (2, -1)),
            B,
            C,
            self.Ds.to(wide).unflatten(0, (2, -1)),
        )

    def _step_sizes(self, low: torch.Tensor) -> torch.Tensor:
        """(frames, L, 2, R) to (frames, L, 2, D), each direction by its own weights; direction-major in memory."""
        by_direction = torch.bmm(low.flatten(0, 1).transpose(0, 1), self.dt_projs_weight.mT)
        return by_direction.transpose(0, 1).unflatten(0, low.shape[:2])


class ParallelControlMamba(nn.Module):
    """PCM layer of `channels` C over conditions of `context` channels; inner width D = 2 C, rank ceil(C / 16)."""

    def __init__(self, channels: int, context: int = 1024, expand: int = 2, states: int = 16):
        super().__init__()
        dim, rank = expand * channels, math.ceil(channels / 16)
        self.in_proj1 = nn.Linear(channels, dim, bias=False)
        self.in_proj2 = nn.Linear(channels, dim, bias=False)
        self.id_proj = nn.Linear(context, dim, bias=False)
        self.audio_proj = nn.Linear(context, dim, bias=False)
        self.exp_proj = nn.Linear(context, dim, bias=False)
        self.audio_unit = BidirectionalScan(dim, rank, states)
        self.exp_unit = BidirectionalScan(dim, rank, states)
        self.out_norm = nn.LayerNorm(dim)
        self.out_proj = nn.Linear(dim, channels, bias=False)

    def forward(
        self,
        x: torch.Tensor,
        identity: torch.Tensor,
        audio: torch.Tensor,
        motion: torch.Tensor,
        audio_index: torch.Tensor,
        motion_index: torch.Tensor,
    ) -> torch.Tensor:
        """Replace x (frames, L, C) by its controlled version of the same shape.

        identity (frames, 1, context), audio (frames, 32, context) and motion (frames, 1, context) are each frame's
        tokens; audio_index, motion_index hold the positions in 0..L-1 that each branch controls. A branch without
        positions only projects, whatever its tokens and its scan's weights are.
        """
        identity = F.silu(self.id_proj(identity))
        audio = self._branch(self.in_proj1(x), audio_index, identity, audio, self.audio_proj, self.audio_unit)
        motion = self._branch(self.in_proj2(x), motion_index, identity, motion, self.exp_proj, self.exp_unit)
        return self.out_proj(self.out_norm(audio + motion))

    @staticmethod
    def _branch(z, index, identity, tokens, project: nn.Linear, unit: BidirectionalScan) -> torch.Tensor:
        count = index.numel()
        if count == 0:
            return z
        sequence = torch.cat([z[:, index], identity, F.silu(project(tokens))], 1)
        return z.index_copy(1, index, unit(sequence)[:, :count])
