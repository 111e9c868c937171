"""The whole way from nothing to weights, at a tiny size."""

import json

import pytest
import torch

from mamba_portrait.learning.corpus.crew import Crew, _parts
from mamba_portrait.learning.training.recipe import Clock, count_clips, count_stills, train_all
from mamba_portrait.learning.training.renderer.schedule import Part
from mamba_portrait.model_loaders.checkpoint import load_motion_model, load_renderer

SCHEDULE = (
    Part("space", 0.1, 64, 1, 1e-3),
    Part("motion", 0.3, 64, 1, 1e-3),
    Part("coarse", 0.6, 64, 1, 1e-3, written=1.0),
)


def cook(data, out, config, motion_config, said, **options):
    options = dict(minutes=0.1, device="cpu", precision="fp32", schedule=SCHEDULE, measured=(1, 1)) | options
    return train_all(data, out, config=config, motion_config=motion_config, report=said.append, **options)


def test_a_finished_corpus_becomes_weights_and_figures(drawn_clips, tiny_config, tiny_motion_config, tmp_path):
    said = []
    weights = cook(
        drawn_clips, tmp_path, tiny_config, tiny_motion_config, said, groups=0, clips=0, held_out=drawn_clips
    )
    renderer = load_renderer(weights / "renderer_lite.safetensors")
    model = load_motion_model(weights / "motion_lite.safetensors")
    assert renderer.config == tiny_config and model.config == tiny_motion_config
    assert torch.allclose(model.rest_motion, renderer.rest_motion(), atol=0.05)
    figures = json.loads((tmp_path / "evaluation" / "figures.json").read_text())
    assert {"gain_video", "gain_twin", "rest", "jaw", "silence"} <= figures.keys()
    assert (tmp_path / "evaluation" / "commanded.jpg").exists() and "driven by video" in said[-1]
    spent = json.loads((tmp_path / "recipe.json").read_text())
    assert spent.keys() >= {"draw", "stage1", "stage2", "evaluate"}

    steps = [torch.load(tmp_path / f"stage{n}" / f"stage{n}.pt", weights_only=True)["step"] for n in (1, 2)]
    assert min(steps) >= 1
    cook(drawn_clips, tmp_path, tiny_config, tiny_motion_config, said, groups=0, clips=0, held_out=drawn_clips)
    again = [torch.load(tmp_path / f"stage{n}" / f"stage{n}.pt", weights_only=True)["step"] for n in (1, 2)]
    assert again == steps  # the time is spent: nothing more is trained


def test_parts_cover_the_range_in_whole_shards():
    parts = _parts(100, 3, 32)
    assert parts[0][0] == 0 and sum(count for _, count in parts) == 100
    assert all(first % 32 == 0 for first, _ in parts)
    assert [first for first, _ in parts[1:]] == [first + count for first, count in parts[:-1]]
    assert _parts(5, 8, 32) == [(0, 5)] and _parts(0, 2, 32) == [] and _parts(64, 0, 32) == []


def test_a_crew_draws_stops_in_time_and_goes_on(tmp_path):
    pytest.importorskip("moderngl")
    options = dict(clips=0, seed=3, jobs=2, size=64, shard=1)
    with Crew(tmp_path, groups=2, seconds=100, **options) as crew:
        while crew.check():
            pass
    assert count_stills(tmp_path) == 2 and count_clips(tmp_path) == 0
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "stills").glob("*.npy")}
    with Crew(tmp_path, groups=40, seconds=0.0, **options) as crew:
        while crew.check():
            pass
    assert 2 <= count_stills(tmp_path) <= 5  # each worker ends with the shard it had in hand
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())


def test_a_crew_that_cannot_draw_says_so(tmp_path):
    with Crew(tmp_path, groups=2, clips=0, seed=0, jobs=1, seconds=100, size=7) as crew:
        with pytest.raises(RuntimeError, match="moderngl"):
            while crew.check():
                pass


def test_a_clock_remembers_over_runs(tmp_path):
    with Clock(tmp_path / "recipe.json")("draw") as clock:
        assert clock.left("draw", 10) <= 10
    again = Clock(tmp_path / "recipe.json")
    assert 0 < again.spent("draw") < 5 and again.spent("stage1") == 0
    with again("draw"):
        assert again.spent("draw") > clock.seconds["draw"]
