"""Sound of several channels as FFmpeg mixes it, from memory and from files, for films and for the networks."""

import math
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from mamba_portrait.media.audio import load_audio, resample, resampled, to_mono_16k
from mamba_portrait.media.audio_feed import AudioFeed
from mamba_portrait.media.mixing import mix
from mamba_portrait.media.sound_file import SoundFile
from mamba_portrait.media.video import VideoWriter
from mamba_portrait.pipelines.speaking import prepare_voice, prepare_voice_file

with_ffmpeg = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="the ffmpeg program is not here to compare with")
LAYOUTS = {"3.0": 3, "4.0": 4, "quad": 4, "5.0": 5, "5.1": 6, "5.1(side)": 6, "6.1": 7, "7.1": 8}


def layered(path: Path, layout: str, seconds: int = 1) -> Path:
    """A file of float samples with another tone in each channel of a layout."""
    tones = "|".join(f"0.1*sin({300 + 150 * k}*t)" for k in range(LAYOUTS[layout]))
    source = f"aevalsrc={tones}:s=16000:d={seconds}:c={layout}"
    make = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-c:a", "pcm_f32le", str(path)]
    subprocess.run(make, check=True)
    return path


def by_ffmpeg(path: Path, channels: int) -> np.ndarray:
    read = ["ffmpeg", "-v", "error", "-i", str(path), "-ac", str(channels), "-f", "f32le", "-"]
    raw = subprocess.run(read, check=True, capture_output=True).stdout
    return np.frombuffer(raw, np.float32).reshape(-1, channels).T


@with_ffmpeg
@pytest.mark.parametrize("layout", LAYOUTS)
def test_files_are_mixed_as_ffmpeg_mixes_them(tmp_path, layout):
    path = layered(tmp_path / "many.wav", layout)
    sound = SoundFile(path)
    assert np.abs(sound.mono_16k()[0].numpy() - by_ffmpeg(path, 1)[0]).max() < 1e-6
    stereo = torch.cat(list(sound.stereo()), 1).numpy()
    assert stereo.shape == (2, 16000) and np.abs(stereo - by_ffmpeg(path, 2)).max() < 1e-6


@with_ffmpeg
@pytest.mark.parametrize("layout", ["3.0", "4.0", "5.0", "5.1", "6.1", "7.1"])
def test_channels_of_an_audio_value_are_taken_in_the_usual_order(tmp_path, layout):
    path = layered(tmp_path / "many.wav", layout)
    waveform, rate = load_audio(path)
    assert np.abs(to_mono_16k(waveform[None], rate)[0].numpy() - by_ffmpeg(path, 1)[0]).max() < 1e-6
    assert np.abs(mix(waveform, "stereo").numpy() - by_ffmpeg(path, 2)).max() < 1e-6


def test_a_voice_in_the_centre_stays_as_loud_as_it_is(tmp_path):
    voice = torch.zeros(6, 16000)
    voice[2] = 0.3 * torch.sin(torch.arange(16000) * 0.1)
    assert torch.allclose(to_mono_16k(voice, 16000), voice[2], atol=1e-6)
    with VideoWriter(tmp_path / "film.mp4", fps=25, audio=(voice, 16000)) as writer:
        writer.write(np.zeros((25, 32, 32, 3), np.uint8))
    heard = load_audio(tmp_path / "film.mp4")[0][:, 2000:14000]
    loss = 20 * math.log10(float(heard.square().sum(0).sqrt().square().mean().sqrt() / voice[2].square().mean().sqrt()))
    assert heard.shape[0] == 2 and abs(loss) < 0.2  # dB, of both speakers together


def test_one_and_two_channels_and_those_without_places_stay_as_they_were():
    for channels in (1, 2, 9, 16):
        waveform = torch.rand(channels, 500)
        assert torch.equal(mix(waveform, "mono"), waveform.mean(0, keepdim=True))
        assert torch.equal(mix(waveform, "stereo"), waveform if channels < 3 else waveform.mean(0, keepdim=True))


@pytest.mark.parametrize("rate", [44100, 48000, 22050, 8000, 11127])
def test_a_stream_is_resampled_as_the_whole(rate, monkeypatch):
    waveform = torch.randn(2, 3 * rate // 2, generator=torch.Generator().manual_seed(0))
    whole = resample(waveform, rate, 16000)
    monkeypatch.setattr("mamba_portrait.media.audio.AT_ONCE", 5000)
    for sizes in (1024, 7777, waveform.shape[1]):
        pieces = torch.cat(list(resampled(waveform.split(sizes, 1), rate, 16000)), 1)
        assert pieces.shape == whole.shape and (pieces - whole).abs().max() < 1e-6


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_a_file_gives_the_voice_and_the_film_that_its_waveform_gives(samples, tmp_path, channels):
    (tmp_path / "voice.wav").write_bytes(samples.wav(channels, samples=50_000, rate=44_100))
    waveform, rate = load_audio(tmp_path / "voice.wav")
    file = SoundFile(tmp_path / "voice.wav")
    assert torch.equal(prepare_voice_file(file).waveform, prepare_voice(waveform, rate).waveform)
    for name, audio in (("file", file), ("waveform", (waveform, rate))):
        with VideoWriter(tmp_path / f"{name}.mp4", fps=25, audio=audio) as writer:
            writer.write(np.zeros((25, 32, 32, 3), np.uint8))
    assert torch.equal(load_audio(tmp_path / "file.mp4")[0], load_audio(tmp_path / "waveform.mp4")[0])


def test_a_sound_longer_than_its_film_is_read_in_parts(samples, tmp_path):
    (tmp_path / "voice.wav").write_bytes(samples.wav(2, samples=160_000))
    voice, longest = AudioFeed(SoundFile(tmp_path / "voice.wav")), 0
    given = list(voice.blocks(3000))
    for begin, block in voice.blocks(None):
        longest = max(longest, voice._waiting.shape[1])
        given.append((begin, block))
    assert [begin for begin, _ in given] == list(range(0, 160_000, 1024)) and longest < 40_000
    whole = load_audio(tmp_path / "voice.wav")[0].numpy()
    assert np.array_equal(np.concatenate([block for _, block in given], 1), whole)
