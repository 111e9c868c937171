"""Mattes of real pictures teach a renderer's matte beside drawn people."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mamba_portrait.learning.datasets.batch_slice import BatchSlice
from mamba_portrait.learning.datasets.face_groups import FaceGroups
from mamba_portrait.learning.datasets.stills import StillSet
from mamba_portrait.learning.training.renderer import matte_task, real_mattes
from mamba_portrait.learning.training.renderer.matte_task import REAL, MatteTask, with_matte
from mamba_portrait.learning.training.renderer.real_mattes import RealMattes, overlap, pictures_of, read_real_mattes
from mamba_portrait.media.photo import load_photo, to_uint8
from mamba_portrait.networks.renderer.model import Renderer
from mamba_portrait.networks.renderer.plate import SIZE
from mamba_portrait.pipelines.framing import frame_portrait

ASSETS = Path(__file__).parents[4] / "assets"


@pytest.fixture
def squares() -> RealMattes:
    """People who are bright squares."""
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 60, (8, SIZE, SIZE, 3)).astype(np.uint8)
    matte = np.zeros((8, SIZE, SIZE), np.uint8)
    for number, (top, left) in enumerate(rng.integers(8, 56, (8, 2))):
        place = number, slice(top, top + 64), slice(left, left + 64)
        rgb[place], matte[place] = rng.integers(180, 255, 3), 255
    return RealMattes(rgb, matte)


@pytest.fixture
def renderer(tiny_config, monkeypatch):
    torch.manual_seed(0)
    monkeypatch.setattr(matte_task, "WIDTHS", (8, 8, 8))
    return with_matte(Renderer(tiny_config))


def draws(step: int):
    return BatchSlice(0, step, range(2), 2).draws()


def test_real_pictures_take_part_where_pictures_vary(renderer, drawn_discs, squares):
    task = MatteTask(renderer, StillSet(drawn_discs), real=squares)
    batch = task.batch([0, 1], SIZE, draws(0))
    assert len(batch.images) == len(batch.person) == 2 * (3 + REAL) and len(batch.framed) == 6
    assert torch.equal(batch.images, task.batch([0, 1], SIZE, draws(0)).images)  # the same samples, the same pictures
    assert not torch.equal(batch.images[6:], task.batch([0, 1], SIZE, draws(1)).images[6:])
    inside = [float(picture.mean(0)[matte[0] > 0.5].mean()) for picture, matte in zip(*batch[:2], strict=True)][6:]
    outside = [float(picture.mean(0)[matte[0] < 0.5].mean()) for picture, matte in zip(*batch[:2], strict=True)][6:]
    assert np.mean(inside) > np.mean(outside) + 0.2  # pictures and mattes move together
    assert len(task.batch([0, 1], SIZE, None).images) == 6  # measured are the drawn ones


def test_a_matte_of_real_pictures_is_learnt(renderer, drawn_discs, squares):
    before = overlap(renderer, squares).mean()
    task = MatteTask(renderer, StillSet(drawn_discs), real=squares)
    optimizer = torch.optim.AdamW(task.parameters(), 1e-2)
    for step in range(25):
        optimizer.zero_grad()
        task.losses(task.batch([step % 12, (step + 5) % 12], SIZE, draws(step)))["loss"].backward()
        optimizer.step()
    assert overlap(renderer, squares).mean() > max(0.75, before + 0.2)


def faces(tmp_path) -> None:
    rgb = np.random.default_rng(0).integers(0, 255, (3, 4, 8, 8, 3)).astype(np.uint8)
    rgb[1] = rgb[0, ::-1]  # the same portraits again, with other people
    marks, looks = np.zeros((3, 4, 40, 2), np.float32), np.zeros((3, 4, 6), np.float32)
    FaceGroups(rgb, marks, looks, np.array([-1, -1, 0]), np.zeros((19, 2), np.float32)).save(tmp_path)


def test_portraits_count_once_and_films_by_their_first_pictures(tmp_path):
    faces(tmp_path)
    found = pictures_of(tmp_path)
    assert len(found) == 5 and len({picture.tobytes() for picture in found}) == 5


def test_a_folder_without_mattes_says_what_makes_them(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds no mattes.npz: make it with .*real_mattes"):
        read_real_mattes(tmp_path)


def test_a_renderer_without_a_matte_is_not_judged(tmp_path, tiny_config, capsys, monkeypatch):
    monkeypatch.setattr(real_mattes, "load_renderer", lambda file: Renderer(tiny_config))
    with pytest.raises(SystemExit):
        real_mattes.main([str(tmp_path), "--judge", "some.safetensors"])
    assert "some.safetensors has no matte" in capsys.readouterr().err


def test_mediapipe_sees_the_person_of_a_photograph(tmp_path):
    pytest.importorskip("mediapipe")
    portrait = to_uint8(frame_portrait(load_photo(ASSETS / "portrait.jpg")).picture)
    photo = cv2.resize(portrait, (192, 192), interpolation=cv2.INTER_AREA)
    marks, looks = np.zeros((1, 4, 40, 2), np.float32), np.zeros((1, 4, 6), np.float32)
    faces = FaceGroups(photo[None, None].repeat(4, 1), marks, looks, np.array([-1]), np.zeros((19, 2), np.float32))
    faces.save(tmp_path)
    found = real_mattes.write_real_mattes(tmp_path)
    assert found.rgb.shape == (1, SIZE, SIZE, 3) and found.matte[0, SIZE // 2, SIZE // 2] > 200
    assert found.matte[0, 2, 2] < 60 and np.array_equal(read_real_mattes(tmp_path).matte, found.matte)
