"""The VAE inside a single-file Stable Video Diffusion checkpoint (svd_xt.safetensors), under diffusers' names.

diffusers' own single-file loading does not know the temporal decoder. The names on the left are those of Stability AI's
`generative-models`: an image encoder, and a decoder whose every residual block has a second one over time.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

FIRST_STAGE = "first_stage_model."
CONDITIONER = "conditioner.embedders.3.encoder."  # the same encoder again, for SVD's conditioning frame

_PARTS = (
    (r"\.norm_out\.", ".conv_norm_out."),
    (r"\.conv_out\.time_mix_conv\.", ".time_conv_out."),
    (r"\.down\.(\d+)\.block\.(\d+)\.", r".down_blocks.\1.resnets.\2."),
    (r"\.down\.(\d+)\.downsample\.", r".down_blocks.\1.downsamplers.0."),
    (r"\.up\.(\d+)\.upsample\.", r".up_blocks.\1.upsamplers.0."),
    (r"\.up\.(\d+)\.block\.(\d+)\.", r".up_blocks.\1.resnets.\2."),
    (r"\.mid\.block_1\.", ".mid_block.resnets.0."),
    (r"\.mid\.block_2\.", ".mid_block.resnets.1."),
    (r"\.mid\.attn_1\.norm\.", ".mid_block.attentions.0.group_norm."),
    (r"\.mid\.attn_1\.([qkv])\.", r".mid_block.attentions.0.to_\1."),
    (r"\.mid\.attn_1\.proj_out\.", ".mid_block.attentions.0.to_out.0."),
    (r"\.time_stack\.in_layers\.0\.", ".temporal_res_block.norm1."),
    (r"\.time_stack\.in_layers\.2\.", ".temporal_res_block.conv1."),
    (r"\.time_stack\.out_layers\.0\.", ".temporal_res_block.norm2."),
    (r"\.time_stack\.out_layers\.3\.", ".temporal_res_block.conv2."),
    (r"\.mix_factor$", ".time_mixer.mix_factor"),
    (r"\.nin_shortcut\.", ".conv_shortcut."),
)


def belongs_to_vae(name: str) -> bool:
    """Whether a tensor of a checkpoint in the original layout is the VAE's; the others need not be read."""
    return name.startswith((FIRST_STAGE, CONDITIONER))


def vae_from_single_file(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The VAE's tensors under the names of `AutoencoderKLTemporalDecoder`; other tensors keep their names.

    The encoder is the first stage's, or the conditioner's where the file has no other (pruned files). Only the
    conditioner's is followed by a 1x1 convolution; the first stage has it folded in, so there it is the identity.
    """
    first = {k.removeprefix(FIRST_STAGE): v for k, v in state.items() if k.startswith(FIRST_STAGE)}
    if not any(k.startswith("encoder.") for k in first):
        first |= {k.removeprefix(CONDITIONER): v for k, v in state.items() if k.startswith(CONDITIONER)}
    levels = 1 + max((int(m[1]) for k in first if (m := re.match(r"decoder\.up\.(\d+)\.", k))), default=0)
    found = {_rename(k, levels): _linear(k, v) for k, v in first.items()}
    width = found.get("encoder.conv_out.bias")
    if "quant_conv.weight" not in found and width is not None:
        found["quant_conv.weight"] = torch.eye(len(width), dtype=width.dtype)[..., None, None]
        found["quant_conv.bias"] = torch.zeros_like(width)
    return found


def _rename(name: str, levels: int) -> str:
    for pattern, replacement in _PARTS:
        name = re.sub(pattern, replacement, name)
    if name.startswith("decoder."):  # its levels are counted from the finest, and its image blocks lie one deeper
        name = re.sub(r"\.up_blocks\.(\d+)\.", lambda m: f".up_blocks.{levels - 1 - int(m[1])}.", name)
        name = re.sub(r"(\.resnets\.\d+)\.(norm|conv)", r"\1.spatial_res_block.\2", name)
    return name


def _linear(name: str, tensor: Tensor) -> Tensor:
    """Attention's projections are 1x1 convolutions in the original."""
    return tensor[:, :, 0, 0] if ".attn_1." in name and tensor.dim() == 4 else tensor
