"""Published files on a disk, checked one by one; one converted file; messages that say which file is wrong."""

import json
import pickle

import pytest
import torch
from safetensors.torch import save_file

pytest.importorskip("diffusers", reason="ACTalker needs diffusers (extra actalker)")
pytest.importorskip("transformers", reason="ACTalker needs transformers (extra actalker)")

from mamba_portrait.model_loaders.actalker.files import find_files  # noqa: E402
from mamba_portrait.model_loaders.actalker.load import (  # noqa: E402
    config_beside,
    convert_actalker,
    load_actalker,
    save_actalker,
)
from mamba_portrait.networks.actalker.config import ACTalkerConfig  # noqa: E402
from mamba_portrait.networks.actalker.model import PARTS, ACTalker  # noqa: E402

CONFIG = ACTalkerConfig.reduced()
PLACES = {
    "unet": "tmp/unet-136000.pth",
    "face_mask_encoder": "tmp/pose_guider-136000.pth",
    "audio_projector": "tmp/audio_linear-136000.pth",
    "identity_projector": "tmp/id_proj_model-136000.pth",
    "motion_projector": "tmp/vasa_linear-136000.pth",
    "arcface": "enhance/backbone.pth",
}


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return ACTalker(CONFIG)


@pytest.fixture
def folder(model, tmp_path):
    """The files as they are published."""
    for part, place in PLACES.items():
        (tmp_path / place).parent.mkdir(exist_ok=True)
        torch.save(getattr(model, part).state_dict(), tmp_path / place)
    (tmp_path / "svd" / "vae").mkdir(parents=True)
    save_file(model.vae.state_dict(), tmp_path / "svd" / "vae" / "diffusion_pytorch_model.safetensors")
    (tmp_path / "whisper-tiny").mkdir()
    whisper = {f"model.encoder.{k}": v for k, v in model.whisper.state_dict().items()}
    save_file(whisper | {"model.decoder.x": torch.ones(1)}, tmp_path / "whisper-tiny" / "model.safetensors")
    expression = {f"net.expression_model.{k}": v for k, v in model.expression.state_dict().items()}
    both = {"generator": expression | {"net.other": torch.ones(1)}, "pose_model": model.head_pose.state_dict()}
    torch.save(both, tmp_path / "MX31c_32k.ckpt")
    return tmp_path


def same(a, b) -> bool:
    a, b = a.state_dict(), b.state_dict()
    return a.keys() == b.keys() and all(torch.equal(x, b[k]) for k, x in a.items())


def test_every_published_file_is_found_and_loaded(model, folder):
    assert set(find_files(folder)) == set(PARTS)
    loaded = load_actalker(folder, dtype=torch.float32, config=CONFIG)
    assert same(loaded, model)
    assert not any(p.requires_grad or p.is_meta for p in loaded.parameters())


def test_one_converted_file_holds_everything(model, folder, tmp_path):
    convert_actalker(folder, tmp_path / "actalker.safetensors", dtype=torch.float32, config=CONFIG)
    loaded = load_actalker(tmp_path / "actalker.safetensors", dtype=torch.float32)
    assert same(loaded, model) and loaded.config == CONFIG
    assert not list(tmp_path.glob("*.part"))


def test_half_precision_is_kept_through_the_converted_file(model, folder, tmp_path):
    convert_actalker(folder, tmp_path / "half.safetensors", dtype=torch.float16, config=CONFIG)
    loaded = load_actalker(tmp_path / "half.safetensors", dtype=torch.float16)
    assert loaded.unet.conv_in.weight.dtype == torch.float16
    rates = {n: p for n, p in loaded.unet.named_parameters() if n.endswith("A_logs")}
    assert all(p.dtype == torch.float32 and torch.equal(p, model.unet.get_parameter(n)) for n, p in rates.items())


def test_models_without_motion_files_still_hear(folder):
    (folder / "MX31c_32k.ckpt").unlink()
    loaded = load_actalker(folder, dtype=torch.float32, config=CONFIG)
    assert loaded.expression is None and loaded.whisper is not None


def test_missing_files_are_named(folder):
    (folder / PLACES["unet"]).unlink()
    with pytest.raises(FileNotFoundError, match=f"not all in {folder}: missing unet-136000.pth"):
        load_actalker(folder, config=CONFIG)
    with pytest.raises(FileNotFoundError, match="no file or folder"):
        load_actalker(folder / "nothing.safetensors")


def test_wrong_file_is_named_with_what_was_expected(folder):
    path = folder / PLACES["motion_projector"]
    state = torch.load(path, weights_only=True)
    torch.save(state | {"proj1.weight": torch.ones(3, 4)}, path)
    with pytest.raises(ValueError, match=r"vasa_linear-136000.pth.*proj1.weight: \(3, 4\), expected \(58, 16\)"):
        load_actalker(folder, config=CONFIG)
    torch.save({"a": torch.ones(1)}, path)
    with pytest.raises(ValueError, match="4 tensors are missing.*not known, first a"):
        load_actalker(folder, config=CONFIG)


class Harmful:
    def __reduce__(self):
        return print, ("code ran",)


def test_files_that_would_run_code_are_refused(folder, capsys):
    with open(folder / PLACES["arcface"], "wb") as file:
        pickle.dump({"x": Harmful()}, file)
    with pytest.raises(ValueError, match="backbone.pth cannot be read safely.*Fetch it again.$"):
        load_actalker(folder, config=CONFIG)
    assert "code ran" not in capsys.readouterr().out


def test_foreign_safetensors_are_refused(tmp_path):
    save_file({"x": torch.ones(1)}, tmp_path / "foreign.safetensors")
    with pytest.raises(ValueError, match="not written by the ACTalker converter"):
        load_actalker(tmp_path / "foreign.safetensors")


def test_failed_write_leaves_nothing(model, tmp_path, monkeypatch):
    def fail(tensors, path, metadata):
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr("mamba_portrait.model_loaders.actalker.load.save_file", fail)
    with pytest.raises(OSError, match="disk full"):
        save_actalker(model, tmp_path / "out.safetensors")
    assert not list(tmp_path.iterdir())


def test_configs_beside_the_files_are_read(folder):
    svd = folder / "svd"
    for name, values in (("unet/config.json", CONFIG.unet), ("vae/config.json", CONFIG.vae)):
        (svd / name).parent.mkdir(exist_ok=True)
        (svd / name).write_text(json.dumps(values | {"_class_name": "X"}))
    (folder / "whisper-tiny" / "config.json").write_text(json.dumps(CONFIG.whisper | {"architectures": ["W"]}))
    found = config_beside(find_files(folder))
    assert found.unet["num_frames"] == 3 and tuple(found.vae["block_out_channels"]) == (32, 32, 32, 32)
    assert found.whisper == CONFIG.whisper
