"""animate and reenact: a photo of any size to a film of exactly the voice's length; bad input is one sentence."""

import math
from fractions import Fraction

import pytest
import torch

from mamba_portrait.cli import main
from mamba_portrait.media.audio import load_audio, write_wav
from mamba_portrait.media.crop import CROP_SCALE
from mamba_portrait.media.motion import load_motion
from mamba_portrait.media.photo import save_image
from mamba_portrait.media.video import VideoWriter, probe_video, read_video
from mamba_portrait.model_loaders.checkpoint import load_renderer, save_checkpoint

pytestmark = pytest.mark.usefixtures("shipped_tiny")
BOX = "70,50,130,110"
SIDE = round(60 * CROP_SCALE) // 2 * 2
"""The portrait around BOX, made even as video encoders want it."""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    y, x = torch.meshgrid(torch.linspace(0, 1, 180), torch.linspace(0, 1, 201), indexing="ij")
    save_image(folder / "photo.png", torch.stack([x, y, 1 - x], -1))
    t = torch.arange(22050) / 44100  # 0.5 s: 12.5 frames
    write_wav(folder / "voice.wav", torch.stack([torch.sin(2 * math.pi * 200 * t)] * 2) * 0.4, 44100)
    with VideoWriter(folder / "drive.mp4", fps=Fraction(30000, 1001), audio=(torch.zeros(4000), 16000)) as writer:
        for i in range(5):
            writer.write(torch.full((64, 80, 3), 0.2 + 0.1 * i))
    return folder


def test_animate_gives_a_film_with_the_whole_voice(files, tmp_path, capsys):
    out = tmp_path / "out.mp4"
    command = ["animate", str(files / "photo.png"), str(files / "voice.wav"), "-o", str(out), "--device", "cpu"]
    assert main([*command, "--box", BOX, "--steps", "2", "--save-motion", str(tmp_path / "m.safetensors")]) == 0
    info = probe_video(out)
    assert info.fps == 25 and info.has_audio and info.width == info.height == SIDE
    assert sum(1 for _ in read_video(out)) == 13
    waveform, rate = load_audio(out)
    assert waveform.shape[1] / rate >= 0.5
    motion, renderer = load_motion(tmp_path / "m.safetensors"), load_renderer()
    assert motion.frames == 13 and motion.language == renderer.motion_language
    printed = capsys.readouterr().out
    assert all(
        stage in printed for stage in ("find the face", "sample the motion", "render", "encode the video", "total")
    )
    assert str(out) in printed


def test_paste_back_gives_the_whole_photo(files, tmp_path):
    out = tmp_path / "whole.mp4"
    command = ["animate", str(files / "photo.png"), str(files / "voice.wav"), "-o", str(out), "--device", "cpu"]
    assert main([*command, "--box", BOX, "--steps", "1", "--paste-back", "--size", "64", "--mark"]) == 0
    info = probe_video(out)
    assert (info.width, info.height) == (202, 180)


def test_the_seed_decides(files, tmp_path):
    motions = []
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        file = str(tmp_path / f"{name}.safetensors")
        command = ["animate", str(files / "photo.png"), str(files / "voice.wav"), "-o", str(tmp_path / "o.mp4")]
        assert (
            main([*command, "--finder", "whole", "--size", "64", "--steps", "1", "--seed", seed, "--save-motion", file])
            == 0
        )
        motions.append(load_motion(file).values)
    assert torch.equal(motions[0], motions[1]) and not torch.equal(motions[0], motions[2])


def test_reenact_says_when_the_video_shows_no_face(files, tmp_path, shipped_tiny, capsys, monkeypatch):
    monkeypatch.delenv("MAMBA_PORTRAIT_WEIGHTS")  # the face finder that ships
    command = ["reenact", str(files / "photo.png"), str(files / "drive.mp4"), "-o", str(tmp_path / "moved.mp4")]
    assert main([*command, "--finder", "whole", "--renderer", str(shipped_tiny / "renderer_lite.safetensors")]) == 2
    assert "first frame of the driving video" in capsys.readouterr().err


def test_reenact_keeps_the_driving_rate_and_sound(files, tmp_path):
    out = tmp_path / "moved.mp4"
    command = ["reenact", str(files / "photo.png"), str(files / "drive.mp4"), "-o", str(out), "--size", "64"]
    assert main([*command, "--finder", "whole", "--driving-finder", "whole", "--device", "cpu"]) == 0
    info = probe_video(out)
    assert info.fps == Fraction(30000, 1001) and info.has_audio
    assert sum(1 for _ in read_video(out)) == 5


def test_reenact_begins_later_and_stops_earlier(files, tmp_path, capsys):
    out = tmp_path / "part.mp4"
    command = ["reenact", str(files / "photo.png"), str(files / "drive.mp4"), "-o", str(out), "--size", "64"]
    command += ["--finder", "whole", "--driving-finder", "whole", "--device", "cpu"]
    assert main([*command, "--start", "0.07", "--seconds", "0.07", "--save-motion", str(tmp_path / "m")]) == 0
    assert load_motion(tmp_path / "m.safetensors").frames == sum(1 for _ in read_video(out)) == 2
    assert load_audio(out)[0].shape[1] / load_audio(out)[1] < 0.2
    assert main([*command, "--start", "9"]) == 2
    assert "drive.mp4 has no frames after 9.00 s" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*command, "--start", "nan"])
    assert "must be a number from 0 to 864000, not nan" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"PHOTO": "none.jpg"}, "Photo not found: none.jpg"),
        ({"VOICE": "photo.png"}, "photo.png has no audio stream"),
        ({"-o": "out.gif"}, "out.gif"),
        ({"--device": "cuda:77"}, "cuda:77"),
        ({"--which-face": "tallest"}, "tallest"),
        ({"--renderer": "none.safetensors"}, "Checkpoint not found: none.safetensors"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_no_film(files, tmp_path, capsys, monkeypatch, change, sentence):
    monkeypatch.chdir(files)
    given = {"PHOTO": "photo.png", "VOICE": "voice.wav", "-o": str(tmp_path / "out.mp4"), "--box": BOX} | change
    flags = [part for key, value in given.items() if key.startswith("-") for part in (key, value)]
    assert main(["animate", given["PHOTO"], given["VOICE"], *flags]) == 2
    errors = capsys.readouterr().err.strip().splitlines()
    assert errors[-1].startswith("error: ") and sentence in errors[-1] and "Traceback" not in "".join(errors)
    assert not list(tmp_path.iterdir())


def test_a_motion_model_of_another_renderer_is_refused(files, tmp_path, shipped_tiny, capsys):
    renderer = load_renderer(shipped_tiny / "renderer_lite.safetensors")
    with torch.no_grad():
        renderer.parameters_of_motion.writer.bias.add_(1)
    other = save_checkpoint(tmp_path / "other.safetensors", renderer, "renderer", renderer.config)
    command = ["animate", str(files / "photo.png"), str(files / "voice.wav"), "-o", str(tmp_path / "out.mp4")]
    assert main([*command, "--box", BOX, "--renderer", str(other)]) == 2
    assert "The motion was made for another renderer" in capsys.readouterr().err
    assert not (tmp_path / "out.mp4").exists()


def test_debug_shows_where(files):
    with pytest.raises(FileNotFoundError):
        main(["animate", "none.jpg", str(files / "voice.wav"), "-o", "out.mp4", "--debug"])
