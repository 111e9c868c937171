"""express, and --expression of the commands that make films."""

import math
from pathlib import Path

import pytest
import torch

from mamba_portrait.cli import main
from mamba_portrait.media.audio import write_wav
from mamba_portrait.media.motion import load_motion
from mamba_portrait.media.photo import load_photo, save_image
from mamba_portrait.media.video import VideoWriter, probe_video, read_video
from mamba_portrait.model_loaders.checkpoint import load_renderer
from mamba_portrait.pipelines.regions import motion_to_parameters
from mamba_portrait.vocabulary import INDEX

pytestmark = pytest.mark.usefixtures("shipped_tiny")


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("express") / "photo.png"
    y, x = torch.meshgrid(torch.linspace(0, 1, 64), torch.linspace(0, 1, 64), indexing="ij")
    save_image(path, torch.stack([x, y, 1 - x], -1))
    return str(path)


def face_of(path, name):
    return motion_to_parameters(load_renderer(), load_motion(path).values)[:, INDEX[name]]


def test_a_still_is_a_picture_of_the_expression(photo, tmp_path):
    motion = tmp_path / "m.safetensors"
    command = ["express", photo, "--finder", "whole", "--smile", ".5", "--yaw", "9", "-o", str(tmp_path / "still.png")]
    assert main([*command, "--save-motion", str(motion)]) == 0
    assert load_photo(tmp_path / "still.png").shape == (64, 64, 3)
    assert face_of(motion, "smile_left").tolist() == pytest.approx([0.5], abs=1e-3)
    assert face_of(motion, "yaw").tolist() == pytest.approx([math.radians(9)], abs=1e-3)


def test_a_film_lasts_as_long_as_its_presets(photo, tmp_path):
    out, motion = tmp_path / "nod.mp4", tmp_path / "m.safetensors"
    command = ["express", photo, "--finder", "whole", "--expression", "nod@0.5", "--fps", "30", "-o", str(out)]
    assert main([*command, "--save-motion", str(motion)]) == 0
    assert probe_video(out).fps == 30 and not probe_video(out).has_audio
    assert sum(1 for _ in read_video(out)) == 51  # .5 + 1.2 s
    assert face_of(motion, "pitch")[:15].abs().max() < 1e-3 and face_of(motion, "pitch").max() > 0.1


def test_speech_is_changed_from_start_to_end_only(photo, tmp_path):
    voice = write_wav(tmp_path / "voice.wav", torch.sin(torch.arange(16000) * 0.08)[None] * 0.4, 16000)
    kept = []
    for name, more in (("a", []), ("b", ["--expression", "yaw=9,jaw=.3@.2-.8"])):
        motion = tmp_path / f"{name}.safetensors"
        command = ["animate", photo, str(voice), "--finder", "whole", "--size", "64", "--steps", "1", *more]
        assert main([*command, "-o", str(tmp_path / "o.mp4"), "--save-motion", str(motion)]) == 0
        kept.append(load_motion(motion).values)
    changed = (kept[0] != kept[1]).any(1).nonzero().flatten()
    assert 6 <= int(changed.min()) <= 8 and 17 <= int(changed.max()) <= 19


def test_a_manner_is_a_mood_and_its_liveliness(photo, tmp_path):
    kept = {}
    for name, more in (("plain", []), ("cheerful", ["--manner", "cheerful"]), ("happy", ["--mood", "happy"])):
        kept[name] = tmp_path / f"{name}.safetensors"
        command = ["express", photo, "--finder", "whole", "--expression", "nod@0", "-o", str(tmp_path / "o.mp4"), *more]
        assert main([*command, "--save-motion", str(kept[name])]) == 0
    smiles = {name: float(face_of(path, "smile_left")[-1]) for name, path in kept.items()}
    assert smiles["plain"] == pytest.approx(0, abs=1e-3) and smiles["happy"] == pytest.approx(0.55, abs=1e-3)
    assert smiles["cheerful"] == pytest.approx(0.9 * 0.55, abs=1e-3)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ([], "no expression"),
        (["--expression", "dance@1"], "no expression 'dance'"),
        (["--keys", "1 smile"], "cannot be read"),
        (["--keys", "1: smile=7"], "smile must be a number from -1 to 1"),
    ],
)
def test_wrong_expressions_are_told_before_any_work(photo, tmp_path, capsys, more, told):
    assert main(["express", photo, *more, "-o", str(tmp_path / "still.png")]) == 2
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1 and not (tmp_path / "still.png").exists()


@pytest.mark.parametrize(("fps", "frames"), [("24", 24), ("30", 30), ("60", 60), ("29.97", 30)])
def test_a_voice_makes_a_film_of_any_frame_rate(photo, tmp_path, fps, frames):
    voice = write_wav(tmp_path / "voice.wav", torch.sin(torch.arange(16000) * 0.08)[None] * 0.4, 16000)
    out = tmp_path / "o.mp4"
    command = ["animate", photo, str(voice), "--finder", "whole", "--size", "64", "--steps", "1", "--fps", fps]
    assert main([*command, "-o", str(out)]) == 0
    info = probe_video(out)
    assert float(info.fps) == pytest.approx(float(fps), abs=0.001) and info.has_audio
    assert sum(1 for _ in read_video(out)) == frames


@pytest.mark.parametrize(("mode", "frames"), [("cut", 5), ("loop", 30), ("retime", 30)])
def test_another_sound_than_the_videos_says_how_long(photo, tmp_path, mode, frames):
    voice = write_wav(tmp_path / "voice.wav", torch.sin(torch.arange(16000) * 0.08)[None] * 0.4, 16000)
    with VideoWriter(tmp_path / "drive.mp4", fps=30) as writer:
        for i in range(5):
            writer.write(torch.full((64, 64, 3), 0.2 + 0.1 * i))
    command = ["reenact", photo, str(tmp_path / "drive.mp4"), "--finder", "whole", "--driving-finder", "whole"]
    command += ["--size", "64", "--sound", str(voice), "--length", mode, "-o", str(tmp_path / "o.mp4")]
    assert main(command) == 0
    assert sum(1 for _ in read_video(tmp_path / "o.mp4")) == frames and probe_video(tmp_path / "o.mp4").has_audio


def test_a_head_that_travels_is_followed_and_frames_without_it_are_told(
    photo, tmp_path, capsys, monkeypatch, tiny_weights
):
    drawn = list(read_video(Path(__file__).parents[2] / "assets" / "driving.mp4", max_frames=8))
    with VideoWriter(tmp_path / "filmed.mp4", fps=25) as writer:
        for number, frame in enumerate([*drawn, *[torch.zeros_like(drawn[0])] * 25, *drawn]):
            wide = torch.zeros(frame.shape[0], frame.shape[1] + 64, 3)
            wide[:, 2 * number % 64 : 2 * number % 64 + frame.shape[1]] = frame
            writer.write(wide)
    monkeypatch.delenv("MAMBA_PORTRAIT_WEIGHTS")  # the face finder that ships
    motion = tmp_path / "m.safetensors"
    command = ["reenact", photo, str(tmp_path / "filmed.mp4"), "--finder", "whole", "--size", "64", "--follow"]
    command += [
        "--neutral",
        "found",
        "--renderer",
        str(tiny_weights / "renderer_lite.safetensors"),
        "--motion",
        "expression",
    ]
    assert main([*command, "-o", str(tmp_path / "o.mp4"), "--save-motion", str(motion)]) == 0
    told = capsys.readouterr().out
    assert "The face is seen in " in told and "of 41 frames, and held in the others" in told
    assert load_motion(motion).frames == 41
    assert main([*command, "--driving-box", "1,2,30,40", "-o", str(tmp_path / "o.mp4")]) == 2
    assert "--follow finds the face in every scene" in capsys.readouterr().err


def test_several_voices_make_a_film_each_and_names_that_meet_are_refused(photo, tmp_path, capsys):
    voices = [
        str(write_wav(tmp_path / f"{name}.wav", torch.sin(torch.arange(n) * 0.08)[None] * 0.4, 16000))
        for name, n in (("one", 8000), ("two", 16000))
    ]
    command = ["animate", photo, *voices, "--finder", "whole", "--size", "64", "--steps", "1", "-o"]
    assert main([*command, str(tmp_path / "film_{voice}.mp4")]) == 0
    assert [sum(1 for _ in read_video(tmp_path / f"film_{name}.mp4")) for name in ("one", "two")] == [13, 25]
    assert main([*command, str(tmp_path / "film.mp4")]) == 2
    assert "must name a file for each of the 2 voices" in capsys.readouterr().err


def test_a_cutout_makes_a_webm_that_is_transparent_too(tmp_path):
    import av

    picture = torch.rand(64, 64, 4)
    picture[..., 3] = (torch.arange(64) < 32).float()[:, None]
    save_image(tmp_path / "cut.png", picture)
    out = tmp_path / "o.webm"
    command = ["express", str(tmp_path / "cut.png"), "--finder", "whole", "--expression", "nod@0", "-o", str(out)]
    assert main(command) == 0
    with av.open(str(out)) as container:
        assert container.streams.video[0].metadata["ALPHA_MODE"] == "1"
    assert main([*command, "--paste-back"]) == 2
    assert main([*command[:-1], str(tmp_path / "o.png")]) == 0
    from mamba_portrait.media.photo import load_cutout

    alpha = load_cutout(tmp_path / "o.png")[1]
    assert alpha[:20].min() > 0.9 and alpha[44:].max() < 0.1
