"""Runs show pictures, sound and films: as files always, in TensorBoard where it is installed."""

import io
import json
import sys

import av
import numpy as np
import pytest
import torch

from mamba_portrait.learning.training.board import GIF_SIDE, Board, gif
from mamba_portrait.learning.training.loop import Every, Plan
from mamba_portrait.learning.training.motion_model.sampler import kept_voice
from mamba_portrait.learning.training.motion_model.train import Stage2Settings, train_stage2
from mamba_portrait.learning.training.run import Log
from mamba_portrait.media.audio import load_audio, write_wav
from mamba_portrait.media.photo import load_photo
from mamba_portrait.media.video import probe_video
from mamba_portrait.networks.renderer.model import Renderer

FRAMES = np.random.default_rng(0).integers(0, 256, (10, 48, 64, 3), dtype=np.uint8)
TONE = np.sin(np.arange(6400) * 0.1).astype(np.float32) * 0.3


def show(board: Board) -> list:
    return [
        board.picture("faces", FRAMES[0], 5),
        board.sound("voices", TONE, 16_000, 5),
        board.film("films", FRAMES, 25, 5, TONE, 16_000),
    ]


def test_files_without_tensorboard(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    log = Log(tmp_path)
    assert log.board is None
    picture, sound, film = show(Board(tmp_path, log.board))
    assert load_photo(picture).shape == (48, 64, 3) and load_audio(sound)[0].shape == (1, 6400)
    info = probe_video(film)
    assert (info.width, info.height, info.fps) == (64, 48, 25) and info.has_audio
    assert not (tmp_path / "tensorboard").exists()


def test_tensorboard_shows_them(tmp_path):
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    log = Log(tmp_path)
    show(Board(tmp_path, log.board))
    log.board.flush()
    read = events.EventAccumulator(str(tmp_path / "tensorboard"), size_guidance={"images": 0, "audio": 0})
    read.Reload()
    assert sorted(read.Tags()["images"]) == ["faces", "films"] and read.Tags()["audio"] == ["voices"]
    (film,) = read.Images("films")
    assert film.step == 5 and film.encoded_image_string.startswith(b"GIF8")


def test_a_gif_moves_and_is_small():
    large = np.repeat(np.repeat(FRAMES, 6, 1), 6, 2)
    with av.open(io.BytesIO(gif(large, 25))) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == 5 and max(frames[0].shape) == GIF_SIDE
    assert np.abs(frames[0].astype(int) - frames[1]).mean() > 10


def test_a_photograph_speaks_at_every_checkpoint(drawn_clips, tiny_config, tiny_motion_config, tmp_path):
    """And the training is the same to the bit as without."""
    torch.manual_seed(0)
    renderer = Renderer(tiny_config).eval()
    plan = Plan(steps=2, saves=Every(steps=1), report=lambda _: None)
    weights = []
    for name, photo in (("with", torch.rand(64, 64, 3)), ("without", None)):
        settings = Stage2Settings(config=tiny_motion_config, batch=2, sample=photo)
        file = train_stage2(drawn_clips, tmp_path / name, plan, settings, renderer)
        weights.append(torch.load(file, weights_only=True)["model"])
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
    made = sorted(path.relative_to(tmp_path / "with").as_posix() for path in (tmp_path / "with").rglob("00*"))
    steps = ("000000001", "000000002")
    assert made == [f"{tag}/{step}{end}" for tag, end in (("films", ".mp4"), ("frames", ".jpg"), ("voices", ".wav"))
                    for step in steps]  # fmt: skip
    assert not list((tmp_path / "without").rglob("00*"))


def test_the_voice_is_one_kept_for_validation_or_else_any(tmp_path):
    for number, split in enumerate(("train", "val")):
        clip = tmp_path / "clips" / f"clip_{number}"
        clip.mkdir(parents=True)
        write_wav(clip / "audio.wav", torch.full((1, 10 * 640), 0.1 + 0.2 * number), 16_000)
        (clip / "meta.json").write_text(json.dumps({"speaker": "set/ann", "split": split}), "utf8")
        np.save(clip / "seen.npy", np.zeros((10, 768), np.float16))
    heard = kept_voice(tmp_path, "seen.npy")
    assert heard.shape == (10 * 640,) and heard[0] == pytest.approx(0.3, abs=1e-3)
    (tmp_path / "clips" / "clip_1" / "seen.npy").unlink()
    assert kept_voice(tmp_path, "seen.npy")[0] == pytest.approx(0.1, abs=1e-3)
