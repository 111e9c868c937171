"""The VAE out of a single-file SVD checkpoint: random weights written in the original layout, read back unchanged."""

import copy
import re

import pytest
import torch
from safetensors.torch import save_file

pytest.importorskip("diffusers", reason="ACTalker needs diffusers (extra actalker)")

from mamba_portrait.model_loaders.actalker.files import check_part, find_files, read_part  # noqa: E402
from mamba_portrait.model_loaders.actalker.svd_single_file import CONDITIONER, FIRST_STAGE  # noqa: E402
from mamba_portrait.networks.actalker.config import SVD_VAE, ACTalkerConfig  # noqa: E402
from mamba_portrait.networks.actalker.model import build_part  # noqa: E402

WIDTHS = (32, 64, 96, 128)
ORIGINAL = (
    ("spatial_res_block.", ""),
    ("temporal_res_block.norm1", "time_stack.in_layers.0"),
    ("temporal_res_block.conv1", "time_stack.in_layers.2"),
    ("temporal_res_block.norm2", "time_stack.out_layers.0"),
    ("temporal_res_block.conv2", "time_stack.out_layers.3"),
    ("time_mixer.mix_factor", "mix_factor"),
    ("conv_shortcut", "nin_shortcut"),
    ("mid_block.attentions.0.group_norm", "mid.attn_1.norm"),
    ("mid_block.attentions.0.to_out.0", "mid.attn_1.proj_out"),
    ("mid_block.attentions.0.to_", "mid.attn_1."),
    ("mid_block.resnets.0", "mid.block_1"),
    ("mid_block.resnets.1", "mid.block_2"),
    ("conv_norm_out", "norm_out"),
    ("time_conv_out", "conv_out.time_mix_conv"),
    ("down_blocks", "down"),
    ("up_blocks", "up"),
    ("resnets", "block"),
    ("downsamplers.0", "downsample"),
    ("upsamplers.0", "upsample"),
)


def in_original_layout(vae: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Names and shapes of `first_stage_model` in svd_xt.safetensors, which has no quant_conv."""
    written = {}
    for name, tensor in vae.state_dict().items():
        for ours, theirs in ORIGINAL:
            name = name.replace(ours, theirs)
        if name.startswith("decoder"):
            name = re.sub(r"\.up\.(\d)", lambda m: f".up.{len(WIDTHS) - 1 - int(m[1])}", name)
        convolution = ".attn_1." in name and name.endswith("weight") and ".norm." not in name
        written[name] = tensor[..., None, None].contiguous() if convolution else tensor
    return written


@pytest.fixture(scope="module")
def vae():
    torch.manual_seed(0)
    module = build_part("vae", ACTalkerConfig(vae=SVD_VAE | {"block_out_channels": WIDTHS})).requires_grad_(False)
    for parameter in module.parameters():  # norms and mixers start alike and would hide a mix-up
        parameter.copy_(torch.randn_like(parameter))
    module.quant_conv.weight.copy_(torch.eye(8)[..., None, None])
    module.quant_conv.bias.zero_()
    return module


def test_known_names_of_the_original_layout(vae):
    written = in_original_layout(vae)
    assert written["decoder.up.3.block.0.conv1.weight"].shape == (128, 128, 3, 3)
    assert written["decoder.up.0.block.0.nin_shortcut.weight"].shape == (32, 64, 1, 1)
    assert written["decoder.mid.block_1.time_stack.in_layers.2.weight"].shape == (128, 128, 3, 1, 1)
    assert written["encoder.mid.attn_1.proj_out.weight"].shape == (128, 128, 1, 1)
    assert "decoder.conv_out.time_mix_conv.bias" in written and "encoder.down.2.downsample.conv.bias" in written


def same(state, vae) -> bool:
    want = vae.state_dict()
    return state.keys() == want.keys() and all(torch.equal(x, want[k]) for k, x in state.items())


def test_the_first_stage_is_read_alone_and_unchanged(vae, tmp_path):
    first = {FIRST_STAGE + k: v for k, v in in_original_layout(vae).items() if not k.startswith("quant")}
    save_file(first | {"model.diffusion_model.out.2.bias": torch.ones(4)}, tmp_path / "svd_xt.safetensors")
    (path,) = find_files(tmp_path).values()
    state = read_part("vae", path)
    check_part("vae", path, state, vae)
    assert same(state, vae)


def test_the_encoder_may_be_the_conditioners(vae, tmp_path):
    """As in pruned files; there a 1x1 convolution follows it."""
    vae = copy.deepcopy(vae)
    vae.quant_conv.weight.normal_()
    written = in_original_layout(vae)
    state = {FIRST_STAGE + k: v for k, v in written.items() if k.startswith("decoder")}
    state |= {CONDITIONER + k: v for k, v in written.items() if not k.startswith("decoder")}
    save_file(state, tmp_path / "svd.safetensors")
    assert same(read_part("vae", tmp_path / "svd.safetensors"), vae)


def test_another_models_file_is_refused_by_name_and_tensor(vae, tmp_path):
    path = tmp_path / "sd_vae.safetensors"
    image_vae = {k: v for k, v in in_original_layout(vae).items() if "time_" not in k and "mix_factor" not in k}
    save_file({FIRST_STAGE + k: v for k, v in image_vae.items()}, path)
    with pytest.raises(ValueError, match="sd_vae.safetensors is not ACTalker's vae.*temporal_res_block"):
        check_part("vae", path, read_part("vae", path), vae)


def test_the_last_training_step_and_diffusers_own_file_are_preferred(tmp_path):
    for name in ("unet-9000.pth", "a/unet-136000.pth", "svd_xt.safetensors"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert find_files(tmp_path) == {
        "unet": tmp_path / "a" / "unet-136000.pth",
        "vae": tmp_path / "svd_xt.safetensors",
    }
    (tmp_path / "vae").mkdir()
    for variant in ("", ".fp16"):
        (tmp_path / "vae" / f"diffusion_pytorch_model{variant}.safetensors").touch()
    assert find_files(tmp_path)["vae"].name == "diffusion_pytorch_model.safetensors"
