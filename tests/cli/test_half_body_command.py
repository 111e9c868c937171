"""--framing half: the wider crop and the networks for half bodies; the loaders offer them where they are."""

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from mamba_portrait.cli import film, main
from mamba_portrait.host.headless import settings as headless
from mamba_portrait.media.audio import write_wav
from mamba_portrait.media.crop import HALF_SCALE
from mamba_portrait.media.motion import load_motion
from mamba_portrait.media.photo import save_image
from mamba_portrait.media.video import probe_video
from mamba_portrait.model_loaders import checkpoint
from mamba_portrait.model_loaders.checkpoint import SHIPPED, SHIPPED_HALF, save_checkpoint
from mamba_portrait.networks.motion_model.model import MotionModel
from mamba_portrait.networks.renderer.model import Renderer
from mamba_portrait.nodes import loaders
from mamba_portrait.vocabulary import ARMS

BOX = "80,40,120,80"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("half")
    save_image(folder / "photo.png", torch.rand(160, 201, 3))
    write_wav(folder / "voice.wav", torch.sin(torch.arange(6400) * math.pi / 40)[None] * 0.4, 16000)
    return folder


@pytest.fixture
def half_weights(tmp_path, monkeypatch, tiny_config, tiny_motion_config):
    """Tiny networks for half bodies, the only ones that ship."""
    monkeypatch.setenv("MAMBA_PORTRAIT_WEIGHTS", str(tmp_path))
    renderer = Renderer(replace(tiny_config, arms=len(ARMS)))
    model = MotionModel(tiny_motion_config, renderer.motion_language)
    save_checkpoint(tmp_path / SHIPPED_HALF["renderer"], renderer, "renderer", renderer.config)
    save_checkpoint(tmp_path / SHIPPED_HALF["motion_model"], model, "motion_model", model.config)
    return renderer


def animate(files, out, *more) -> int:
    command = ["animate", str(files / "photo.png"), str(files / "voice.wav"), "-o", str(out), "--framing", "half"]
    return main([*command, "--box", BOX, "--steps", "1", "--device", "cpu", *more])


def test_a_half_body_speaks_in_a_wider_square(files, half_weights, tmp_path):
    motion = tmp_path / "motion.safetensors"
    assert animate(files, tmp_path / "out.mp4", "--save-motion", str(motion)) == 0
    info = probe_video(tmp_path / "out.mp4")
    assert info.width == info.height == round(40 * HALF_SCALE) // 2 * 2 and info.has_audio
    assert load_motion(motion).language == half_weights.motion_language


def test_other_commands_take_the_networks_for_half_bodies_too(files, half_weights, tmp_path, capsys):
    photo, half = str(files / "photo.png"), ("--framing", "half", "--box", BOX, "--device", "cpu")
    assert main(["express", photo, "--smile", "0.5", "-o", str(tmp_path / "still.png"), *half]) == 0
    said = ["--sound", str(files / "voice.wav"), "--seconds", "0.3", "--port", "0", "--size", "64"]
    assert main(["live", photo, *said, *half]) == 0
    motion = tmp_path / "motion.safetensors"
    assert animate(files, tmp_path / "out.mp4", "--save-motion", str(motion)) == 0
    assert main(["reenact", photo, str(motion), "-o", str(tmp_path / "again.mp4"), *half]) == 0


def test_missing_weights_are_named(files, tiny_weights, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("MAMBA_PORTRAIT_WEIGHTS", str(tiny_weights))
    assert animate(files, tmp_path / "out.mp4") == 2
    assert SHIPPED_HALF["renderer"] in capsys.readouterr().err and not (tmp_path / "out.mp4").exists()


def test_a_crop_that_is_given_comes_before_the_framing():
    options = SimpleNamespace(framing="half", scale=2.0, shift=None)
    assert film.framing(options)["scale"] == 2.0 and film.framing(options)["shift"] < 0
    assert film.framing(SimpleNamespace(framing="head", scale=None, shift=None)) == {}


def test_the_loaders_offer_half_bodies_where_they_are(half_weights, tiny_weights, monkeypatch):
    assert loaders._choices("renderer")[:2] == [SHIPPED["renderer"], SHIPPED_HALF["renderer"]]
    loaded = loaders.LoadRenderer.execute(SHIPPED_HALF["renderer"]).args[0]
    assert loaded.module.config.arms == len(ARMS)
    monkeypatch.setenv("MAMBA_PORTRAIT_WEIGHTS", str(tiny_weights))
    monkeypatch.setattr(checkpoint, "WEIGHTS", tiny_weights)  # as where none ship
    with headless.configure(model_folders=[]):  # a node's extension adds the package's own
        assert SHIPPED_HALF["renderer"] not in loaders._choices("renderer")
        with pytest.raises(FileNotFoundError, match=SHIPPED_HALF["motion_model"]):
            loaders.LoadMotionModel.execute(SHIPPED_HALF["motion_model"])
