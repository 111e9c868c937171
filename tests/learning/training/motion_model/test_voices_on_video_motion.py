"""A voice learnt from films whose motion has no names: clips are encoded, a model trains, what it says is measured."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mamba_portrait.cli import main as command
from mamba_portrait.learning.datasets.tracks import load_tracks
from mamba_portrait.learning.training.motion_model import video_voices
from mamba_portrait.learning.training.motion_model.clips import as_learnt, encode_clips
from mamba_portrait.media.video import VideoWriter
from mamba_portrait.model_loaders.checkpoint import load_motion_model, load_renderer, save_checkpoint
from mamba_portrait.networks.motion_model.config import MotionModelConfig
from mamba_portrait.networks.renderer.model import Renderer

from ....conftest import write_toy_clip


@pytest.fixture
def unnamed(tiny_config, tmp_path):
    """The file of a renderer whose motion has no names."""
    torch.manual_seed(0)
    config = replace(tiny_config, motion_space="free", readout=False)
    save_checkpoint(tmp_path / "free.safetensors", Renderer(config), "renderer", config)
    return tmp_path / "free.safetensors"


@pytest.fixture(autouse=True)
def tiny_models(tiny_motion_config, monkeypatch):
    """New motion models are tiny."""
    monkeypatch.setattr(MotionModelConfig, "lite", classmethod(lambda cls: tiny_motion_config))


@pytest.fixture
def films(tmp_path):
    """A folder with clips for training, and another with clips held out: the picture is as light as the voice loud."""
    rng = np.random.default_rng(0)
    for place, count in (("films", 3), ("held_out", 2)):
        for number in range(count):
            clip = write_toy_clip(tmp_path / place / "clips" / f"c{number}", "train", 40)
            light = 40 + 150 * np.clip(np.sin(np.arange(40) * 0.7), 0, 1)[:, None, None, None]
            with VideoWriter(clip / "video.mp4", fps=25) as video:
                video.write((light + rng.integers(0, 40, (40, 64, 64, 3))).astype(np.uint8))
            (clip / "labels.npz").unlink()
    return tmp_path


def test_a_voice_is_learnt_from_films_without_labels_or_names(unnamed, films, capsys):
    run = films / "voice"
    options = ["--renderer", unnamed, "--steps", 2, "--batch-size", 2, "--device", "cpu"]
    words = ["train", "stage2", "--data", films / "films", "--out", run, *options]
    assert command([str(word) for word in words]) == 0
    assert command(["export", str(run / "stage2.pt"), "-o", str(films / "voice.safetensors")]) == 0
    model = load_motion_model(films / "voice.safetensors")
    assert not model.config.regression and model.motion_language == ""
    assert model.motion_encoder_id == load_renderer(unnamed).motion_encoder_id
    capsys.readouterr()
    video_voices.main([str(films / "voice.safetensors"), str(unnamed), str(films / "held_out")])
    assert "2 clips, components less another voice's: " in capsys.readouterr().out


def test_drawn_labels_need_names(unnamed, films, capsys):
    write_toy_clip(films / "films" / "clips" / "labelled", "train")
    words = ["train", "stage2", "--data", films / "films", "--out", films / "v", "--renderer", unnamed, "--steps", 1]
    assert command([str(word) for word in words]) != 0
    assert "no named parameters yet" in capsys.readouterr().err


def test_what_is_sampled_as_filmed_is_its_own_voice(unnamed, films, monkeypatch):
    renderer, rng = load_renderer(unnamed), torch.Generator().manual_seed(0)
    tracks = load_tracks(films / "held_out", None, encode_clips(films / "held_out", renderer))
    motions = [torch.randn(40, renderer.config.motion_dim, generator=rng).cumsum(0) for _ in tracks]
    tracks = [replace(track, values=motion.numpy()) for track, motion in zip(tracks, motions, strict=True)]
    rows = iter(motions)
    monkeypatch.setattr(video_voices, "_sampled", lambda model, track, frames, seed: next(rows)[:frames])
    found = video_voices.voices_against_others(None, renderer, tracks, seconds=1.6)
    assert found["components"][0] == pytest.approx(1, abs=1e-3)
    assert found["components less another voice's"][0] > 0.1 and "lips" not in found


def test_motion_without_names_is_counted_from_the_mean_of_its_clip(unnamed, tiny_weights):
    free = load_renderer(unnamed)
    motion = torch.randn(5, free.config.motion_dim, generator=torch.Generator().manual_seed(0))
    assert as_learnt(motion + 3, free).mean(0).abs().max() < 1e-5
    named = load_renderer(tiny_weights / "renderer_lite.safetensors")
    assert torch.equal(as_learnt(motion, named), named.centred(motion, motion[0]))
