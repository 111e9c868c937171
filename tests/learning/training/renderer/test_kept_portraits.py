"""Portraits that go on being rendered as they were, and landmarks of real faces, in a run that learns from films."""

import json

import numpy as np
import pytest
import torch

from mamba_portrait.learning.datasets.batch_slice import BatchSlice
from mamba_portrait.learning.datasets.face_groups import FaceGroups
from mamba_portrait.learning.training.loop import Every, Plan
from mamba_portrait.learning.training.renderer.films import holder
from mamba_portrait.learning.training.renderer.kept import KeptTask
from mamba_portrait.learning.training.renderer.schedule import Part
from mamba_portrait.learning.training.renderer.train_films import FilmSettings, Source, train_films
from mamba_portrait.model_loaders.checkpoint import load_renderer
from mamba_portrait.vocabulary import LANDMARKS

SCHEDULE = (Part("films", 1.0, 64, 2, 2e-3),)


@pytest.fixture
def trained(tiny_weights):
    return load_renderer(tiny_weights / "renderer_lite.safetensors").train().requires_grad_(True)


def faces(people):
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 255, (3, 4, 64, 64, 3), dtype=np.uint8)
    marks = rng.uniform(0.2, 0.8, (3, 4, len(LANDMARKS), 2)).astype(np.float32)
    looks = np.full((3, 4, 6), 0.1, np.float32)
    return FaceGroups(pictures, marks, looks, np.full(3, people), np.zeros((19, 2), np.float32))


def test_a_renderer_that_has_not_changed_has_nothing_to_learn(trained):
    task = KeptTask(trained, holder(trained), faces(-1), 64)
    batch = next(task.batches(iter([BatchSlice(0, 0, range(2), 2)])))
    assert batch.change.shape == (6, 768) and float(batch.change.std()) > 0
    assert float(task.losses(batch)["kept/pixels"].detach()) < 1e-6
    with torch.no_grad():
        trained.deviation.to_vector.weight.add_(0.5)
        for p in trained.lmdd.respond.parameters():
            p.add_(0.05 * torch.randn_like(p))
    losses = task.losses(batch)
    assert float(losses["kept/pixels"].detach()) > 1e-4
    losses["loss"].backward()
    assert trained.lmdd.respond.weight.grad.abs().max() > 0


def test_only_portraits_can_be_kept(trained):
    with pytest.raises(ValueError, match="photographs"):
        KeptTask(trained, holder(trained), faces(0), 64)


def train(out, *sources, **settings):
    plan = Plan(steps=16, saves=Every(steps=8), reports=Every(steps=1), report=lambda _: None)
    return train_films([Source.parse(text) for text in sources], out, plan, FilmSettings(schedule=SCHEDULE, **settings))


def test_films_labels_landmarks_and_portraits_mix_in_one_run(tiny_weights, drawn_discs, tmp_path):
    faces(-1).save(tmp_path / "faces")
    init = tiny_weights / "renderer_lite.safetensors"
    given = [f"{drawn_discs}", f"plain:{drawn_discs}", f"kept:{tmp_path / 'faces'}", f"faces:{tmp_path / 'faces'}"]
    train(tmp_path / "run", *given, init=init)
    rows = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    terms = {name.split("/")[0] for row in rows for name in row}
    assert {"kept", "labelled", "pixels"} <= terms
    assert any("faces/opening" in name for row in rows for name in row)


def test_landmarks_need_labels_beside_them_and_keeping_needs_trained_weights(drawn_discs, tmp_path):
    faces(-1).save(tmp_path / "faces")
    with pytest.raises(ValueError, match="add a corpus"):
        train(tmp_path / "a", f"plain:{drawn_discs}", f"faces:{tmp_path / 'faces'}")
    with pytest.raises(ValueError, match="give --init"):
        train(tmp_path / "b", f"{drawn_discs}", f"plain:{drawn_discs}", f"kept:{tmp_path / 'faces'}", space="named")
