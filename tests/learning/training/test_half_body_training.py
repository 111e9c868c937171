"""Half bodies are trained like heads, and may go on from a head's weights."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from mamba_portrait.cli import main
from mamba_portrait.learning.datasets.manifest import Entry, write_manifest
from mamba_portrait.learning.training.loop import Plan
from mamba_portrait.learning.training.motion_model.train import Stage2Settings, averaged_motion_model, train_stage2
from mamba_portrait.learning.training.renderer.half_body import half_body_start
from mamba_portrait.learning.training.renderer.schedule import Part
from mamba_portrait.learning.training.renderer.train import Stage1Settings, averaged_renderer, train_stage1
from mamba_portrait.learning.training.renderer.train_films import FilmSettings, Source, train_films
from mamba_portrait.media.video import VideoWriter
from mamba_portrait.model_loaders.checkpoint import load_motion_model, load_renderer
from mamba_portrait.vocabulary import ARMS, COUNT

WHOLE = COUNT + len(ARMS)
PLAN = Plan(steps=2, report=lambda _: None)


def test_a_half_body_begins_with_the_rendering_and_the_names_of_a_head(tiny_weights, half):
    head, body = load_renderer(tiny_weights / "renderer_lite.safetensors"), load_renderer(half)
    for name in ("lmdd.focus.weight", "deviation.linear_shift.weight", "decoder.leave.weight"):
        assert torch.equal(head.state_dict()[name], body.state_dict()[name])
    parameters = torch.randn(3, WHOLE)
    motion = body.motion_from_parameters(parameters)
    assert torch.allclose(body.read_parameters(motion), parameters, atol=0.02)
    assert torch.allclose(head.read_parameters(motion), parameters[:, :COUNT], atol=0.02)  # blind to arms
    assert head.motion_language != body.motion_language


def test_arms_are_read_apart_from_a_head_whose_reader_was_trained(tiny_weights, half_config):
    """A trained reader is the inverse of the writer, but not the shortest one."""
    head = load_renderer(tiny_weights / "renderer_lite.safetensors")
    space = head.parameters_of_motion
    with torch.no_grad():
        beside = 0.01 * torch.randn(space.reader.weight.shape, generator=torch.Generator().manual_seed(0))
        beside -= beside @ space.writer.weight @ space.reader.weight
        space.reader.weight += beside
        space.reader.bias -= beside @ space.writer.bias
    body = half_body_start(head, half_config)
    parameters = torch.randn(3, WHOLE)
    assert torch.allclose(body.read_parameters(body.motion_from_parameters(parameters)), parameters, atol=0.02)


@pytest.mark.parametrize("part", ["arms", "motion", "coarse"])
def test_a_step_of_each_part_reaches_what_it_teaches(part, drawn_half, tiny_weights, half_config, tmp_path):
    schedule = (Part(part, 1.0, 64, 2, 1e-2, written=1.0),)
    init = tiny_weights / "renderer_lite.safetensors"
    settings = Stage1Settings(drawn_half, "half", half_config, init, schedule)
    trained = averaged_renderer(train_stage1(drawn_half, tmp_path, PLAN, settings))
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines() if '"loss"' in line]
    assert np.isfinite(rows[-1]["loss"])
    begun = half_body_start(load_renderer(init), half_config)
    assert trained.motion_language == begun.motion_language  # the space is held
    assert ("bones" in rows[-1]) == (part == "arms")
    key = "deviation.linear_shift.weight"
    assert torch.allclose(trained.state_dict()[key], begun.state_dict()[key]) == (part != "coarse")


def test_a_corpus_of_another_framing_is_refused(drawn_half, drawn_clips, half, tiny_weights, tmp_path):
    with pytest.raises(ValueError, match="shows heads, and this renderer is for half bodies: draw with"):
        train_stage1(drawn_clips, tmp_path / "a", PLAN, Stage1Settings(init=half, parts=("coarse",)))
    heads = load_renderer(tiny_weights / "renderer_lite.safetensors")
    with pytest.raises(ValueError, match="shows half bodies, and this renderer is for heads"):
        train_stage2(drawn_half, tmp_path / "b", PLAN, None, heads)
    with pytest.raises(ValueError, match="shows heads"):
        train_stage2(drawn_clips, tmp_path / "c", PLAN, None, load_renderer(half))


def test_a_motion_model_goes_on_with_the_extractors_of_a_head(
    drawn_half, half, tiny_weights, tiny_motion_config, tmp_path
):
    init, renderer = tiny_weights / "motion_lite.safetensors", load_renderer(half)
    config = replace(tiny_motion_config, width=8, prediction="x0")
    settings = Stage2Settings("half", config, init, batch=2, audio_first=0.0)
    run = train_stage2(drawn_half, tmp_path, Plan(steps=1, report=lambda _: None), settings, renderer)
    model, heads = averaged_motion_model(run), load_motion_model(init)
    assert model.motion_language == renderer.motion_language and model.config.width == 8
    assert torch.allclose(model.rest_motion, renderer.rest_motion(), atol=1e-3)
    assert not torch.allclose(model.motion_mean, heads.motion_mean)
    apart = [
        (value - heads.state_dict()[name]).abs().max() / value.abs().max().clamp_min(1e-6)
        for name, value in model.state_dict().items()
        if name.startswith("mamba_local.") and value.is_floating_point()
    ]
    assert float(torch.stack(apart).median()) < 0.05  # a step away


def test_films_without_labels_teach_a_half_body(half, tmp_path):
    """A list of clips, such as PATS prepared, as of heads."""
    for name in ("a", "b"):
        with VideoWriter(tmp_path / f"{name}.mp4", fps=25) as writer:
            for i in range(8):
                picture = torch.zeros(64, 64, 3)
                picture[20 + i : 40 + i, 10:50] = 0.8
                writer.write(picture)
    entries = [Entry(tmp_path / f"{name}.mp4", speaker=f"pats/{name}") for name in ("a", "b")]
    write_manifest(tmp_path / "films.csv", entries)
    settings = FilmSettings(init=half, schedule=(Part("films", 1.0, 64, 2, 2e-3),))
    run = train_films([Source.parse(str(tmp_path / "films.csv"))], tmp_path / "run", PLAN, settings)
    rows = [json.loads(line) for line in (run.parent / "log.jsonl").read_text().splitlines()]
    assert np.isfinite(rows[-1]["loss"]) and averaged_renderer(run).config.arms == len(ARMS)


def test_the_command_takes_the_preset(drawn_half, tmp_path, capsys):
    """From nothing, without any weights, at the preset's own size."""
    assert main(["train", "stage1", "--preset", "half", "--data", str(drawn_half), "--out", str(tmp_path),
                 "--steps", "1", "--parts", "space", "--device", "cpu"]) == 0  # fmt: skip
    assert averaged_renderer(tmp_path / "stage1.pt").config.image_size == 128
