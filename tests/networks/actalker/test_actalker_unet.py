"""The ACTalker UNet: published names and shapes, exactness of closed gates, and its place on stock SVD."""

import gzip
import json
from pathlib import Path

import pytest
import torch

pytest.importorskip("diffusers", reason="ACTalker's UNet needs diffusers (extra actalker)")

from mamba_portrait.networks.actalker.conditions import Context, LevelMasks, Tokens  # noqa: E402
from mamba_portrait.networks.actalker.pcm import ParallelControlMamba  # noqa: E402
from mamba_portrait.networks.actalker.svd_parts import UNetSpatioTemporalConditionModel  # noqa: E402
from mamba_portrait.networks.actalker.unet import ACTalkerUNet  # noqa: E402

KEYS = Path(__file__).parents[2] / "data" / "actalker_keys.json.gz"
REDUCED = {
    "block_out_channels": (32, 64, 64, 64),
    "num_attention_heads": (2, 4, 4, 4),
    "layers_per_block": 1,
    "cross_attention_dim": 64,
    "addition_time_embed_dim": 8,
    "projection_class_embeddings_input_dim": 24,
    "num_frames": 3,
}
B, F = 2, 3


def scrambled(model: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if not name.endswith(("A_logs", "dt_projs_bias")):
                parameter.add_(torch.randn(parameter.shape, generator=g) * 0.05)
    return model.eval()


def arguments(audio_mask, motion_mask, audio=1.0, motion=1.0) -> dict:
    g = torch.Generator().manual_seed(1)

    def randn(*shape):
        return torch.randn(*shape, generator=g)

    return {
        "sample": randn(B, F, 8, 16, 16),
        "timestep": 0.7,
        "identity": randn(B * F, 1, 64),
        "audio": randn(B * F, 32, 64) * audio,
        "motion": randn(B * F, 1, 64) * motion,
        "face_feature": randn(B, F, 32, 16, 16),
        "audio_mask": audio_mask,
        "motion_mask": motion_mask,
        "added_time_ids": torch.tensor([[12.5, 12.0, 20.0]]).repeat(B, 1),
    }


ONES, ZEROS = torch.ones(1, 1, 128, 128), torch.zeros(1, 1, 128, 128)
MOUTH = ZEROS.clone()
MOUTH[..., 64:96, 32:96] = 1


def test_an_attention_adds_both_adapters_under_their_masks(unet):
    """y = attend(x, id) + 1.25 mask_0 attend(x, voice) + 1.25 mask_1 attend(x, motion), each formula written out."""
    attention = unet.down_blocks[0].attentions[0].transformer_blocks[0].attn2
    adapters, heads = attention.processor, attention.heads
    g = torch.Generator().manual_seed(2)
    x = torch.randn(2, 12, 32, generator=g)
    tokens = Tokens(*(torch.randn(2, n, 64, generator=g) for n in (1, 5, 1)))
    masks = torch.rand(2, 1, 12, 1, generator=g)

    def attend(query, key, value):
        q, k, v = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in (query, key, value))
        weights = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)
        return (weights @ v).transpose(1, 2).flatten(2)

    with torch.no_grad():
        query = attention.to_q(x)
        want = attend(query, attention.to_k(tokens.identity), attention.to_v(tokens.identity))
        for i, token in enumerate((tokens.audio, tokens.motion)):
            want = want + 1.25 * masks[i] * attend(query, adapters.to_k_ip[i](token), adapters.to_v_ip[i](token))
        got = attention(x, Context(tokens, LevelMasks(*masks, None, None)))
        torch.testing.assert_close(got, attention.to_out[0](want), rtol=1e-5, atol=1e-5)


@pytest.fixture(scope="module")
def unet():
    torch.manual_seed(0)
    return scrambled(ACTalkerUNet(**REDUCED))


@torch.no_grad()
def run(unet, **kwargs):
    return unet(**kwargs)


def test_names_and_shapes_are_the_published_ones():
    with torch.device("meta"):
        found = {name: list(x.shape) for name, x in ACTalkerUNet().state_dict().items()}
    assert found == json.loads(gzip.decompress(KEYS.read_bytes()))["unet"]


def test_output_is_deterministic_and_driven_by_everything(unet):
    want = run(unet, **arguments(MOUTH, ONES))
    assert want.shape == (B, F, 4, 16, 16) and torch.isfinite(want).all()
    assert torch.equal(run(unet, **arguments(MOUTH, ONES)), want)
    for name in ("sample", "identity", "audio", "motion", "face_feature", "added_time_ids", "timestep"):
        changed = arguments(MOUTH, ONES)
        changed[name] = changed[name] + 0.5
        assert not torch.equal(run(unet, **changed), want), name
    assert not torch.equal(run(unet, **arguments(ONES, ONES)), want)


@pytest.mark.parametrize(
    ("closed", "masks", "gates"),
    [
        (("exp_", "to_k_ip.1", "to_v_ip.1"), (ONES, ZEROS), (1.0, 0.0)),
        (("audio_", "to_k_ip.0", "to_v_ip.0"), (ZEROS, ONES), (0.0, 1.0)),
    ],
)
def test_closed_gate_makes_the_branch_inert(unet, closed, masks, gates):
    given = arguments(*masks, *gates)
    want = run(unet, **given)
    saved = {name: x.clone() for name, x in unet.state_dict().items()}
    with torch.no_grad():
        for name, parameter in unet.named_parameters():
            if any(part in name for part in closed):
                parameter.normal_()
    got = run(unet, **given)
    unet.load_state_dict(saved)
    assert torch.equal(got, want)


def test_rows_of_a_batch_are_independent(unet):
    given = arguments(MOUTH, ONES)
    want = run(unet, **given)
    second = {k: v[F:] if k in ("identity", "audio", "motion") else v for k, v in given.items()}
    second |= {k: given[k][1:] for k in ("sample", "face_feature", "added_time_ids")}
    torch.testing.assert_close(run(unet, **second), want[1:], rtol=1e-4, atol=1e-4)


def test_without_controls_it_is_stock_svd(unet, monkeypatch):
    """PCM as identity, zero tokens, no face feature and one identity token for all frames: diffusers' own UNet."""
    monkeypatch.setattr(ParallelControlMamba, "forward", lambda self, x, *rest: x)
    stock = UNetSpatioTemporalConditionModel(**REDUCED).eval()
    stock.load_state_dict({k: v for k, v in unet.state_dict().items() if k in stock.state_dict()})
    given = arguments(ONES, ONES, 0.0, 0.0)
    given["face_feature"] = given["face_feature"] * 0
    token = torch.randn(B, 1, 64)
    given["identity"] = token.repeat_interleave(F, 0)
    with torch.no_grad():
        want = stock(given["sample"], torch.tensor(0.7), token, given["added_time_ids"]).sample
    torch.testing.assert_close(run(unet, **given), want, rtol=1e-4, atol=1e-4)


def test_temporal_layers_read_the_mean_of_the_window(unet, monkeypatch):
    """With the spatial layers' adapters silenced by zero masks, only the mean of the voice tokens counts."""
    monkeypatch.setattr(ParallelControlMamba, "forward", lambda self, x, *rest: x)
    given = arguments(ZEROS, ZEROS)
    turned = dict(given)
    turned["audio"] = given["audio"].unflatten(0, (B, F)).flip(1).flatten(0, 1)
    torch.testing.assert_close(run(unet, **turned), run(unet, **given), rtol=1e-5, atol=1e-5)


def test_more_than_one_layer_a_block_is_refused():
    with pytest.raises(ValueError, match="transformer_layers_per_block"), torch.device("meta"):
        ACTalkerUNet(**REDUCED, transformer_layers_per_block=2)
