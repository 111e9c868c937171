"""From a downloaded film through `prepare` and a training on Stable Video Diffusion to a film of the trained network,
at a reduced size."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

pytest.importorskip("diffusers", reason="ACTalker needs diffusers (extra actalker)")
pytest.importorskip("transformers", reason="ACTalker needs transformers (extra actalker)")

import mamba_portrait  # noqa: E402
from mamba_portrait.cli import main  # noqa: E402
from mamba_portrait.learning.datasets.clip_files import clips_of  # noqa: E402
from mamba_portrait.learning.evaluation.actalker.filming import make_actalker_films  # noqa: E402
from mamba_portrait.learning.evaluation.judge.samples import read_samples  # noqa: E402
from mamba_portrait.media.photo import load_photo, to_uint8  # noqa: E402
from mamba_portrait.media.video import probe_video  # noqa: E402
from mamba_portrait.model_loaders.actalker.load import load_actalker, save_actalker  # noqa: E402
from mamba_portrait.model_loaders.actalker.reduced import reduced_actalker  # noqa: E402

from ....model_loaders.actalker.svd_files import small_svd, write_folder  # noqa: E402
from ...datasets.preparing.trees import film, scene  # noqa: E402

FRAMES = 14


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """A folder with a small SVD, small encoders, and prepared clips of a photograph that is carried about."""
    root = tmp_path_factory.mktemp("given")
    write_folder(root / "svd", *small_svd())
    save_actalker(reduced_actalker(3), root / "encoders.safetensors")
    photo = to_uint8(load_photo(Path(mamba_portrait.__file__).parent / "assets" / "portrait.jpg"))
    face = cv2.resize(photo[40:240, 125:325], (200, 200))
    (root / "films").mkdir()
    film(root / "films" / "one.mp4", scene(face, (240, 320), (20, 60), FRAMES))
    prepare = ["prepare", str(root / "films"), "--layout", "films", "--out", str(root / "clips"), "--size", "128"]
    assert main([*prepare, "--seconds", ".4"]) == 0 and len(clips_of(root / "clips")) == 1
    return root


def command(given, out, *more):
    made = ["train", "actalker", "--data", str(given / "clips"), "--out", str(out), "--size", "64", "--device", "cpu"]
    made += ["--svd", str(given / "svd"), "--encoders", str(given / "encoders.safetensors"), "--rate", "0.001"]
    return [*made, *more]


def train(given, out, *more):
    return main(command(given, out, *more))


def test_from_prepare_to_a_film(given, tmp_path):
    assert train(given, tmp_path / "run", "--steps", "2") == 0
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2] and all(np.isfinite(line["loss"]) for line in lines)
    trained = load_actalker(tmp_path / "run" / "actalker.safetensors", dtype=torch.float32)
    assert trained.config.image_size == 64
    svd, now = small_svd()[0].state_dict(), trained.unet.state_dict()
    moved = max(float((now[name] - value).abs().max()) for name, value in svd.items())
    assert 0 < moved < 0.01, "the UNet is SVD's, two steps on"

    (sample,) = read_samples(given / "clips" / "clips.csv", None)
    for drive in ("voice", "video"):
        folder = make_actalker_films(trained, [sample], tmp_path / drive, drive, 64, steps=2)
        info = probe_video(folder / f"{sample.name}.mp4")
        assert (info.width, info.height, info.has_audio) == (64, 64, True)
        assert abs(float(info.duration) - FRAMES / 25) < 0.09


def trained_weights(out):
    return torch.load(out / "actalker.pt", weights_only=True)["model"]


def alike(some, other):
    return max(float((some[name] - other[name]).abs().max()) for name in some) < 1e-5


@pytest.fixture(scope="module")
def whole(given, tmp_path_factory):
    """The weights after one step on a batch of two windows."""
    out = tmp_path_factory.mktemp("whole")
    assert train(given, out, "--steps", "1", "--batch-size", "2") == 0
    return trained_weights(out)


def test_a_run_goes_on_to_the_bit(given, tmp_path):
    for out, parts in (("unbroken", "2"), ("broken", "12")):
        for steps in parts:
            assert train(given, tmp_path / out, "--steps", steps) == 0
    unbroken, broken = (trained_weights(tmp_path / out) for out in ("unbroken", "broken"))
    assert all(torch.equal(value, broken[name]) for name, value in unbroken.items())


def test_parts_of_a_batch_do_what_the_whole_does(given, whole, tmp_path):
    assert train(given, tmp_path, "--steps", "1", "--batch-size", "2", "--accumulate", "2") == 0
    assert alike(whole, trained_weights(tmp_path))


def test_two_processes_do_what_one_does(given, whole, tmp_path):
    pytest.importorskip("accelerate")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    several = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "CUDA_VISIBLE_DEVICES": ""}
    line = [sys.executable, "-m", "mamba_portrait", *command(given, tmp_path, "--steps", "1", "--batch-size", "2")]
    both = [
        subprocess.Popen(line, env=os.environ | several | {"RANK": rank, "LOCAL_RANK": rank}) for rank in ("0", "1")
    ]
    try:
        assert [process.wait() for process in both] == [0, 0]
    finally:
        for process in both:
            process.kill()
    assert alike(whole, trained_weights(tmp_path))
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert len(lines) == 1, "one of them writes"


def test_svd_and_weights_exclude_each_other(given, tmp_path, capsys):
    assert train(given, tmp_path / "run", "--weights", "somewhere") == 2
    assert "not both" in capsys.readouterr().err
    only = ["train", "actalker", "--data", str(given / "clips"), "--out", str(tmp_path / "run")]
    assert main([*only, "--svd", str(given / "svd")]) == 2
    assert "needs --encoders" in capsys.readouterr().err
