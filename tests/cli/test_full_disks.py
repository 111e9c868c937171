"""A disk that is too small for what a command writes: one sentence with the asked name and its folder, no half file. On
a real small disk where this user may mount one."""

import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mamba_portrait.cli import main
from mamba_portrait.media.audio import write_wav
from mamba_portrait.media.photo import save_image
from mamba_portrait.networks.motion_model.config import MotionModelConfig
from mamba_portrait.networks.renderer.config import RendererConfig

DEVICE = ["--device", "cpu", "--precision", "fp32"]


@pytest.fixture
def small(tmp_path):
    """A disk of 2 MB of which 100 kB are free: enough for the check before the work."""
    folder = tmp_path / "small"
    folder.mkdir()
    if (
        sys.platform != "linux"
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True
        ).returncode
    ):
        pytest.skip("this user may not mount a small disk")
    try:
        (folder / "older").write_bytes(bytes((2 << 20) - 100_000))
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def tiny_lite(monkeypatch, tiny_config, tiny_motion_config):
    """The preset `lite` at toy widths."""
    monkeypatch.setattr(RendererConfig, "lite", classmethod(lambda cls: tiny_config))
    monkeypatch.setattr(MotionModelConfig, "lite", classmethod(lambda cls: tiny_motion_config))


def refused(command: list, small: Path, name: str, capsys) -> None:
    """The command ends with one sentence about `name` in `small`, and leaves what was there."""
    capsys.readouterr()
    assert main([str(word) for word in command]) == 2
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told.startswith(f"error: {name} cannot be written in {small}"), told
    assert "the disk is full; free some space" in told and "Errno" not in told
    left = [path for path in small.rglob("*") if path.is_file() and path.name not in ("older", "log.jsonl")]
    assert not [path for path in left if "tensorboard" not in path.parts], left


def test_animate(small, tmp_path, shipped_tiny, capsys):
    save_image(tmp_path / "photo.png", torch.rand(180, 200, 3, generator=torch.Generator().manual_seed(0)))
    write_wav(tmp_path / "voice.wav", torch.sin(torch.arange(48000) / 16000 * math.tau * 200) * 0.4, 16000)
    order = ["animate", tmp_path / "photo.png", tmp_path / "voice.wav", "--finder", "whole", "--steps", 1, *DEVICE]
    refused([*order, "--size", 512, "-o", small / "film.mp4"], small, "film.mp4", capsys)
    order += ["--size", 64, "-o", tmp_path / "film.mp4", "--save-motion", small / "motion.safetensors"]
    refused(order, small, "motion.safetensors", capsys)
    assert not (tmp_path / "film.mp4").exists()


def test_corpus(small, drawn_or_skip, capsys):
    refused(["corpus", "--out", small / "data", "--stills", 2, "--size", 64], small / "data/stills", FIRST, capsys)
    order = ["corpus", "--out", small / "more", "--stills", 2, "--size", 64, "--jobs", 2]
    refused(order, small / "more/stills", FIRST, capsys)
    refused(["corpus", "--out", small / "data", "--clips", 2], small / "data/clips", "voice_0_000000", capsys)


def test_train_and_export(small, tmp_path, drawn_clips, tiny_lite, shipped_tiny, capsys):
    assert main(["train", "stage1", "--data", str(drawn_clips), "--out", str(tmp_path), "--steps", "1", *DEVICE]) == 0
    refused(["export", tmp_path / "stage1.pt", "-o", small / "r.safetensors"], small, "r.safetensors", capsys)
    order = ["--data", drawn_clips, "--out", small / "run", "--steps", 1, *DEVICE]
    refused(["train", "stage1", *order], small / "run", "stage1.pt", capsys)
    refused(["train", "stage2", *order, "--batch-size", 2], small / "run", "stage2.pt", capsys)


FIRST = "000000_flow.npy"


@pytest.fixture
def drawn_or_skip():
    """A skip that says what the machine lacks for drawing."""
    pytest.importorskip("moderngl")
    from mamba_portrait.learning.corpus.drawing.rasterizer import HeadRasterizer
    from mamba_portrait.learning.corpus.speech.engines import available_engines

    if not available_engines():
        pytest.skip("no speech engine is installed")
    try:
        HeadRasterizer(64)
    except Exception as fault:  # no EGL, or no driver behind it
        pytest.skip(str(fault))


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("animate none.jpg none.wav -o OUT/film.mp4", "film.mp4"),
        ("reenact none.jpg none.mp4 -o OUT/film.mp4", "film.mp4"),
        ("export none.pt -o OUT/w.safetensors", "w.safetensors"),
        ("corpus --out OUT/data --clips 1", "data"),
        ("train stage1 --data . --out OUT/run", "run"),
        ("train stage2 --data . --out OUT/run", "run"),
        ("train all --data . --out OUT/run", "run"),
    ],
)
def test_a_disk_that_can_only_be_read_is_told_before_anything_is_read(small, command, name, capsys):
    subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
    assert main(command.replace("OUT", str(small)).split()) == 2
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told.startswith("error: ") and name in told and str(small) in told and "Errno" not in told
    assert "it can only be read; name another folder" in told and [path.name for path in small.iterdir()] == ["older"]
