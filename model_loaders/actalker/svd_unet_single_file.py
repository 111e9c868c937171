"""The UNet inside a single-file Stable Video Diffusion checkpoint (svd_xt.safetensors), under diffusers' names.

The names on the left are those of Stability AI's `generative-models`: blocks are numbered through, a residual block and
a transformer each have a second one over time, `time_stack`.
"""

import re
from collections.abc import Mapping

from torch import Tensor

UNET = "model.diffusion_model."

_RESIDUAL = (
    (r"^in_layers\.0\.", "norm1."),
    (r"^in_layers\.2\.", "conv1."),
    (r"^emb_layers\.1\.", "time_emb_proj."),
    (r"^out_layers\.0\.", "norm2."),
    (r"^out_layers\.3\.", "conv2."),
    (r"^skip_connection\.", "conv_shortcut."),
)
_OUTER = (
    (r"^time_embed\.0\.", "time_embedding.linear_1."),
    (r"^time_embed\.2\.", "time_embedding.linear_2."),
    (r"^label_emb\.0\.0\.", "add_embedding.linear_1."),
    (r"^label_emb\.0\.2\.", "add_embedding.linear_2."),
    (r"^input_blocks\.0\.0\.", "conv_in."),
    (r"^out\.0\.", "conv_norm_out."),
    (r"^out\.2\.", "conv_out."),
)


def belongs_to_unet(name: str) -> bool:
    """Whether a tensor of a checkpoint in the original layout is the UNet's; the others need not be read."""
    return name.startswith(UNET)


def unet_from_single_file(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The UNet's tensors under the names of `UNetSpatioTemporalConditionModel`; those of other parts are left out.

    How many residual blocks a level has is read from the place of the first downsampler. Names that the layout does
    not have stay as they are.
    """
    inner = {name.removeprefix(UNET): value for name, value in state.items() if belongs_to_unet(name)}
    downsamplers = [int(m[1]) for name in inner if (m := re.match(r"input_blocks\.(\d+)\.0\.op\.", name))]
    layers = min(downsamplers, default=3) - 1
    return {_rename(name, layers): value for name, value in inner.items()}


def _rename(name: str, layers: int) -> str:
    for pattern, replacement in _OUTER:
        if re.match(pattern, name):
            return re.sub(pattern, replacement, name)
    if m := re.match(r"middle_block\.([012])\.(.+)", name):
        transformer = f"attentions.0.{_transformer(m[2])}"
        return f"mid_block.{transformer if m[1] == '1' else f'resnets.{int(m[1]) // 2}.{_res(m[2])}'}"
    if m := re.match(r"(input|output)_blocks\.(\d+)\.(\d)\.(.+)", name):
        return _block(m[1] == "input", int(m[2]), m[3] == "0", m[4], layers)
    return name


def _block(down: bool, number: int, first: bool, rest: str, layers: int) -> str:
    """A numbered block, whose first part is the residual one: on the way down the first block is the UNet's first
    convolution, on the way up a level has one more, whose last holds the upsampler."""
    level, at = divmod(number - 1, layers + 1) if down else divmod(number, layers + 1)
    side = f"{'down' if down else 'up'}_blocks.{level}"
    if rest.startswith("op."):
        return f"{side}.downsamplers.0.conv.{rest.removeprefix('op.')}"
    if rest.startswith("conv."):
        return f"{side}.upsamplers.0.{rest}"
    return f"{side}.resnets.{at}.{_res(rest)}" if first else f"{side}.attentions.{at}.{_transformer(rest)}"


def _res(rest: str) -> str:
    """Within a residual block."""
    if rest.startswith("time_mixer."):
        return rest
    kind = "temporal" if rest.startswith("time_stack.") else "spatial"
    inner = rest.removeprefix("time_stack.")
    for pattern, replacement in _RESIDUAL:
        inner = re.sub(pattern, replacement, inner)
    return f"{kind}_res_block.{inner}"


def _transformer(rest: str) -> str:
    """Within a transformer."""
    rest = re.sub(r"^time_stack\.", "temporal_transformer_blocks.", rest)
    return re.sub(r"^time_pos_embed\.([02])\.", lambda m: f"time_pos_embed.linear_{int(m[1]) // 2 + 1}.", rest)
