"""Real faces for the motion encoder: labels from meshes, the losses on them, and the jaw that is solved with them."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from mamba_portrait.learning.datasets.batch_slice import BatchSlice
from mamba_portrait.learning.datasets.face_groups import FaceGroups, read_face_groups
from mamba_portrait.learning.datasets.stills import StillSet
from mamba_portrait.learning.training.renderer import real_faces
from mamba_portrait.learning.training.renderer.calibration import calibrate
from mamba_portrait.learning.training.renderer.faces_task import FacesTask
from mamba_portrait.learning.training.renderer.mesh_labels import KNOWN, POINTS, WIDE_MOUTH, MeshLabels, seen
from mamba_portrait.learning.training.renderer.motion_space import MotionSpaceTask
from mamba_portrait.learning.training.renderer.strange import strange_pictures, strangeness
from mamba_portrait.networks.renderer.model import Renderer
from mamba_portrait.vocabulary import COUNT, INDEX, LANDMARKS

ASSETS = Path(__file__).parents[4] / "assets"


def meshes(count, rng, opening=0.0):
    """Slightly tilted faces: points at random, lips `opening` apart in eye distances."""
    mesh = rng.uniform(0.3, 0.7, (count, 478, 2))
    mesh[:, 33], mesh[:, 263] = (0.3, 0.4), (0.7, 0.4)
    mesh[:, 13] = 0.5, 0.6
    mesh[:, 14] = np.stack([np.full(count, 0.5), 0.6 + 0.4 * np.broadcast_to(opening, count)], 1)
    return np.stack([rotated(face, angle) for face, angle in zip(mesh, rng.normal(0, 0.05, count), strict=True)])


def rotated(points, angle, centre=(0.5, 0.4)):
    cos, sin = np.cos(angle), np.sin(angle)
    return (points - centre) @ np.array([[cos, sin], [-sin, cos]]) + centre


def faces(groups, opening, people=-1):
    """Grey pictures in which every mouth is said to be open so far."""
    rng = np.random.default_rng(0)
    looks = np.zeros((groups, 4, 6), np.float32)
    looks[..., 0], looks[..., 2:4] = opening, 0.3
    lips = np.zeros((19, 2), np.float32)
    lips[0, 0] = WIDE_MOUTH  # the jaw alone opens
    pictures = rng.integers(0, 255, (groups, 4, 64, 64, 3), dtype=np.uint8)
    marks = rng.uniform(0.2, 0.8, (groups, 4, len(LANDMARKS), 2)).astype(np.float32)
    return FaceGroups(pictures, marks, looks, np.full(groups, people), lips)


def test_marks_lie_where_drawn_landmarks_lie_beside_the_mesh_in_a_tilted_face_too():
    rng = np.random.default_rng(1)
    mesh = meshes(50, rng)
    marks = np.zeros((50, len(LANDMARKS), 2))
    marks[:, KNOWN] = mesh[:, list(POINTS.values())] + (0.01, -0.02)
    labels = MeshLabels.fit(mesh, marks, rng.uniform(0, 1, (50, COUNT)))
    np.testing.assert_allclose(labels.marks(mesh), marks, atol=0.003)
    tilted = rotated(mesh[:4], 0.4)
    np.testing.assert_allclose(
        labels.marks(tilted)[:, KNOWN], rotated(labels.marks(mesh[:4]), 0.4)[:, KNOWN], atol=1e-6
    )


def test_the_opening_of_a_mesh_is_in_eye_distances_whatever_the_face_s_size():
    mesh = meshes(3, np.random.default_rng(2), opening=np.array([0, 0.1, 0.3]))
    np.testing.assert_allclose(seen(mesh).opening, [0, 0.1, 0.3], atol=1e-6)
    np.testing.assert_allclose(seen(mesh * 0.5 + 0.1).opening, [0, 0.1, 0.3], atol=1e-6)


def test_groups_are_kept(tmp_path):
    groups = faces(2, 0.1)
    groups.save(tmp_path)
    np.testing.assert_array_equal(read_face_groups(tmp_path).rgb, groups.rgb)
    with pytest.raises(FileNotFoundError, match="real_faces"):
        read_face_groups(tmp_path / "empty")


@pytest.fixture
def renderer(tiny_config):
    torch.manual_seed(3)
    return Renderer(tiny_config).eval()


def test_a_film_s_changes_count_and_differences_between_portraits_do_not(drawn_discs, renderer):
    stills = StillSet(drawn_discs)
    film, portraits = (FacesTask(renderer, stills, faces(2, 0.1, people)) for people in (0, -1))
    batch = [task.real(np.arange(2), None) for task in (film, portraits)]
    on_film, on_portraits = film.face_terms(batch[0]), portraits.face_terms(batch[1])
    for name in ("mark_moves", "width", "lids"):
        assert on_portraits[name] == 0
    assert on_film["mark_moves"] > 0
    assert on_film["opening"] == on_portraits["opening"] > 0


def test_a_step_moves_the_encoder_and_a_resumed_one_sees_the_same_faces(drawn_discs, renderer):
    task = FacesTask(renderer, StillSet(drawn_discs), faces(6, 0.1))
    part = BatchSlice(0, 7, range(3), 3)
    first, again = (next(task.batches(iter([part]))) for _ in range(2))
    assert torch.equal(first[1].images, again[1].images)
    halves = [next(task.batches(iter([BatchSlice(0, 7, half, 3)]))) for half in (range(2), range(2, 3))]
    assert torch.equal(first[1].images, torch.cat([half[1].images for half in halves]))
    losses = task.losses(first)
    losses["loss"].backward()
    assert losses["faces/opening"] > 0
    assert all(p.grad is not None for p in renderer.motion_encoder.parameters())


def test_the_jaw_is_solved_so_that_real_mouths_are_as_open_as_they_are(drawn_discs, renderer):
    stills = StillSet(drawn_discs)
    drawn = stills.get(np.arange(12))
    real = faces(12, 0)._replace(rgb=255 - drawn.rgb[:, 0].numpy())  # whose mouths the encoder misreads
    real.looks[..., 0] = WIDE_MOUTH * drawn.param[:, 0, :, INDEX["jaw"]].numpy()

    def error(task_of):
        network = Renderer(renderer.config).eval()
        network.load_state_dict(renderer.state_dict())
        calibrate(network, task_of(network))
        return FacesTask(network, stills, real).measure_faces()["opening"]

    drawn_alone = error(lambda network: MotionSpaceTask(network, stills))
    assert error(lambda network: FacesTask(network, stills, real)) < 0.7 * drawn_alone


def test_photographs_and_films_are_split_by_who_is_held_out(drawn_discs, tmp_path, monkeypatch):
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(12):
        shutil.copy(ASSETS / "portrait_2.jpg", photos / f"p{number}.jpg")
    rng = np.random.default_rng(4)

    def mesh(picture):
        return meshes(1, rng)[0].astype(np.float32)

    monkeypatch.setattr(real_faces, "media_pipe", lambda: mesh)
    monkeypatch.setattr(real_faces, "SMALLEST", 20)
    sides = {}
    for judged in (False, True):
        kept = [picture for picture, _ in real_faces.photographs(photos, mesh, judged)]
        sides[judged] = len(kept)
        assert all(picture.shape == (real_faces.SIDE, real_faces.SIDE, 3) for picture in kept)
    assert sides[False] + sides[True] == 12 and min(sides.values()) >= 1
    groups = real_faces.write_faces(drawn_discs, photos, [], tmp_path / "faces", False, 10)
    assert (groups.person == -1).all()
    assert read_face_groups(tmp_path / "faces").rgb.shape[1:] == (4, real_faces.SIDE, real_faces.SIDE, 3)


def test_too_few_drawn_faces_are_said(drawn_discs):
    with pytest.raises(ValueError, match="sees 0 of the drawn faces"):
        real_faces.fit_labels(drawn_discs, lambda picture: None)


def test_the_jaw_is_the_first_of_the_mouth_terms():
    from mamba_portrait.learning.training.renderer.mesh_labels import MOUTH

    assert MOUTH[0] == INDEX["jaw"]


def test_pictures_without_a_face_are_of_many_kinds_and_what_is_read_of_them_has_a_range():
    pictures = strange_pictures(BatchSlice(0, 0, range(40), 40).draws(), 32)
    assert pictures.shape == (40, 3, 32, 32) and 0 <= float(pictures.min()) and float(pictures.max()) <= 1
    assert len({round(float(picture.std()), 2) for picture in pictures}) > 10
    usual = torch.zeros(2, COUNT)
    assert float(strangeness(usual)) == 0
    usual[0, INDEX["jaw"]] = 4.0
    assert float(strangeness(usual)) > 0.1
