"""The face finder's training: scenes, a loss that falls, a run that resumes."""

import numpy as np
import pytest
import torch

from mamba_portrait.learning.training.face_finder.scenes import HeadStore, face_row, scene
from mamba_portrait.learning.training.face_finder.train import FinderSchedule, ScenePool, _step, train_face_finder
from mamba_portrait.model_loaders.checkpoint import load_checkpoint
from mamba_portrait.networks.face_finder import FaceFinderConfig
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


def test_loss_falls_and_a_resumed_run_goes_on(stills, tmp_path):
    torch.manual_seed(0)
    from mamba_portrait.networks.face_finder import FaceFinder

    network, pool = FaceFinder(TINY).train(), ScenePool(HeadStore(stills), SMALL, np.random.default_rng(0))
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
    heat = [_step(network, optimiser, pool)["heat"] for _ in range(40)]
    assert np.mean(heat[-8:]) < 0.6 * np.mean(heat[:8])

    said = []
    arguments = dict(config=TINY, schedule=SMALL, report=said.append)
    out = tmp_path / "finder.safetensors"
    train_face_finder(stills, out, tmp_path / "run", minutes=0.003, **arguments)
    train_face_finder(stills, out, tmp_path / "run", minutes=0.006, **arguments)
    assert said and "Resuming" in said[0]
    state, metadata = load_checkpoint(out)
    assert metadata["kind"] == "face_finder"
    assert FaceFinder(TINY).load_state_dict(state)


def test_a_run_begins_from_given_weights(stills, tmp_path):
    arguments = dict(config=TINY, schedule=SMALL, report=print)
    first = train_face_finder(stills, tmp_path / "a.safetensors", tmp_path / "a", minutes=0.003, **arguments)
    again = train_face_finder(stills, tmp_path / "b.safetensors", tmp_path / "b", minutes=0, start=first)
    before, after = (load_checkpoint(path)[0] for path in (first, again))
    assert all(torch.equal(before[name], after[name]) for name in before)
