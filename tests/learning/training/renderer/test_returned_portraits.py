"""The decoder learns mouths from portraits that are brought back to their photographs."""

import json

import numpy as np
import pytest
import torch

from mamba_portrait.learning.datasets.face_groups import FaceGroups
from mamba_portrait.learning.datasets.stills import StillSet
from mamba_portrait.learning.training.loop import Every, Plan
from mamba_portrait.learning.training.renderer import returned
from mamba_portrait.learning.training.renderer.films import holder
from mamba_portrait.learning.training.renderer.returned import Pictures, ReturnedTask, ReturnedWeights
from mamba_portrait.learning.training.renderer.schedule import Part
from mamba_portrait.learning.training.renderer.train import Stage1Settings, averaged_renderer, train_stage1
from mamba_portrait.model_loaders.checkpoint import load_renderer
from mamba_portrait.vocabulary import LANDMARKS

PLACES = {
    "left_eye": (0.35, 0.4), "left_lid": (0.35, 0.4), "left_pupil": (0.35, 0.4),
    "right_eye": (0.65, 0.4), "right_lid": (0.65, 0.4), "right_pupil": (0.65, 0.4),
    "mouth_left": (0.4, 0.7), "mouth_right": (0.6, 0.7), "chin": (0.5, 0.85),
}  # fmt: skip


def faces(opening=0.2):
    """Three groups of portraits and one of a film."""
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 255, (4, 4, 64, 64, 3), dtype=np.uint8)
    marks = np.full((4, 4, len(LANDMARKS), 2), 0.5, np.float32)
    for start, place in PLACES.items():
        for i, name in enumerate(LANDMARKS):
            if name.startswith(start):
                marks[..., i, :] = place
    for side, outwards in (("left", -1), ("right", 1)):
        marks[..., LANDMARKS.index(f"{side}_eye_outer"), 0] += 0.08 * outwards
        marks[..., LANDMARKS.index(f"{side}_eye_inner"), 0] -= 0.08 * outwards
        marks[..., LANDMARKS.index(f"{side}_lid_upper"), 1] -= 0.05
        marks[..., LANDMARKS.index(f"{side}_lid_lower"), 1] += 0.05
    looks = np.full((4, 4, 6), opening, np.float32)
    return FaceGroups(pictures, marks, looks, np.array([-1, -1, -1, 0]), np.zeros((19, 2), np.float32))


@pytest.fixture
def trained(tiny_weights):
    return load_renderer(tiny_weights / "renderer_lite.safetensors").train().requires_grad_(True)


@pytest.fixture
def task(trained, drawn_discs, monkeypatch):
    monkeypatch.setattr(returned, "DRAWN", 0.0)
    monkeypatch.setattr(returned, "SIDE", 32)
    monkeypatch.setattr(returned, "recoloured", lambda pictures, *_, **__: pictures)
    weights = ReturnedWeights().with_adversary(0.2)
    return ReturnedTask(trained, holder(trained), StillSet(drawn_discs), faces(), 64, weights)


def batch_of(task, kind, count=2):
    with torch.no_grad():
        rows = [getattr(task, f"_{kind}")(np.random.default_rng(number)) for number in range(count)]
    return Pictures(*(torch.cat(column) for column in zip(*rows, strict=True)))


def test_photographs_are_the_truth_and_only_the_decoder_hears_it(task):
    batch = batch_of(task, "brought_back")
    photos = torch.from_numpy(task.rgb).permute(0, 3, 1, 2).float() / 255
    photos = torch.cat([photos, photos.flip(-1)])
    assert all((photos == target).flatten(1).all(1).any() for target in batch.target)
    assert not torch.equal(batch.source, batch.target)
    losses = task.losses(batch, 1.0)
    assert losses["pixels"] > 0 and losses["held"] == 0 and losses["discriminator"] > 0
    losses["loss"].backward()
    learning = {name.split(".")[0] for name, p in task.renderer.named_parameters() if p.grad is not None}
    assert learning == {"decoder"}
    assert all(p.grad is not None for p in task.adversary.discriminators["mouth"].parameters())


def test_other_motions_are_held(task):
    batch = batch_of(task, "held", 4)
    losses = task.losses(batch, 1.0)
    assert (
        float((losses["held"] + losses["coarse"]).detach()) < 1e-5
        and losses["pixels"] == 0
        and losses["discriminator"] == 0
    )
    with torch.no_grad():
        task.renderer.decoder.leave.bias.add_(1.0)
    changed = task.losses(batch, 1.0)
    assert float(changed["held"].detach()) > 1e-4 and float(changed["coarse"].detach()) > 1e-4


def test_the_mirror_changes_sides(task):
    picture, marks = task._seen(0, True)
    plain = task._seen(0, False)
    assert torch.equal(picture.flip(-1), plain[0])
    left, right = (LANDMARKS.index(f"{side}_eye_outer") for side in ("left", "right"))
    assert torch.allclose(marks[0, left], torch.tensor([1.0, 0]) + plain[1][0, right] * torch.tensor([-1.0, 1]))


def test_a_run_of_that_part_changes_the_decoder_alone(tiny_weights, drawn_discs, tmp_path, monkeypatch):
    monkeypatch.setattr(returned, "SIDE", 32)
    faces().save(tmp_path / "faces")
    init = tiny_weights / "renderer_lite.safetensors"
    settings = Stage1Settings(
        init=init, schedule=(Part("portraits", 1.0, 64, 2, 1e-2),), faces=tmp_path / "faces", adversary=0.2
    )
    plan = Plan(steps=8, saves=Every(steps=4), reports=Every(steps=1), report=lambda _: None)
    run = averaged_renderer(train_stage1(drawn_discs, tmp_path / "run", plan, settings)).state_dict()
    changed = {name for name, value in load_renderer(init).state_dict().items() if not torch.equal(value, run[name])}
    assert changed and all(name.startswith("decoder.") for name in changed)
    rows = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert {"labelled/pixels", "adversarial"} <= {name for row in rows for name in row}


def test_what_is_missing_is_said(trained, drawn_discs, tmp_path):
    plan = Plan(steps=1, report=lambda _: None)
    with pytest.raises(ValueError, match="--faces"):
        train_stage1(drawn_discs, tmp_path / "run", plan, Stage1Settings(parts=("portraits",)))
    with pytest.raises(ValueError, match="behind its lips"):
        ReturnedTask(trained, holder(trained), StillSet(drawn_discs), faces(0.0), 64)
