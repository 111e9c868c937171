"""A training that begins on Stable Video Diffusion: its tensors arrive, and the new layers leave it as it is."""

import pytest
import torch
from safetensors.torch import load_file, save_file

pytest.importorskip("diffusers", reason="ACTalker needs diffusers (extra actalker)")
pytest.importorskip("transformers", reason="ACTalker needs transformers (extra actalker)")

from mamba_portrait.learning.evaluation.actalker.cost import unet_inputs  # noqa: E402
from mamba_portrait.model_loaders.actalker.load import save_actalker  # noqa: E402
from mamba_portrait.model_loaders.actalker.reduced import reduced_actalker  # noqa: E402
from mamba_portrait.model_loaders.actalker.svd_start import ENCODERS, actalker_on_svd  # noqa: E402
from mamba_portrait.model_loaders.actalker.svd_unet_single_file import unet_from_single_file  # noqa: E402
from mamba_portrait.networks.actalker.fresh import fit_sizes  # noqa: E402
from mamba_portrait.networks.actalker.pcm import ParallelControlMamba  # noqa: E402

from .svd_files import small_svd, write_folder, write_single_file  # noqa: E402
from .test_actalker_svd_single_file import FIRST_STAGE, in_original_layout  # noqa: E402


def agree(state, wanted) -> bool:
    return all(torch.equal(value, state[name]) for name, value in wanted.items())


@pytest.fixture(scope="module")
def svd(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("svd"), *small_svd())


@pytest.fixture(scope="module")
def encoders(tmp_path_factory):
    path = tmp_path_factory.mktemp("encoders") / "actalker.safetensors"
    save_actalker(reduced_actalker(3), path)
    return path


@pytest.fixture
def model(svd, encoders):
    return actalker_on_svd(svd, encoders)


def test_svds_tensors_and_the_encoders_arrive(model):
    unet, vae = small_svd()
    assert agree(model.unet.state_dict(), unet.state_dict()) and agree(model.vae.state_dict(), vae.state_dict())
    given = reduced_actalker(3)
    for part in ENCODERS:
        assert all(map(torch.equal, getattr(model, part).parameters(), getattr(given, part).parameters()))
    assert model.config.image_size == 640 and model.config.window == 3


@torch.no_grad()
def test_the_new_layers_leave_svd_as_it_is(model, monkeypatch):
    stock, _ = small_svd()
    torch.manual_seed(0)
    given = unet_inputs(model.config, (64, 64), 1, (True, True), "cpu", torch.float32)
    for name in ("sample", "audio", "motion"):
        given[name] = torch.randn_like(given[name])
    given["identity"] = model.identity_projector(torch.randn(3, 1, 16))
    given["face_feature"] = model.face_mask_encoder(torch.rand(3, 3, 64, 64))[None]
    given |= {"timestep": torch.tensor(0.3), "added_time_ids": torch.tensor([[6.0, 127, 0.02]])}
    given["motion_mask"][..., :32] = 0
    true = stock(given["sample"], given["timestep"], torch.zeros(1, 1, 64), given["added_time_ids"], return_dict=False)[
        0
    ]
    with fit_sizes(model):
        model.unet(**given)
    began = model.unet(**given)
    assert torch.cosine_similarity(began.flatten(), true.flatten(), 0) > 0.95
    assert 0.9 < (began.std() / true.std()) < 1.1
    monkeypatch.setattr(ParallelControlMamba, "forward", lambda layer, x, *rest: x)
    torch.testing.assert_close(model.unet(**given), true, rtol=0, atol=1e-5 * float(true.abs().max()))


@torch.no_grad()
def test_a_parallel_control_layer_begins_as_the_identity_but_for_its_tokens_sizes(model):
    layer = next(module for module in model.unet.modules() if isinstance(module, ParallelControlMamba))
    x, tokens = torch.randn(2, 12, 32), [torch.randn(2, n, 64) for n in (1, 4, 1)]
    out = layer(x, *tokens, torch.arange(5), torch.arange(3, 9))
    torch.testing.assert_close(out, x / x.square().mean(-1, keepdim=True).sqrt(), rtol=0, atol=1e-3)


def test_the_single_file_gives_the_same(svd, encoders, model, tmp_path):
    unet, vae = small_svd()
    first = {FIRST_STAGE + k: v for k, v in in_original_layout(vae).items()}
    path = write_single_file(tmp_path / "svd_xt.safetensors", unet, first)
    assert agree(actalker_on_svd(path, encoders).state_dict(), model.state_dict())


def test_names_of_the_single_file_as_published(tmp_path):
    """Two layers a level, as SVD-XT has them; names that stand in svd_xt.safetensors."""
    unet, _ = small_svd(layers_per_block=2)
    state = load_file(write_single_file(tmp_path / "svd.safetensors", unet, {}))
    for name in (
        "input_blocks.1.0.time_stack.in_layers.0.weight",
        "input_blocks.1.1.time_pos_embed.0.weight",
        "input_blocks.1.1.time_stack.0.ff_in.net.0.proj.weight",
        "input_blocks.3.0.op.weight",
        "input_blocks.11.0.time_mixer.mix_factor",
        "middle_block.1.time_mixer.mix_factor",
        "output_blocks.2.1.conv.weight",
        "output_blocks.5.2.conv.weight",
        "output_blocks.11.1.proj_out.weight",
        "label_emb.0.2.bias",
    ):
        assert f"model.diffusion_model.{name}" in state, name
    read = unet_from_single_file(state)
    assert read.keys() == unet.state_dict().keys()
    assert agree(read, unet.state_dict())


def test_what_is_missing_or_other_is_said(svd, encoders, tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no unet/diffusion_pytorch_model.safetensors"):
        actalker_on_svd(tmp_path, encoders)
    with pytest.raises(FileNotFoundError, match="There is no file or folder"):
        actalker_on_svd(tmp_path / "absent", encoders)
    with pytest.raises(FileNotFoundError, match="backbone.pth.*whisper-tiny"):
        actalker_on_svd(svd, tmp_path)
    save_file({"conv_in.weight": torch.zeros(1)}, tmp_path / "svd.safetensors")
    with pytest.raises(ValueError, match="svd.safetensors is not ACTalker's unet"):
        actalker_on_svd(tmp_path / "svd.safetensors", encoders)
