"""Networks by path: where they are looked for, and that only weights come out of them."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from mamba_portrait.learning.evaluation.judge import weights
from mamba_portrait.learning.evaluation.judge.weights import FILES, find_networks, read_state, sha256


@pytest.fixture
def linear():
    return nn.Linear(3, 2)


@pytest.fixture(autouse=True)
def no_package(monkeypatch):
    monkeypatch.setattr(weights, "_packaged", dict)


def test_a_folder_is_searched_by_published_and_by_our_names(tmp_path, linear):
    for name in ("syncnet_v2.model", "i3d.pt", "other.pth"):
        torch.save(linear.state_dict(), tmp_path / name)
    assert find_networks(place=tmp_path).files == {
        "syncnet": tmp_path / "syncnet_v2.model",
        "i3d": tmp_path / "i3d.pt",
    }
    assert find_networks(["i3d=" + str(tmp_path / "other.pth")], tmp_path).files["i3d"] == tmp_path / "other.pth"
    assert not find_networks().files


@pytest.mark.parametrize("name", ["list.json", "list.yaml"])
def test_a_list_is_relative_to_itself(tmp_path, linear, name):
    (tmp_path / "deep").mkdir()
    torch.save(linear.state_dict(), tmp_path / "deep" / "a.pt")
    text = json.dumps({"arcface": "deep/a.pt"}) if name.endswith("json") else "# mine\narcface: 'deep/a.pt'  # ours\n"
    (tmp_path / name).write_text(text)
    assert find_networks(place=tmp_path / name).files == {"arcface": tmp_path / "deep/a.pt"}


def test_what_is_wrong_is_one_sentence(tmp_path):
    for named, place, error, words in (
        (["syncnet"], None, ValueError, "NAME=PATH"),
        (["vgg=a.pth"], None, ValueError, "no measure needs a network 'vgg'"),
        (["syncnet=none.model"], None, FileNotFoundError, "none.model"),
        ([], tmp_path / "none", FileNotFoundError, "no such folder"),
    ):
        with pytest.raises(error, match=words):
            find_networks(named, place)
    for text, words in (("{", "no JSON"), ("[1]", "NAME: PATH"), ('{"i3d": 3}', "NAME: PATH")):
        (tmp_path / "list.json").write_text(text)
        with pytest.raises(ValueError, match=words):
            find_networks(place=tmp_path / "list.json")


def test_a_file_of_another_network_is_told(tmp_path, linear):
    torch.save(nn.Linear(3, 4).state_dict(), tmp_path / "arcface.pth")
    networks = find_networks(place=tmp_path)
    with pytest.raises(ValueError, match="arcface.pth does not hold the network for identity similarity"):
        networks.load("arcface", linear)


def test_a_known_hash_is_checked(tmp_path, linear):
    torch.save(linear.state_dict(), tmp_path / "vgg16.pth")
    with pytest.raises(ValueError, match="not the published file for LPIPS with VGG: .* not with 397923af"):
        find_networks(place=tmp_path).state("vgg16")
    torch.save(linear.state_dict(), tmp_path / "arcface.pth")
    networks = find_networks(place=tmp_path)
    loaded = networks.load("arcface", nn.Linear(3, 2))
    assert torch.equal(loaded.weight, linear.weight) and not loaded.weight.requires_grad
    assert networks.hashes == {"arcface": sha256(tmp_path / "arcface.pth")}


class Evil:
    def __reduce__(self):
        return Path.touch, (Path("ran"),)


def test_code_in_a_checkpoint_does_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"weight": torch.zeros(1), "extra": Evil()}, tmp_path / "a.pth")
    with pytest.raises(ValueError, match="a.pth cannot be read as weights alone"):
        read_state(tmp_path / "a.pth")
    assert not (tmp_path / "ran").exists()


def test_wrapped_states_are_unpacked(tmp_path, linear):
    from safetensors.torch import save_file

    torch.save({"state_dict": linear.state_dict(), "epoch": 3}, tmp_path / "a.ckpt")
    save_file(linear.state_dict(), tmp_path / "b.safetensors")
    assert read_state(tmp_path / "a.ckpt").keys() == read_state(tmp_path / "b.safetensors").keys() == {"weight", "bias"}
    torch.save({"epoch": 3}, tmp_path / "c.ckpt")
    with pytest.raises(ValueError, match="c.ckpt holds no named tensors"):
        read_state(tmp_path / "c.ckpt")


def test_every_network_says_what_it_is_for():
    assert all(file.what and file.published for file in FILES.values())
    for file in FILES.values():  # names of files that carry the beginning of their hash
        assert not file.sha256 or file.sha256 in file.published[0]
