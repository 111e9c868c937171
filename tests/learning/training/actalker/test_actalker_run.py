"""ACTalker's training as a command: from a corpus with painted clips to a file that loads."""

import json
import shutil
from fractions import Fraction

import numpy as np
import pytest
import torch

pytest.importorskip("diffusers", reason="ACTalker needs diffusers (extra actalker)")
pytest.importorskip("transformers", reason="ACTalker needs transformers (extra actalker)")

from mamba_portrait.cli import main  # noqa: E402
from mamba_portrait.learning.corpus.tracks import write_wave  # noqa: E402
from mamba_portrait.learning.training.actalker.task import TRAINED, ACTalkerTask  # noqa: E402
from mamba_portrait.learning.training.actalker.train import ACTalkerSettings, train_actalker  # noqa: E402
from mamba_portrait.learning.training.loop import Every, Plan  # noqa: E402
from mamba_portrait.media.faces import Face  # noqa: E402
from mamba_portrait.media.video import VideoWriter  # noqa: E402
from mamba_portrait.model_loaders.actalker.load import load_actalker  # noqa: E402
from mamba_portrait.model_loaders.actalker.reduced import reduced_actalker  # noqa: E402


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Two training clips, one of them too short, and one held out."""
    root = tmp_path_factory.mktemp("corpus")
    for name, split, frames in (("a", "train", 12), ("b", "train", 2), ("c", "test", 12)):
        clip = root / "clips" / name
        clip.mkdir(parents=True)
        with VideoWriter(clip / "video.mp4", fps=Fraction(25)) as writer:
            writer.write(torch.rand(frames, 64, 64, 3))
        write_wave(clip / "audio.wav", np.random.default_rng(0).standard_normal(640 * frames) * 0.1)
        (clip / "meta.json").write_text(json.dumps({"split": split, "fps": "25"}))
    return root


@pytest.fixture
def faces(monkeypatch):
    face = Face((16.0, 12.0, 48.0, 50.0), 1.0, None, "own", (64, 64))
    monkeypatch.setattr("mamba_portrait.pipelines.actalker.follower.find_face", lambda picture: face)


def test_a_run_trains_and_writes_a_file_that_loads(corpus, faces, tmp_path, caplog):
    given = ["--data", str(corpus), "--out", str(tmp_path), "--size", "64", "--rate", "0.001", "--device", "cpu"]
    assert main(["train", "actalker", *given, "--steps", "3"]) == 0
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    updates, judged = ([line for line in lines if name in line] for name in ("loss", "held_out"))
    assert [line["step"] for line in updates] == [1, 2, 3] and {line["clip"] for line in updates} == {"a"}
    assert [line["step"] for line in judged] == [0, 3] and judged[0]["held_out"] != judged[1]["held_out"]
    trained, before = load_actalker(tmp_path / "actalker.safetensors", dtype=torch.float32), reduced_actalker(0)
    old = before.state_dict()
    moved = {name.split(".")[0] for name, x in trained.state_dict().items() if not torch.equal(x, old[name])}
    assert "unet" in moved and moved <= set(TRAINED)


def test_killed_and_resumed_equals_unbroken(corpus, faces, tmp_path, killing):
    def train(name):
        settings = ACTalkerSettings(rate=1e-3, image_size=64)
        train_actalker(corpus, tmp_path / name, Plan(steps=3, seed=3, saves=Every(steps=2)), settings)
        return torch.load(tmp_path / name / "actalker.pt", weights_only=True)["model"]

    whole = train("whole")
    with killing(ACTalkerTask, "losses", 3):
        train("broken")
    resumed = train("broken")
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())
    files = (tmp_path / name / "actalker.safetensors" for name in ("whole", "broken"))
    a, b = (load_actalker(file, dtype=torch.float32).state_dict() for file in files)
    assert all(torch.equal(value, b[name]) for name, value in a.items())


def test_a_corpus_without_videos_says_how_to_paint_some(corpus, tmp_path, capsys):
    shutil.copytree(corpus, tmp_path / "bare", ignore=shutil.ignore_patterns("*.mp4"))
    assert main(["train", "actalker", "--data", str(tmp_path / "bare"), "--out", str(tmp_path / "out")]) == 2
    assert "--painted" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_clips_that_cannot_be_used_are_told(corpus, faces, tmp_path, capsys):
    shutil.copytree(corpus, tmp_path / "short", ignore=shutil.ignore_patterns("a"))
    given = ["--data", str(tmp_path / "short"), "--out", str(tmp_path / "out"), "--device", "cpu"]
    assert main(["train", "actalker", *given]) == 2
    assert "No clip is long enough" in capsys.readouterr().err


def test_real_networks_are_trained_at_640_pixels():
    """Supplement, A.1; the reduced size has its own."""
    assert ACTalkerSettings(weights="models/actalker").side == 640
    assert ACTalkerSettings(weights="models/actalker", image_size=512).side == 512
    assert ACTalkerSettings().side is None
