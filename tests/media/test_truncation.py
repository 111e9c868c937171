"""Half a film or a recording is told, for pictures and sound, whatever the container; whole ones are no fault."""

import random
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from mamba_portrait.cli import main
from mamba_portrait.host import VideoFromFile
from mamba_portrait.media.audio import load_audio
from mamba_portrait.media.photo import save_image
from mamba_portrait.media.video import VideoWriter, read_video
from mamba_portrait.nodes.values.video_input import open_video

FRAMES = 75


def film(path: Path) -> Path:
    """Three seconds of noise at 25 frames a second, with a voice of noise; an MP4's index stands in front."""
    rng = np.random.default_rng(0)
    voice = rng.normal(0, 0.1, 3 * 16000).astype(np.float32)
    with VideoWriter(path, fps=25, audio=(voice, 16000)) as writer:
        for _ in range(FRAMES):
            writer.write(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8))
    return path


@pytest.fixture(scope="module")
def films(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("whole")
    return {suffix: film(folder / f"film{suffix}") for suffix in (".mp4", ".mov", ".mkv")}


def cut(path: Path, folder: Path, part: float = 0.5) -> Path:
    data = path.read_bytes()
    (folder / path.name).write_bytes(data[: int(len(data) * part)])
    return folder / path.name


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("part", [0.3, 0.6])
def test_half_a_film_is_told_in_pictures_and_sound(films, tmp_path, suffix, part):
    assert len(list(read_video(films[suffix]))) == FRAMES and load_audio(films[suffix])[0].shape[1] >= 48000
    half, shown = cut(films[suffix], tmp_path, part), 0
    with pytest.raises(ValueError, match=rf"film{suffix} is damaged after \d+ frames") as raised:
        for _ in read_video(half):
            shown += 1
    assert f" {shown} frames" in str(raised.value) or shown < FRAMES * (part + 0.2)
    assert FRAMES * (part - 0.2) < shown
    with pytest.raises(ValueError, match=rf"film{suffix} is damaged after \d+ frames: it should last 3.0\d s"):
        load_audio(half)


@pytest.mark.parametrize("part", [0.97, 0.995, 0.9999])
def test_the_last_picture_is_missed(films, tmp_path, part):
    with pytest.raises(ValueError, match="film.mp4 is damaged after 7"):
        list(read_video(cut(films[".mp4"], tmp_path, part)))


def test_last_pictures_of_noise_are_told(films, tmp_path):
    """What FFmpeg's threads of frames keep to themselves: errors of the last packets."""
    path, data = tmp_path / "noise.mp4", bytearray(films[".mp4"].read_bytes())
    with av.open(str(films[".mp4"])) as container:
        last = [packet for packet in container.demux(video=0) if packet.size][-1]
        data[last.pos : last.pos + last.size] = random.Random(0).randbytes(last.size)
    path.write_bytes(data)
    with pytest.raises(ValueError, match="noise.mp4 is damaged after 7"):
        list(read_video(path))


def test_what_comes_before_the_damage_can_be_read(films, tmp_path):
    half = cut(films[".mp4"], tmp_path)
    assert len(list(read_video(half, max_frames=20))) == 20


@pytest.mark.parametrize("suffix", ["flac", "mp3"])
def test_half_a_recording_is_told(samples, tmp_path, suffix):
    whole = tmp_path / f"voice.{suffix}"
    codec = {"flac": "flac", "mp3": "mp3"}[suffix]
    whole.write_bytes(samples.sound(suffix, codec, samples=96_000))
    assert load_audio(whole)[0].shape[1] >= 96_000
    (tmp_path / "half").mkdir()
    with pytest.raises(ValueError, match=f"voice.{suffix} is damaged after"):
        load_audio(cut(whole, tmp_path / "half"))


@pytest.mark.parametrize("told", [None, 0, 0x7FFFF024, 0xFFFFFFFF])
def test_a_wav_that_does_not_know_its_length_is_whole_and_a_cut_one_is_not(samples, tmp_path, told):
    data = bytearray(samples.wav(1, samples=16000))
    if told is None:
        (tmp_path / "voice.wav").write_bytes(data[:20000])
        with pytest.raises(ValueError, match=r"voice.wav is damaged after \d+ frames: it is cut off"):
            load_audio(tmp_path / "voice.wav")
        return
    struct.pack_into("<I", data, 4, told)
    struct.pack_into("<I", data, data.index(b"data") + 4, max(told - 36, 0))
    (tmp_path / "voice.wav").write_bytes(data)
    assert load_audio(tmp_path / "voice.wav")[0].shape == (1, 16000)


def test_a_sound_shorter_than_the_film_is_no_fault(tmp_path):
    path = tmp_path / "short.mkv"
    with VideoWriter(path, fps=Fraction(25), audio=(np.zeros(8000, np.float32), 16000)) as writer:
        writer.write(np.zeros((100, 48, 64, 3), np.uint8))
    assert load_audio(path)[0].shape[1] < 10000 and len(list(read_video(path))) == 100


def test_command_and_node_say_it_and_leave_no_film(films, tmp_path, shipped_tiny, capsys):
    half = cut(films[".mp4"], tmp_path)
    save_image(tmp_path / "photo.png", np.full((64, 64, 3), 0.5, np.float32))
    command = ["reenact", str(tmp_path / "photo.png"), str(half), "-o", str(tmp_path / "out.mp4"), "--size", "64"]
    assert main([*command, "--finder", "whole", "--driving-finder", "whole", "--device", "cpu"]) == 2
    assert "film.mp4 is damaged after" in capsys.readouterr().err and not (tmp_path / "out.mp4").exists()
    assert main(["animate", str(tmp_path / "photo.png"), str(half), *command[3:], "--finder", "whole"]) == 2
    assert "film.mp4 is damaged after" in capsys.readouterr().err
    with pytest.raises(ValueError, match="film.mp4 is damaged after"):
        list(open_video(VideoFromFile(str(half))).frames)
