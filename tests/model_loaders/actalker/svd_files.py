"""A small Stable Video Diffusion with random weights, as it is published: in diffusers' layout, and in one file."""

import re

import torch
from safetensors.torch import save_file

from mamba_portrait.networks.actalker.config import ACTalkerConfig
from mamba_portrait.networks.actalker.svd_parts import (
    AutoencoderKLTemporalDecoder,
    EulerDiscreteScheduler,
    UNetSpatioTemporalConditionModel,
)

WITHIN = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
OUTER = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}


@torch.no_grad()
def small_svd(**unet):
    """UNet and VAE of `ACTalkerConfig.reduced`, no two of whose tensors are alike."""
    config = ACTalkerConfig.reduced()
    with torch.random.fork_rng():
        torch.manual_seed(1)
        parts = UNetSpatioTemporalConditionModel(**config.unet | unet), AutoencoderKLTemporalDecoder(**config.vae)
        for part in parts:
            for parameter in part.requires_grad_(False).eval().parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
    return parts


def write_folder(folder, unet, vae):
    """diffusers' layout, by diffusers."""
    unet.save_pretrained(folder / "unet")
    vae.save_pretrained(folder / "vae")
    EulerDiscreteScheduler(**ACTalkerConfig().scheduler).save_pretrained(folder / "scheduler")
    return folder


def write_single_file(path, unet, first_stage):
    """Stability AI's layout; first_stage: the VAE's tensors in it."""
    layers = len(unet.down_blocks[0].resnets)
    upsampled = {f"up_blocks.{i}": 1 + hasattr(block, "attentions") for i, block in enumerate(unet.up_blocks)}
    state = {_original(name, layers, upsampled): value for name, value in unet.state_dict().items()}
    save_file({f"model.diffusion_model.{k}": v for k, v in state.items()} | first_stage, path)
    return path


def _original(name, layers, upsampled):
    for ours, theirs in OUTER.items():
        if name.startswith(f"{ours}."):
            return name.replace(ours, theirs)
    if m := re.match(r"down_blocks\.(\d)\.downsamplers\.0\.conv\.(.+)", name):
        return f"input_blocks.{(layers + 1) * (int(m[1]) + 1)}.0.op.{m[2]}"
    if m := re.match(r"(up_blocks\.(\d))\.upsamplers\.0\.(.+)", name):
        return f"output_blocks.{(layers + 1) * int(m[2]) + layers}.{upsampled[m[1]]}.{m[3]}"
    side, level, kind, at, rest = re.match(r"(down|mid|up)_block(?:s\.(\d))?\.(\w+)\.(\d)\.(.+)", name).groups()
    inner = _resnet(rest) if kind == "resnets" else _attention(rest)
    if side == "mid":
        return f"middle_block.{2 * int(at) if kind == 'resnets' else 1}.{inner}"
    number = (layers + 1) * int(level) + int(at) + (side == "down")
    return f"{'input' if side == 'down' else 'output'}_blocks.{number}.{int(kind == 'attentions')}.{inner}"


def _resnet(rest):
    rest = rest.replace("spatial_res_block.", "").replace("temporal_res_block.", "time_stack.")
    for ours, theirs in WITHIN.items():
        rest = rest.replace(ours, theirs)
    return rest


def _attention(rest):
    rest = rest.replace("temporal_transformer_blocks", "time_stack")
    return rest.replace("time_pos_embed.linear_1", "time_pos_embed.0").replace("linear_2", "2")
