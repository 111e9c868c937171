"""The whole way by commands: draw, train both stages, export, and load what came out."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from mamba_portrait.cli import main
from mamba_portrait.learning.corpus.acting.gestures import has_hands
from mamba_portrait.learning.corpus.paint import PAINTED_SEED, corpus_sheet, paint_clips
from mamba_portrait.learning.training.renderer import matte_task
from mamba_portrait.learning.training.renderer.train import averaged_renderer
from mamba_portrait.learning.training.renderer.train_films import Source
from mamba_portrait.media.audio import load_audio, write_wav
from mamba_portrait.media.video import probe_video
from mamba_portrait.model_loaders.checkpoint import load_checkpoint, load_motion_model, load_renderer
from mamba_portrait.networks.motion_model.config import MotionModelConfig
from mamba_portrait.networks.renderer.config import RendererConfig

pytest.importorskip("moderngl")
pytest.importorskip("scipy")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    """Two groups of stills and two clips, or a skip that says what the machine lacks."""
    from mamba_portrait.learning.corpus.drawing.rasterizer import HeadRasterizer
    from mamba_portrait.learning.corpus.speech.engines import available_engines

    if not available_engines():
        pytest.skip("no speech engine is installed")
    try:
        HeadRasterizer(64)
    except Exception as fault:  # no EGL, or no driver behind it
        pytest.skip(str(fault))
    folder = tmp_path_factory.mktemp("corpus")
    assert main(["corpus", "--out", str(folder), "--stills", "2", "--clips", "2", "--seed", "5", "--size", "64"]) == 0
    return folder


@pytest.fixture
def tiny_lite(monkeypatch, tiny_config, tiny_motion_config):
    """The preset `lite` at toy widths."""
    monkeypatch.setattr(RendererConfig, "lite", classmethod(lambda cls: tiny_config))
    monkeypatch.setattr(MotionModelConfig, "lite", classmethod(lambda cls: tiny_motion_config))


def test_draw_train_and_export(drawn, tiny_lite, tmp_path, capsys):
    data, device = str(drawn), ["--device", "cpu", "--precision", "fp32"]
    first, second = tmp_path / "stage1", tmp_path / "stage2"
    renderer_file, model_file = str(tmp_path / "r.safetensors"), str(tmp_path / "m.safetensors")
    assert main(["train", "stage1", "--data", data, "--out", str(first), "--steps", "1", *device]) == 0
    assert main(["export", str(first / "stage1.pt"), "-o", renderer_file, "--note", "a test"]) == 0
    renderer = load_renderer(renderer_file)
    training = json.loads(load_checkpoint(renderer_file)[1]["training"])
    assert training["note"] == "a test" and training["step"] >= 1

    order = ["train", "stage2", "--data", data, "--renderer", renderer_file, "--out", str(second), "--steps", "1"]
    assert main([*order, "--batch-size", "2", "--accumulate", "2", "--predicted-history", *device]) == 0
    assert main(["export", str(second / "stage2.pt"), "-o", model_file]) == 0
    model = load_motion_model(model_file)
    assert model.motion_language == renderer.motion_language != "" and model.config.predicted_history
    torch.testing.assert_close(model.rest_motion, renderer.rest_motion(), rtol=1e-2, atol=1e-3)
    assert "M parameters" in capsys.readouterr().out

    order = [
        "evaluate",
        "--corpus",
        data,
        "--out",
        str(tmp_path / "figures"),
        "--renderer",
        renderer_file,
        "--no-voice",
    ]
    assert main([*order, "--groups", "2", *device]) == 0
    figures = json.loads((tmp_path / "figures" / "figures.json").read_text())
    assert {"gain_video", "gain_twin", "rest"} <= figures.keys() and "jaw" not in figures
    assert all(math.isfinite(value) for value in figures.values())
    assert str(tmp_path / "figures" / "figures.json") in capsys.readouterr().out


def test_drawing_goes_on_where_it_stopped(drawn):
    files = {path: path.stat().st_mtime_ns for path in drawn.rglob("*") if path.is_file()}
    assert main(["corpus", "--out", str(drawn), "--stills", "2", "--clips", "2", "--seed", "5", "--size", "64"]) == 0
    assert files == {path: path.stat().st_mtime_ns for path in files}


def test_several_processes_draw_the_same(drawn, tmp_path):
    order = ["corpus", "--out", str(tmp_path), "--stills", "2", "--clips", "1", "--seed", "5", "--size", "64"]
    assert main([*order, "--jobs", "2"]) == 0
    for name in ("stills/000000_rgb.npy", "clips/voice_5_000000/audio.wav", "clips/voice_5_000000/labels.npz"):
        assert (tmp_path / name).read_bytes() == (drawn / name).read_bytes()


def test_a_clip_is_painted_with_its_voice(drawn, tmp_path):
    clip, frames = shutil.copytree(next((drawn / "clips").iterdir()), tmp_path / "clips" / "clip"), 10
    seed = next(seed for seed in range(5, 99) if has_hands(seed * PAINTED_SEED))
    with np.load(clip / "labels.npz") as labels:
        np.savez(clip / "labels.npz", **{**labels, "parameters": labels["parameters"][:frames]})
    waveform, rate = load_audio(clip / "audio.wav")
    write_wav(clip / "audio.wav", waveform[:, : frames * rate // 25], rate)
    before = json.loads((clip / "meta.json").read_text())
    paint_clips([clip], seed, 64)
    info = probe_video(clip / "video.mp4")
    assert info.has_audio and info.fps == 25 and round(info.duration * 25) == frames
    assert json.loads((clip / "meta.json").read_text()) == before | {"hands": True}
    assert corpus_sheet(tmp_path).shape == (64, 8 * 64, 3)


def test_two_painted_clips_of_a_person_are_films_without_labels(drawn, tmp_path):
    first = next((drawn / "clips").iterdir())
    clips = [shutil.copytree(first, tmp_path / "clips" / f"clip{i}") for i in range(3)]
    for clip in clips:
        with np.load(clip / "labels.npz") as labels:
            np.savez(clip / "labels.npz", **{**labels, "parameters": labels["parameters"][:3]})
        waveform, rate = load_audio(clip / "audio.wav")
        write_wav(clip / "audio.wav", waveform[:, : 3 * rate // 25], rate)
    paint_clips(clips, 6, 64, scenes=2)
    frames = Source.parse(f"plain:{tmp_path}").frames(32)
    assert {name: len(clips) for name, clips in frames.people.items()} == {"drawn/6_000000": 2, "drawn/6_000001": 1}
    one, two = (frames.frames(clip).astype(float) for clip in frames.people["drawn/6_000000"])
    assert np.abs(one - two).mean() > 10 and json.loads((clips[1] / "meta.json").read_text())["hands"] in (True, False)


def test_a_contact_sheet_is_written(drawn, tmp_path):
    assert main(["corpus", "--out", str(drawn), "--sheet", str(tmp_path / "sheet.png")]) == 0
    assert (tmp_path / "sheet.png").stat().st_size > 1000


def test_a_matte_is_put_to_a_rendering_that_was_trained_beside_it(drawn, tiny_lite, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(matte_task, "WIDTHS", (4, 8))
    data, device = str(drawn), ["--device", "cpu", "--precision", "fp32", "--steps", "1"]
    start, joined = tmp_path / "start.safetensors", tmp_path / "joined.safetensors"
    assert main(["train", "stage1", "--data", data, "--out", str(tmp_path / "a"), *device]) == 0
    assert main(["export", str(tmp_path / "a" / "stage1.pt"), "-o", str(start)]) == 0
    runs = {part: str(tmp_path / part / "stage1.pt") for part in ("coarse", "matte")}
    for part, run in runs.items():
        order = ["train", "stage1", "--data", data, "--out", str(Path(run).parent), "--init", str(start)]
        assert main([*order, "--parts", part, *device]) == 0
    assert main(["export", runs["coarse"], "--matte", runs["matte"], "-o", str(joined)]) == 0
    both, parts = load_renderer(joined), {part: averaged_renderer(Path(run)) for part, run in runs.items()}
    for name, value in both.state_dict().items():
        part = "matte" if name.startswith(("matte.", "outline.")) else "coarse"
        assert torch.allclose(value, parts[part].state_dict()[name], atol=2e-3), name
    assert both.config.matte_widths == (4, 8) and "matte" in json.loads(load_checkpoint(joined)[1]["training"])
    assert main(["export", runs["matte"], "--matte", runs["coarse"], "-o", str(joined)]) == 2
    assert "stage1.pt has none" in capsys.readouterr().err


def test_encoder_and_rendering_are_trained_side_by_side_and_put_together(drawn, tiny_lite, tmp_path, capsys):
    data, device = str(drawn), ["--device", "cpu", "--precision", "fp32", "--steps", "1"]
    start, joined = tmp_path / "start.safetensors", tmp_path / "joined.safetensors"
    assert main(["train", "stage1", "--data", data, "--out", str(tmp_path / "a"), *device]) == 0
    assert main(["export", str(tmp_path / "a" / "stage1.pt"), "-o", str(start)]) == 0
    for part in ("motion", "coarse"):
        order = ["train", "stage1", "--data", data, "--out", str(tmp_path / part), "--init", str(start)]
        assert main([*order, "--parts", part, *device]) == 0
    runs = {part: str(tmp_path / part / "stage1.pt") for part in ("motion", "coarse")}
    assert main(["export", runs["coarse"], "--motion-encoder", runs["motion"], "-o", str(joined)]) == 0
    before, after = (load_renderer(file).state_dict() for file in (start, joined))
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert {"motion_encoder", "decoder"} <= changed and "parameters_of_motion" not in changed
    assert "motion_encoder" in json.loads(load_checkpoint(joined)[1]["training"])
    mean = tmp_path / "mean.safetensors"
    begun = str(tmp_path / "a" / "stage1.pt")
    assert main(["export", runs["coarse"], "--average", runs["motion"], begun, "-o", str(mean)]) == 0
    three = [torch.load(run, weights_only=True)["average"] for run in (*runs.values(), begun)]
    for name, value in load_renderer(mean).state_dict().items():
        assert torch.allclose(value, sum(run[name] for run in three) / 3, 1e-3, 1e-4), name
    assert len(json.loads(load_checkpoint(mean)[1]["training"])["averaged"]) == 2

    torch.save({"config": {}, "average": {}, "network": {}}, tmp_path / "face_finder.pt")
    assert main(["export", str(tmp_path / "face_finder.pt"), "-o", str(joined)]) == 2
    assert "is not the checkpoint of" in capsys.readouterr().err
    strange = torch.load(runs["motion"], weights_only=True)
    strange["average"]["parameters_of_motion.writer.weight"] += 1
    torch.save(strange, tmp_path / "strange.pt")
    capsys.readouterr()
    assert main(["export", runs["coarse"], "--motion-encoder", str(tmp_path / "strange.pt"), "-o", str(joined)]) == 2
    assert "not trained from the same weights" in capsys.readouterr().err
    assert main(["export", runs["coarse"], "--average", str(tmp_path / "strange.pt"), "-o", str(joined)]) == 2
    assert "the mean of the two" in capsys.readouterr().err
    order = ["train", "stage1", "--data", data, "--out", str(tmp_path / "b"), "--parts", "middle", *device]
    assert main(order) == 2 and "choose of appearance, space, motion" in capsys.readouterr().err
