"""A file whose config and tensors are none is refused in a sentence that names it, before a network is made."""

import json
import math
import pickle
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from mamba_portrait.learning.training.renderer.matte_task import WIDTHS
from mamba_portrait.media.finders.own import load_face_finder
from mamba_portrait.media.motion import load_motion
from mamba_portrait.model_loaders.checkpoint import load_motion_model, load_renderer, save_checkpoint
from mamba_portrait.model_loaders.described import LARGEST, check_numbers, network_of
from mamba_portrait.model_loaders.pickles import read_pickle
from mamba_portrait.networks.face_finder import FaceFinder, FaceFinderConfig
from mamba_portrait.networks.renderer.config import RendererConfig


@pytest.fixture
def altered(tiny_weights, tmp_path):
    """A function that writes a tiny network's file with other config values or tensors."""

    def write(name="renderer_lite", config=None, tensors=None, **metadata):
        source = tiny_weights / f"{name}.safetensors"
        state = load_file(source) | (tensors or {})
        from safetensors import safe_open

        with safe_open(str(source), "pt") as file:
            told = file.metadata()
        if config is not None:
            told["config"] = json.dumps(json.loads(told["config"]) | config) if isinstance(config, dict) else config
        path = tmp_path / "net.safetensors"
        save_file({name: value for name, value in state.items() if value is not None}, path, told | metadata)
        return path

    return write


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"image_size": 0}, "image_size must be a whole number from 16 to 2048, not 0."),
        ({"regions": "x"}, "regions must be a whole number from 1 to 256, not 'x'."),
        ({"encoder_widths": [8, 8, None]}, "encoder_widths must be at most 32 whole numbers"),
        ({"deviation_heads": 3}, "deviation_heads 3 must divide deviation_dim 16."),
        ({"parameter_standing": 5}, "was trained with other motion parameters"),
        ("[", "its config is not JSON"),
        ("[" * 20_000, "its config is not JSON"),
        ('{"regions": 1' + "1" * 5000 + "}", "its config is not JSON"),
        ("3", "the config must be an object"),
        ({"deviation_dim": 32}, "does not fit the network its config describes"),
    ],
)
def test_a_config_that_cannot_be_is_told_with_file_and_field(altered, config, said):
    with pytest.raises(ValueError) as refused:
        load_renderer(altered(config=config))
    told = str(refused.value)
    assert told.startswith("net.safetensors ") and said in told and told.endswith(".") and "\n" not in told


def test_a_huge_network_is_refused_before_it_is_made(altered, monkeypatch):
    made = []
    monkeypatch.setattr(nn.Module, "load_state_dict", lambda *_: made.append(1))
    with pytest.raises(ValueError, match="does not fit the network its config describes"):
        load_renderer(altered(config={"decoder_widths": [8192, 8192, 8192], "lmdd_widths": [8192, 8192]}))
    assert not made


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 2 * LARGEST, -2 * LARGEST])
def test_numbers_that_no_weight_has_are_refused(altered, tiny_weights, value):
    name, tensor = next((n, t) for n, t in load_file(tiny_weights / "renderer_lite.safetensors").items() if t.ndim == 1)
    spoilt = tensor.float().clone()
    spoilt[0] = value
    with pytest.raises(ValueError, match=rf"^net.safetensors has numbers in its tensor '{name}' that no weight has"):
        load_renderer(altered(tensors={name: spoilt}))


@pytest.mark.parametrize("change", [
    lambda t: t.long(), lambda t: t.bool(), lambda t: t.to(torch.complex64), lambda t: t[None], lambda t: t[:0],
    lambda t: None,
])  # fmt: skip
def test_tensors_of_another_kind_or_shape_are_refused(altered, tiny_weights, change):
    name, tensor = next(iter(load_file(tiny_weights / "motion_lite.safetensors").items()))
    with pytest.raises(ValueError, match=r"^net.safetensors does not fit .*\(1 tensors differ"):
        load_motion_model(altered("motion_lite", tensors={name: change(tensor.float())}))


def test_a_language_is_an_id(altered):
    for language in ("two words", "x" * 99, "a\nb"):
        with pytest.raises(ValueError, match="^net.safetensors has .* as its motion_language"):
            load_motion_model(altered("motion_lite", motion_language=language))


def test_a_variance_below_zero_is_refused(tmp_path):
    network = FaceFinder(FaceFinderConfig(widths=(4, 4, 4, 8, 8), blocks=1, head=8))
    network.stem[0][1].running_var[0] = -1.0
    path = save_checkpoint(tmp_path / "f.safetensors", network, "face_finder", network.config)
    with pytest.raises(ValueError, match="f.safetensors has numbers in its tensor 'stem.0.1.running_var'"):
        load_face_finder(path)
    network.stem[0][1].running_var[0] = 1.0
    assert not load_face_finder(save_checkpoint(path, network, "face_finder", network.config)).training


def test_an_index_that_names_nothing_readable_is_told(tmp_path):
    for text in ("", "[]", "{}", '{"weight_map": 3}', '{"weight_map": {"a": 5}}', '{"weight_map": {"a": [1]}}'):
        (tmp_path / "parts.safetensors.index.json").write_text(text)
        with pytest.raises(ValueError, match=r"^parts.safetensors.index.json .*fetch it again\.$"):
            load_renderer(tmp_path / "parts.safetensors")
    for name in ("y" * 5000, "a\0b", "../x.safetensors", "\ud800", ""):
        (tmp_path / "parts.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
        with pytest.raises(FileNotFoundError, match="parts.safetensors is incomplete: its part .* is missing"):
            load_renderer(tmp_path / "parts.safetensors")


def test_memory_that_is_not_there_is_no_fault_of_the_file():
    def make():
        raise MemoryError

    with pytest.raises(MemoryError):
        network_of("x.safetensors", make, {})


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2])
def test_numbers_of_every_width_are_checked(dtype):
    check_numbers("x.safetensors", "weight", torch.ones(3).to(dtype))
    with pytest.raises(ValueError, match="x.safetensors has numbers in its tensor 'weight'"):
        check_numbers("x.safetensors", "weight", torch.tensor([1.0, math.nan]).to(dtype))


class Planted:
    def __reduce__(self):
        return exec, ("open('ran', 'w').close()",)


def test_planted_code_does_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Planted()))
    torch.save({"weight": Planted()}, tmp_path / "zip.pth")
    torch.save({"weight": Planted()}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    for name in ("plain.pth", "zip.pth", "old.pth"):
        for mmap in (False, True):
            with pytest.raises(ValueError, match=f"^{name} cannot be read safely .* would run code. Fetch it again.$"):
                read_pickle(tmp_path / name, mmap=mmap)
    assert not (tmp_path / "ran").exists()
    torch.save([1], tmp_path / "list.pth")
    with pytest.raises(ValueError, match="^list.pth is no checkpoint: it holds .1. in the place of named tensors"):
        read_pickle(tmp_path / "list.pth")


@pytest.mark.parametrize("fps", ["", "nan", "inf", "0", "-25", "1/0", "1e999999999", "9" * 5000, "1001", "1/999"])
def test_a_motion_file_has_a_plausible_rate(tmp_path, fps):
    metadata = {"format": "mamba_portrait", "kind": "motion", "version": "1", "fps": fps}
    save_file({"values": torch.zeros(2, 768), "reference": torch.zeros(768)}, tmp_path / "m.safetensors", metadata)
    with pytest.raises(ValueError, match=r"^m.safetensors has .* for its frames a second, .*\.$"):
        load_motion(tmp_path / "m.safetensors")


@pytest.mark.parametrize("values", [torch.zeros(2, 768).long(), torch.zeros(2, 768).to(torch.complex64),
                                    torch.zeros(0, 768), torch.zeros(768), torch.full((2, 768), math.nan)])  # fmt: skip
def test_a_motion_file_holds_numbers_of_its_shape(tmp_path, values):
    metadata = {"format": "mamba_portrait", "kind": "motion", "version": "1", "fps": "25"}
    save_file({"values": values, "reference": torch.zeros(768)}, tmp_path / "m.safetensors", metadata)
    with pytest.raises(ValueError, match=r"^m.safetensors (has values that|holds no motion: )"):
        load_motion(tmp_path / "m.safetensors")


def test_the_shipped_weights_are_within_the_ranges():
    assert load_renderer().config == replace(RendererConfig.lite(), matte_widths=WIDTHS)
    assert load_motion_model().config.prediction == "x0"
