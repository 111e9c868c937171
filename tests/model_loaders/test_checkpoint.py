"""A checkpoint describes itself, comes back as it was saved, and nothing else is accepted."""

import json

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from mamba_portrait.model_loaders import checkpoint
from mamba_portrait.model_loaders.checkpoint import load_checkpoint, load_motion_model, load_renderer, save_checkpoint
from mamba_portrait.networks.motion_model.model import MotionModel
from mamba_portrait.networks.renderer.model import Renderer


@pytest.fixture(scope="module")
def model(tiny_motion_config):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = MotionModel(tiny_motion_config)
        model.motion_mean.normal_()
    return model


def test_a_model_comes_back_within_half_precision(tmp_path, model):
    path = save_checkpoint(tmp_path / "m.safetensors", model, "motion_model", model.config, {"training": {"steps": 7}})
    again = load_motion_model(path)
    assert again.config == model.config and not again.training
    for name, value in model.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value, rtol=1e-3, atol=1e-6)
    assert torch.equal(again.motion_mean, model.motion_mean), "statistics stay float32"
    _, metadata = load_checkpoint(path)
    assert metadata["format"] == "mamba_portrait" and metadata["kind"] == "motion_model"
    assert json.loads(metadata["training"]) == {"steps": 7}


def test_a_motion_model_keeps_the_language_it_learned(tmp_path, model, tiny_config):
    renderer = Renderer(tiny_config)
    saved = save_checkpoint(tmp_path / "r.safetensors", renderer, "renderer", tiny_config)
    language = load_checkpoint(saved)[1]["motion_language"]
    assert (
        load_renderer(saved).motion_language == renderer.motion_language == language
    )  # half precision changes nothing
    learned = MotionModel(model.config, renderer.motion_language)
    assert (
        load_motion_model(
            save_checkpoint(tmp_path / "m.safetensors", learned, "motion_model", model.config)
        ).motion_language
        == language
    )
    unknown = save_checkpoint(tmp_path / "old.safetensors", model, "motion_model", model.config)
    assert load_motion_model(unknown).motion_language == "" and "motion_language" not in load_checkpoint(unknown)[1]
    with torch.no_grad():
        next(renderer.motion_encoder.parameters()).mul_(1.1)
        assert renderer.motion_language == language, "an encoder that learns on speaks the same language"
        weight = renderer.parameters_of_motion.writer.weight
        weight[0, 0] = 0.0
        language = renderer.motion_language
        weight[0, 0] = -0.0
        assert renderer.motion_language == language, "averaged weights turn -0 into 0"
        renderer.parameters_of_motion.reader.bias[0] += 0.1
    assert renderer.motion_language != language


def test_the_shipped_networks_were_made_for_each_other():
    assert load_motion_model().motion_language in ("", load_renderer().motion_language)


def test_large_checkpoints_are_cut_into_shards_and_read_by_any_name(tmp_path, model, monkeypatch):
    monkeypatch.setattr(checkpoint, "SHARD_BYTES", 40_000)
    monkeypatch.setattr(checkpoint, "HEADER_BYTES", 0)
    path = save_checkpoint(tmp_path / "m.safetensors", model, "motion_model", model.config)
    shards = sorted(tmp_path.glob("m-*.safetensors"))
    assert len(shards) > 1 and not path.exists()
    whole = save_checkpoint(tmp_path / "whole" / "m.safetensors", model, "motion_model", model.config)
    for name in (path, shards[0], tmp_path / "m.safetensors.index.json"):
        state, _ = load_checkpoint(name)
        assert all(torch.equal(value, load_checkpoint(whole)[0][key]) for key, value in state.items())
        assert state.keys() == model.state_dict().keys()
    monkeypatch.undo()
    save_checkpoint(path, model, "motion_model", model.config)
    assert [file.name for file in tmp_path.glob("m*") if file.is_file()] == ["m.safetensors"], "old shards are gone"


def test_a_missing_shard_is_named(tmp_path, model, monkeypatch):
    monkeypatch.setattr(checkpoint, "SHARD_BYTES", 40_000)
    monkeypatch.setattr(checkpoint, "HEADER_BYTES", 0)
    path = save_checkpoint(tmp_path / "m.safetensors", model, "motion_model", model.config)
    lost = sorted(tmp_path.glob("m-*.safetensors"))[1]
    lost.unlink()
    with pytest.raises(FileNotFoundError, match=lost.name):
        load_checkpoint(path)


def test_values_beyond_half_precision_are_kept(tmp_path):
    module = nn.Linear(2, 2)
    with torch.no_grad():
        module.weight.fill_(1e6)
    state, _ = load_checkpoint(save_checkpoint(tmp_path / "f.safetensors", module, "face_finder", {"width": 2}))
    assert torch.equal(state["weight"], module.weight)


def test_pickles_and_foreign_files_are_refused(tmp_path, model):
    torch.save(model.state_dict(), tmp_path / "m.pt")
    with pytest.raises(ValueError, match="m.pt may run code"):
        load_checkpoint(tmp_path / "m.pt")
    save_file({"a": torch.zeros(1)}, str(tmp_path / "other.safetensors"))
    with pytest.raises(ValueError, match="other.safetensors is not a Mamba Portrait checkpoint"):
        load_checkpoint(tmp_path / "other.safetensors")
    (tmp_path / "broken.safetensors").write_bytes(b"\x80\x04not a checkpoint")
    with pytest.raises(ValueError, match="broken.safetensors is damaged"):
        load_checkpoint(tmp_path / "broken.safetensors")
    with pytest.raises(FileNotFoundError, match="none.safetensors"):
        load_checkpoint(tmp_path / "none.safetensors")


def test_the_wrong_kind_is_named(tmp_path, model):
    path = save_checkpoint(tmp_path / "m.safetensors", model, "motion_model", model.config)
    with pytest.raises(ValueError, match="holds a motion model, not a renderer"):
        load_renderer(path)


def test_missing_shipped_weights_say_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("MAMBA_PORTRAIT_WEIGHTS", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="renderer_lite.safetensors"):
        load_renderer(None)


def test_a_failed_write_leaves_no_file(tmp_path, model, monkeypatch):
    def broken(*_):
        raise OSError("disk full")

    monkeypatch.setattr(checkpoint.os, "replace", broken)
    with pytest.raises(OSError, match="disk full"):
        save_checkpoint(tmp_path / "m.safetensors", model, "motion_model", model.config)
    assert not list(tmp_path.iterdir())
