"""SVD's spatio-temporal transformer with ACTalker's controls: spatial block, PCM, temporal block, blend."""

import torch
from torch import nn

from .adapters import DecoupledAttention
from .conditions import Conditions
from .pcm import ParallelControlMamba
from .svd_parts import TransformerSpatioTemporalModel


class ControlledTransformer(TransformerSpatioTemporalModel):
    """One layer deep, as published. With `mamba` a PCM stands between the spatial and the temporal block."""

    def __init__(self, heads: int, head_dim: int, channels: int, context: int, mamba: bool):
        super().__init__(heads, head_dim, in_channels=channels, num_layers=1, cross_attention_dim=context)
        self.mamba_blocks = nn.ModuleList([ParallelControlMamba(channels, context)] if mamba else [])
        for block in (*self.transformer_blocks, *self.temporal_transformer_blocks):
            block.attn2.set_processor(DecoupledAttention(channels, context))

    def forward(
        self,
        hidden_states: torch.Tensor,
        encoder_hidden_states: Conditions,
        image_only_indicator: torch.Tensor,
        return_dict: bool = False,
    ) -> tuple[torch.Tensor]:
        """hidden_states (B * F, C, h, w) to the same, in a tuple as diffusers' blocks expect of their attentions."""
        conditions, size = encoder_hidden_states, hidden_states.shape[-2:]
        spatial = conditions.spatial(tuple(size))
        x = self.proj_in(self.norm(hidden_states).flatten(2).transpose(1, 2))
        x = self.transformer_blocks[0](x, encoder_hidden_states=spatial)
        for mamba in self.mamba_blocks:
            x = mamba(x, *spatial.tokens, spatial.masks.audio_index, spatial.masks.motion_index)
        temporal = self.temporal_transformer_blocks[0](
            x + self._frame_positions(conditions.frames, x),
            num_frames=conditions.frames,
            encoder_hidden_states=conditions.temporal(),
        )
        x = self.time_mixer(x_spatial=x, x_temporal=temporal, image_only_indicator=image_only_indicator)
        x = self.proj_out(x).transpose(1, 2).unflatten(2, size)
        return (x + hidden_states,)

    def _frame_positions(self, frames: int, x: torch.Tensor) -> torch.Tensor:
        """(B * F, 1, C): the positional embedding of each frame in the window."""
        positions = self.time_proj(torch.arange(frames, device=x.device)).to(x.dtype)
        return self.time_pos_embed(positions).repeat(x.shape[0] // frames, 1).unsqueeze(1)
