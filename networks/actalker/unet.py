"""The ACTalker UNet: Stable Video Diffusion's UNet with a face feature, three condition streams and PCM layers."""

import torch

from .conditions import Conditions, Tokens
from .svd_parts import TransformerSpatioTemporalModel, UNetSpatioTemporalConditionModel
from .transformer import ControlledTransformer


class ACTalkerUNet(UNetSpatioTemporalConditionModel):
    """Takes the config keywords of diffusers' `UNetSpatioTemporalConditionModel` (SVD-XT's are the defaults).

    The state dict has exactly the names of the published `unet-136000.pth`: all of SVD's, the adapters of every
    cross-attention, and a PCM in every transformer but the middle block's.
    Raises ValueError for more than one transformer layer a block (the published design has one).
    """

    def __init__(self, **config):
        # diffusers' config.json also has private entries such as _class_name
        super().__init__(**{name: value for name, value in config.items() if not name.startswith("_")})
        layers = self.config.transformer_layers_per_block
        if set(layers if isinstance(layers, list | tuple) else [layers]) != {1}:
            raise ValueError(f"ACTalkerUNet: transformer_layers_per_block must be 1, the config says {layers}.")
        for block in (*self.down_blocks, self.mid_block, *self.up_blocks):
            for i, stock in enumerate(getattr(block, "attentions", ())):
                block.attentions[i] = _controlled(stock, mamba=block is not self.mid_block)

    def forward(
        self,
        sample: torch.Tensor,
        timestep: torch.Tensor | float,
        *,
        identity: torch.Tensor,
        audio: torch.Tensor,
        motion: torch.Tensor,
        face_feature: torch.Tensor,
        audio_mask: torch.Tensor,
        motion_mask: torch.Tensor,
        added_time_ids: torch.Tensor,
    ) -> torch.Tensor:
        """Predict v (B, F, 4, h, w) for F frames of a window.

        sample (B, F, 8, h, w): noisy and image latents; h, w multiples of 8 for the published four levels.
        timestep: continuous EDM time, 0.25 ln sigma, one number or (B,).
        identity (B * F, 1, D), audio (B * F, 32, D), motion (B * F, 1, D): tokens by frame, gates multiplied in.
        face_feature (B, F, C0, h, w): the face-mask encoder's output, added after the first convolution.
        audio_mask, motion_mask (1, 1, H, W) in 0..1 at the picture's size, best on the CPU, as their non-zero positions
        are listed there.
        added_time_ids (B, 3): frames a second, motion bucket, expression motion bucket.
        """
        batch, frames = sample.shape[:2]
        conditions = Conditions(Tokens(identity, audio, motion), frames, audio_mask, motion_mask)
        embedding = self._embed(timestep, added_time_ids, batch, sample).repeat_interleave(frames, 0)
        driven = {"image_only_indicator": sample.new_zeros(batch, frames), "encoder_hidden_states": conditions}

        x = self.conv_in(sample.flatten(0, 1)) + face_feature.flatten(0, 1)
        skips = [x]
        for block in self.down_blocks:
            x, outputs = block(x, temb=embedding, **_accepted(block, driven))
            skips.extend(outputs)
        x = self.mid_block(x, temb=embedding, **driven)
        for block in self.up_blocks:
            count = len(block.resnets)
            residuals, skips = tuple(skips[-count:]), skips[:-count]
            x = block(x, res_hidden_states_tuple=residuals, temb=embedding, **_accepted(block, driven))
        x = self.conv_out(self.conv_act(self.conv_norm_out(x)))
        return x.unflatten(0, (batch, frames))

    def _embed(self, timestep, added_time_ids, batch: int, like: torch.Tensor) -> torch.Tensor:
        """(B, 4 C0): the time embedding. Sinusoids are float32, the projections in the model's type."""
        times = torch.as_tensor(timestep, dtype=torch.float32, device=like.device).reshape(-1).expand(batch)
        extra = self.add_time_proj(added_time_ids.to(like.device).flatten()).reshape(batch, -1)
        return self.time_embedding(self.time_proj(times).to(like.dtype)) + self.add_embedding(extra.to(like.dtype))


def _controlled(stock: TransformerSpatioTemporalModel, mamba: bool) -> ControlledTransformer:
    context = stock.transformer_blocks[0].attn2.cross_attention_dim
    return ControlledTransformer(stock.num_attention_heads, stock.attention_head_dim, stock.in_channels, context, mamba)


def _accepted(block: torch.nn.Module, driven: dict) -> dict:
    """Blocks without attention take no conditions."""
    if getattr(block, "has_cross_attention", False):
        return driven
    return {"image_only_indicator": driven["image_only_indicator"]}
