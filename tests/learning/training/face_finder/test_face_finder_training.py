"""The face finder's training: scenes, a loss that falls, a run that resumes."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from mamba_portrait.learning.datasets.batch_slice import BatchSlice
from mamba_portrait.learning.training.face_finder.scenes import HeadStore, face_row, scene
from mamba_portrait.learning.training.face_finder.task import FinderSchedule, ScenePool
from mamba_portrait.learning.training.face_finder.train import train_face_finder
from mamba_portrait.learning.training.loop import Every, Plan
from mamba_portrait.model_loaders.checkpoint import load_checkpoint
from mamba_portrait.networks.face_finder import FaceFinder, FaceFinderConfig
from mamba_portrait.vocabulary import LANDMARKS

TINY = FaceFinderConfig(widths=(8, 8, 16, 16, 16), blocks=1, head=16)
SMALL = FinderSchedule(size=96, batch=8, pool=16, reuse=8.0)
INDEX = {name: i for i, name in enumerate(LANDMARKS)}


def toy_marks(size=64):
    """Landmarks of a face seen from the front: brows at 0.35, chin at 0.85 of the height."""
    marks = np.full((len(LANDMARKS), 2), 0.5, np.float32)
    for name, i in INDEX.items():
        x = 0.35 if "left" in name else 0.65 if "right" in name else 0.5
        y = 0.35 if "brow" in name else 0.45 if "eye" in name or "lid" in name else 0.6
        marks[i] = (x, y)
    for name, y in (("chin", 0.85), ("mouth_left", 0.72), ("mouth_right", 0.72), ("crown", 0.1)):
        marks[INDEX[name], 1] = y
    return marks * size


@pytest.fixture
def stills(tmp_path):
    """One shard of flat discs with dots for features, in the layout of the drawn stills."""
    groups, size = 2, 64
    y, x = np.mgrid[0:size, 0:size]
    disc = np.hypot(x - 32, y - 36) < 24
    picture = np.where(disc[..., None], np.uint8([190, 140, 110]), np.uint8(40))
    for px, py in toy_marks()[[INDEX[n] for n in ("left_eye_outer", "right_eye_outer", "mouth_left", "mouth_right")]]:
        picture[int(py) - 2 : int(py) + 3, int(px) - 2 : int(px) + 3] = 10
    folder = tmp_path / "data" / "stills"
    folder.mkdir(parents=True)
    parts = np.broadcast_to(disc[::2, ::2].astype(np.uint8), (groups, 2, 32, 32))
    np.save(folder / "000000_mark.npy", np.broadcast_to(toy_marks(1), (groups, 2, 4, len(LANDMARKS), 2)))
    np.save(folder / "000000_part0.npy", parts)
    np.save(folder / "000000_label.npy", np.broadcast_to(parts[:, :, None] << 1, (groups, 2, 3, 32, 32)))
    np.save(folder / "000000_rgb.npy", np.broadcast_to(picture, (groups, 2, 4, size, size, 3)).astype(np.uint8))
    return tmp_path / "data"


def test_the_box_is_the_square_around_brows_and_chin():
    row = face_row(toy_marks(100))
    x, y, side = row[:3]
    assert x == pytest.approx(50, abs=0.5)
    assert y - side / 2 < 35 and side < 65  # the brows are inside
    assert y + side / 2 == pytest.approx(85, abs=3)  # the lower edge lies at the chin
    assert row[3:5] == pytest.approx([35, 45])  # left eye
    assert row[9:11] == pytest.approx([35, 72])  # left corner of the mouth


def test_scenes_label_what_they_show(stills):
    heads, rng = HeadStore(stills), np.random.default_rng(0)
    counts = []
    for _ in range(60):
        image, faces = scene(rng, heads, 96)
        assert image.shape == (96, 96, 3) and image.dtype == np.uint8
        counts.append(len(faces))
        for row in faces:
            eyes, mouth = row[3:7].reshape(2, 2).mean(0), row[9:13].reshape(2, 2).mean(0)
            assert 0.2 * row[2] < np.hypot(*(mouth - eyes)) < 0.8 * row[2]
            assert eyes[1] < mouth[1]  # no face stands on its head
    assert counts.count(0) >= 4 and max(counts) >= 2


def test_missing_data_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no drawn stills"):
        HeadStore(tmp_path)


def train(stills, folder, steps, plan=None, **options):
    plan = Plan(**(dict(steps=steps, precision="bf16", report=lambda _: None) | (plan or {})))
    options = dict(config=TINY, schedule=SMALL) | options
    return train_face_finder(stills, folder / "finder.safetensors", folder, plan, **options)


def test_a_few_scenes_are_learnt_and_the_average_is_written(stills, tmp_path):
    few = replace(SMALL, rate=6e-3, reuse=1e9)
    file = train(stills, tmp_path, 40, dict(reports=Every(steps=1)), schedule=few)
    heat = [json.loads(line)["heat"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert len(heat) == 40 and np.mean(heat[-8:]) < 0.4 * np.mean(heat[:8])
    state, metadata = load_checkpoint(file)
    assert metadata["kind"] == "face_finder" and json.loads(metadata["training"])["samples"] == 40 * SMALL.batch
    average = torch.load(tmp_path / "face_finder.pt", weights_only=True)["average"]
    assert all(torch.allclose(state[name].float(), value.float(), 1e-3, 1e-3) for name, value in average.items())


def test_scenes_are_composed_once_and_photographed_often(stills, monkeypatch):
    pool, composed = ScenePool(HeadStore(stills), SMALL), []

    def compose(rng, heads, size):
        composed.append(rng.bit_generator.seed_seq.entropy[1])
        return np.zeros((size, size, 3), np.uint8), np.zeros((0, 13), np.float32)

    monkeypatch.setattr("mamba_portrait.learning.training.face_finder.task.scene", compose)
    for step in range(100):
        pool.look(BatchSlice(0, step, range(SMALL.batch), SMALL.batch))
        assert len(pool.scenes) <= SMALL.pool
    assert len(composed) == len(set(composed)) and 0.9 < 100 * SMALL.batch / len(composed) / SMALL.reuse < 1.1


def test_killed_and_resumed_equals_unbroken(stills, tmp_path, killing):
    def weights(name):
        return torch.load(tmp_path / name / "face_finder.pt", weights_only=True)

    train(stills, tmp_path / "whole", 8)
    with killing(FaceFinder, "forward", 6):
        train(stills, tmp_path / "broken", 8, dict(saves=Every(steps=2)))
    said = []
    train(stills, tmp_path / "broken", 8, dict(report=said.append))
    assert "Resuming at step 4" in said[0]
    for part in ("network", "average"):
        whole, resumed = (weights(name)[part] for name in ("whole", "broken"))
        assert all(torch.equal(value, resumed[name]) for name, value in whole.items())


def test_a_run_begins_from_given_weights(stills, tmp_path):
    first = train(stills, tmp_path / "a", 2)
    again = train(stills, tmp_path / "b", None, dict(minutes=0.0), start=first)
    before, after = (load_checkpoint(path)[0] for path in (first, again))
    assert all(torch.equal(before[name], after[name]) for name in before)
