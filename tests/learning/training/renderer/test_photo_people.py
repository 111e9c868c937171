"""Photographs become drawn people by one command; the mesh here is that of the mean person, whatever the picture."""

import numpy as np
import pytest

moderngl = pytest.importorskip("moderngl")

from mamba_portrait.learning.corpus.drawing.scene import Camera  # noqa: E402
from mamba_portrait.learning.corpus.person.rig import Rig  # noqa: E402
from mamba_portrait.learning.corpus.photos.fitting import DISTANCE, plain_person  # noqa: E402
from mamba_portrait.learning.corpus.photos.mesh_places import (  # noqa: E402
    EYES,
    IRISES,
    MOUTH,
    PUPILS,
    MeshPlaces,
)
from mamba_portrait.learning.datasets.face_groups import FaceGroups  # noqa: E402
from mamba_portrait.learning.datasets.stills import StillSet  # noqa: E402
from mamba_portrait.learning.training.renderer import photo_people  # noqa: E402
from mamba_portrait.vocabulary import COUNT  # noqa: E402

S = 64


@pytest.fixture(scope="module")
def places() -> MeshPlaces:
    points = np.array([k for k in range(0, 468, 5) if k not in {*MOUTH, *EYES[0], *EYES[1]}])
    rng = np.random.default_rng(0)
    return MeshPlaces(points, np.stack([rng.integers(7, 62, len(points)), rng.integers(18, 61, len(points))], 1))


@pytest.fixture(scope="module")
def mesh(places) -> np.ndarray:
    rig, camera = Rig(plain_person()), Camera(DISTANCE, 1.5, (0.0, -0.14))
    posed = rig.pose(np.zeros(COUNT, np.float32))
    clip = camera.project(np.concatenate([posed.position, posed.landmarks]))[:, :2] * [0.5, -0.5] + 0.5
    vertices, points = places.vertices(rig.head)
    mesh = np.full((478, 2), 0.5, np.float32)
    mesh[points], mesh[list(PUPILS)] = clip[vertices], clip[len(posed.position) + 36 :][:2]
    for pupil, across in zip(PUPILS, IRISES, strict=True):
        mesh[list(across)] = mesh[pupil] + [[-0.015, 0], [0.015, 0]]
    return mesh


@pytest.fixture
def faces(tmp_path):
    rng = np.random.default_rng(1)
    rgb = rng.integers(0, 255, (2, 4, S, S, 3)).astype(np.uint8)
    rgb[1] = rgb[0, ::-1]  # those that teach stand in several groups
    nothing = np.zeros((2, 4, 40, 2), np.float32), np.zeros((2, 4, 6), np.float32)
    FaceGroups(rgb, *nothing, np.array([-1, -1]), np.zeros((19, 2), np.float32)).save(tmp_path / "faces")
    return tmp_path / "faces"


def test_a_folder_of_faces_becomes_stills_and_a_second_run_goes_on(faces, places, mesh, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(photo_people, "media_pipe", lambda: lambda picture: mesh)
    monkeypatch.setattr(photo_people, "learn_places", lambda seen: places)
    options = ["--faces", str(faces), "--out", str(tmp_path / "out"), "--rounds", "1", "--size", "64"]
    try:
        photo_people.main(options)
    except RuntimeError as fault:
        pytest.skip(str(fault))
    assert "2 groups of 4 people" in capsys.readouterr().out
    stills = StillSet(tmp_path / "out")
    assert len(stills) == 2
    assert stills.pictures(0).shape == (2, 4, 64, 64, 3)
    monkeypatch.setattr(photo_people, "media_pipe", None)  # the second run has all that it needs
    photo_people.main(options)


def test_where_the_mesh_sees_nobody_it_says_so(faces, tmp_path, monkeypatch):
    monkeypatch.setattr(photo_people, "media_pipe", lambda: lambda picture: None)
    monkeypatch.setattr(photo_people, "learn_places", lambda seen: None)
    with pytest.raises(ValueError, match="sees a face in none of the pictures"):
        photo_people.main(["--faces", str(faces), "--out", str(tmp_path / "out")])
