"""Ablations of half bodies: branches that they have not are named, and gestures are measured besides."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from mamba_portrait.learning.datasets.stills import StillSet
from mamba_portrait.learning.training.prices import __main__ as command
from mamba_portrait.learning.training.prices.comparisons import ABLATED, arms_of, lacking_branches
from mamba_portrait.learning.training.prices.pictures import measure_pictures
from mamba_portrait.model_loaders.checkpoint import load_renderer, save_checkpoint
from mamba_portrait.networks.motion_model.config import MotionModelConfig
from mamba_portrait.networks.motion_model.model import MotionModel
from mamba_portrait.networks.renderer.config import RendererConfig
from mamba_portrait.networks.renderer.model import Renderer
from mamba_portrait.vocabulary import ARMS, COUNT, INDEX, LANDMARKS

from ...conftest import write_toy_clip

LED = MotionModelConfig.half().mouth


def test_the_rows_of_half_bodies_begin_anew_what_these_have_of_the_branches():
    configs = {1: RendererConfig.half(), 2: MotionModelConfig.half()}
    lacking = lacking_branches(*configs.values())
    assert lacking == {"appearance"} and not lacking_branches(RendererConfig.lite(), MotionModelConfig.lite())
    trained = [arm for arm in arms_of((ABLATED,), lacking) if arm.trained]
    assert sorted(arm.cut for arm in trained) == [(), (), ("attention",), ("mamba-g",), ("mamba-l",), ("transformer",)]
    with torch.device("meta"):
        names = {1: [*Renderer(configs[1]).state_dict()], 2: [*MotionModel(configs[2]).state_dict()]}
    for arm in trained:
        assert len(arm.renew) == 2
        assert all(any(name.startswith(f"{module}.") for name in names[arm.stage]) for module in arm.renew)


def test_hands_are_measured_where_they_are(drawn_half, half, monkeypatch):
    renderer, stills = load_renderer(half), StillSet(drawn_half)
    wanted = iter(2 * stills.get(np.arange(2)).mark[:, :, 1:, len(LANDMARKS) :].transpose(0, 1).flatten(1, 2) - 1)
    off = torch.tensor([3.0, 4.0]) / 64  # five pixels of 128
    monkeypatch.setattr(renderer.arms, "moved", lambda *_: next(wanted) + off)
    monkeypatch.setattr(renderer.arms, "laid", lambda picture, source, *_: source.photo.expand_as(picture))
    values = measure_pictures(renderer, stills, 2)
    assert values["points"] == pytest.approx([5.0] * 4, abs=1e-3)
    assert values["hands"] == pytest.approx([0.0] * 4, abs=1e-3)  # the photo itself


@pytest.fixture
def voices(drawn_half, tmp_path):
    """The stills, and clips of 2.8 s of half bodies whose hands go up and down."""
    root = tmp_path / "data"
    root.mkdir()
    (root / "stills").symlink_to(drawn_half / "stills")
    up = [COUNT + i for i, parameter in enumerate(ARMS) if parameter.name.endswith("_up")]
    starts = np.arange(0, 2.8, 0.2)
    for name, split in (("a", "train"), ("b", "val"), ("c", "test")):
        labels = write_toy_clip(root / "clips" / name, split, 70) / "labels.npz"
        parameters = np.pad(np.load(labels)["parameters"], ((0, 0), (0, len(ARMS))))
        parameters[:, up] = parameters[:, [INDEX["jaw"]]]
        kinds = np.array(["a", "p"] * 7)
        np.savez(labels, parameters=parameters, phone_start=starts, phone_end=starts + 0.2, phone_class=kinds)
    return root


@pytest.fixture
def run(half, tiny_motion_config, voices, tmp_path):
    """The command at toy widths."""
    torch.manual_seed(0)
    renderer, config = load_renderer(half), replace(tiny_motion_config, mouth=LED, width=24, smoothing=1.0)
    model = MotionModel(config, renderer.motion_language)
    model.rest_motion.copy_(renderer.rest_motion())
    file = save_checkpoint(tmp_path / "motion_half.safetensors", model, "motion_model", config)

    def runs(*more):
        data = ["--data", str(voices), "--held-out", str(voices), "--out", str(tmp_path / "out"), "--framing", "half"]
        weights = ["--renderer", str(half), "--motion-model", str(file)]
        sizes = {"size": 64, "groups": 1, "pieces": 2, "sampled": 1, "gestures": 2, "batch": {1: 1, 2: 1}}
        usual = ["--steps", "1", "1", "--clips", "1", "--seeds", "0"]
        command.main([*data, *weights, *usual, *more], **sizes, report=lambda _: None)
        return tmp_path / "out"

    return runs


def test_the_command_measures_gestures(run):
    out = run("--only", ABLATED)
    table = (out / "prices.md").read_text("utf8").split("| | Headpose")[1]
    head, _, *rows = [line.split("|")[1:-1] for line in ("| | Headpose" + table).splitlines()]
    rows = {row[0].strip(): dict(zip(map(str.strip, head), map(str.strip, row), strict=True)) for row in rows[:6]}
    own = rows["all of it"]
    assert all(
        np.isfinite(float(own[name])) for name in ("hands over copying, dB", "their points, px", "hands' reach", "DIV")
    )
    lacking = rows["w/o Appearance (ours have none)"]
    assert lacking["ours: PSNR"] == lacking["DIV"] == "-"  # the paper has a DIV too: the last is ours
    assert rows["w/o mamba-g"]["ours: PSNR"] == "-" != rows["w/o mamba-g"]["DIV"]
    figures = [json.loads(file.read_text()) for file in out.glob("arms/stage2*/figures.json")]
    assert len(figures) == 4 and all(len(one["values"]["beats"]) == 2 for one in figures)


def test_other_comparisons_are_of_heads_alone(run):
    with pytest.raises(ValueError, match="of half bodies there are ablations alone"):
        run("--only", "DIT")
