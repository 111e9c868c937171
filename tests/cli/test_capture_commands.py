"""import-motion, export-motion and reenact with captures: a voice becomes a table, a table a film."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from mamba_portrait.cli import main
from mamba_portrait.media.audio import write_wav
from mamba_portrait.media.captures import read_capture, write_capture
from mamba_portrait.media.motion import load_motion
from mamba_portrait.media.photo import save_image
from mamba_portrait.media.video import probe_video, read_video
from mamba_portrait.vocabulary import COUNT, INDEX

pytestmark = pytest.mark.usefixtures("shipped_tiny")


@pytest.fixture
def files(tmp_path):
    save_image(tmp_path / "photo.png", torch.rand(64, 64, 3, generator=torch.Generator().manual_seed(0)))
    write_wav(tmp_path / "voice.wav", 0.3 * torch.sin(2 * math.pi * 200 * torch.arange(8000) / 16000)[None], 16000)
    values = np.zeros((60, COUNT), np.float32)
    values[:, INDEX["jaw"]] = np.linspace(0, 0.9, 60)
    write_capture(tmp_path / "take.csv", values, Fraction(60))
    return tmp_path


def test_a_voice_becomes_a_table_and_a_table_motion(files):
    assert main(["export-motion", str(files / "voice.wav"), "-o", str(files / "voice.csv")]) == 0
    table = read_capture(files / "voice.csv")
    assert table.fps == 60 and len(table.parameters) == pytest.approx(31, abs=2)
    saved = str(files / "m.safetensors")
    assert main(["import-motion", str(files / "take.csv"), "-o", saved]) == 0
    assert load_motion(saved).fps == 25 and load_motion(saved).frames == 25
    assert main(["export-motion", saved, "-o", str(files / "m.csv"), "--form", "mediapipe", "--fps", "25"]) == 0
    jaw = read_capture(files / "m.csv").parameters[:, INDEX["jaw"]]
    assert jaw[0] == pytest.approx(0, abs=0.01) and jaw[-1] == pytest.approx(0.9, abs=0.05)


def test_a_capture_drives_a_photo_with_its_sound(files):
    out = files / "moved.mp4"
    command = ["reenact", str(files / "photo.png"), str(files / "take.csv"), "-o", str(out), "--finder", "whole"]
    assert main([*command, "--size", "64", "--sound", str(files / "voice.wav")]) == 0
    info = probe_video(out)
    assert info.fps == 25 and info.has_audio and sum(1 for _ in read_video(out)) == 25


def test_a_film_of_face_points_is_written(files, capsys):
    command = ["export-motion", str(files / "take.csv"), "-o", str(files / "poses.mp4")]
    assert main(command) == 2 and "name it with --photo" in capsys.readouterr().err
    write_capture(files / "short.csv", np.zeros((5, COUNT), np.float32), Fraction(25))
    assert main(["export-motion", str(files / "short.csv"), "-o", str(files / "x.avi")]) == 2
    assert "name a .csv" in capsys.readouterr().err


def test_wrong_captures_leave_no_file(files, capsys):
    (files / "bad.csv").write_text("a,b\n1,2\n")
    assert main(["import-motion", str(files / "bad.csv"), "-o", str(files / "m.safetensors")]) == 2
    assert "no columns of blend shapes" in capsys.readouterr().err and not (files / "m.safetensors").exists()
    assert main(["import-motion", str(files / "gone.csv"), "-o", str(files / "m.safetensors")]) == 2
    assert "there is no such file" in capsys.readouterr().err
