"""People of photos: a fit finds the rig behind a mesh, and what is drawn is the photo, moved, with exact labels."""

import cv2
import numpy as np
import pytest

moderngl = pytest.importorskip("moderngl")

from mamba_portrait.learning.corpus.drawing.rasterizer import HeadRasterizer  # noqa: E402
from mamba_portrait.learning.corpus.drawing.scene import random_scene  # noqa: E402
from mamba_portrait.learning.corpus.person.identity import Identity, random_identity  # noqa: E402
from mamba_portrait.learning.corpus.photos.drawing import PhotoRasterizer  # noqa: E402
from mamba_portrait.learning.corpus.photos.fitting import fit_face  # noqa: E402
from mamba_portrait.learning.corpus.photos.layers import filled, inside  # noqa: E402
from mamba_portrait.learning.corpus.photos.mesh_places import (  # noqa: E402
    EYES,
    IRISES,
    MOUTH,
    PUPILS,
    MeshPlaces,
)
from mamba_portrait.learning.corpus.photos.stills import Photos, draw_photo_stills, pairs  # noqa: E402
from mamba_portrait.learning.corpus.sheet import warp_by_flow  # noqa: E402
from mamba_portrait.learning.corpus.stills import FIELDS  # noqa: E402
from mamba_portrait.learning.datasets.stills import StillSet  # noqa: E402
from mamba_portrait.vocabulary import COUNT, HAIR, INDEX, INSIDE_MOUTH, SKIN  # noqa: E402

SHOWN = {"yaw": 0.12, "pitch": -0.05, "roll": 0.06, "jaw": 0.2}
SIZE = 192


def _bald_person(seed: int) -> Identity:
    rng = np.random.default_rng(seed)
    person = random_identity(rng)
    while person.glasses or person.hat or person.look.pattern or person.hair.length_y < -0.3:
        person = random_identity(rng)
    return person


@pytest.fixture(scope="module")
def places() -> MeshPlaces:
    """Any places do for a mesh that is made from the rig's own vertices."""
    on_lines = {*MOUTH, *EYES[0], *EYES[1]}
    points = np.array([k for k in range(0, 468, 4) if k not in on_lines])
    rng = np.random.default_rng(0)
    return MeshPlaces(points, np.stack([rng.integers(7, 62, len(points)), rng.integers(18, 61, len(points))], 1))


@pytest.fixture(scope="module")
def photos(places) -> Photos:
    """Two drawn people as if they were photos: picture, matte, and the mesh that the rig's vertices make."""
    try:
        rasterizer = HeadRasterizer(SIZE)
    except RuntimeError as fault:
        pytest.skip(str(fault))
    shown = np.zeros(COUNT, np.float32)
    for name, value in SHOWN.items():
        shown[INDEX[name]] = value
    rows = []
    for seed in (5, 9):
        rng = np.random.default_rng(seed)
        scene = random_scene(rng, _bald_person(seed), SIZE)
        rasterizer.set_scene(scene)
        rgb, label, clip, posed = rasterizer.draw(shown)
        vertices, points = places.vertices(scene.rig.head)
        mesh = np.full((478, 2), 0.5, np.float32)
        mesh[points] = clip[vertices, :2] * [0.5, -0.5] + 0.5
        mesh[list(PUPILS)] = scene.landmarks(posed)[36:38]
        for pupil, across in zip(PUPILS, IRISES, strict=True):
            mesh[list(across)] = mesh[pupil] + [[-0.015, 0], [0.015, 0]]
        mesh[4] = scene.landmarks(posed)[15]
        matte = np.kron(label[..., 3] != 0, np.ones((3, 3)))[::2, ::2].astype(np.uint8) * 255
        rows.append((rgb, matte[:SIZE, :SIZE], mesh))
    return Photos(*(np.stack(field) for field in zip(*rows, strict=True)))


@pytest.fixture(scope="module")
def person(photos, places):
    return photos.person(0, places)


@pytest.fixture(scope="module")
def rasterizer(person) -> PhotoRasterizer:
    rasterizer = PhotoRasterizer(128)
    rasterizer.set_person(person)
    return rasterizer


def changed(person, **values: float) -> np.ndarray:
    parameters = person.parameters.copy()
    for name, value in values.items():
        parameters[INDEX[name]] = value
    return parameters


def test_a_fit_finds_the_pose_behind_a_mesh(photos, places):
    fitted = fit_face(places, photos.mesh[0])
    for name in ("yaw", "pitch", "roll"):
        assert fitted.parameters[INDEX[name]] == pytest.approx(SHOWN[name], abs=0.08)


def test_skin_lies_where_the_mesh_says(photos, places, person):
    vertices, points = places.vertices(person.rig.head)
    off = np.linalg.norm(person.places[vertices] - photos.mesh[0, points], axis=1)
    assert np.median(off) < 0.004  # half a pixel of 128


def test_with_its_own_motion_the_photo_is_drawn(photos, person, rasterizer):
    drawn = rasterizer.draw(person.parameters)[0].astype(int)
    photo = cv2.resize(photos.rgb[0], (128, 128), interpolation=cv2.INTER_AREA).astype(int)
    assert np.median(np.abs(drawn - photo)) < 6


def test_closed_lids_meet(person):
    skin = person.rig.pose(changed(person, blink_left=1, blink_right=1)).position
    columns, row = person.rig.head.bands[0][1], sum(rows for rows, _ in person.rig.head.bands[:2])
    line = slice(row * columns, (row + 1) * columns)
    below = slice((row - 1) * columns, row * columns)
    front = np.abs(person.rig.head.canonical[line, 2]) < 1.2
    assert np.abs(skin[line] - skin[below])[front, :2].max() < 0.02


def test_a_jaw_opens_the_mouth(person, rasterizer):
    closed, wide = (
        np.isin(np.rint(rasterizer.draw(changed(person, jaw=jaw))[1][..., 3]), INSIDE_MOUTH).sum() for jaw in (0, 0.9)
    )
    assert wide > closed + 60


def test_a_closed_lid_shows_skin_in_place_of_the_eye(person):
    _, mixed = person.shown(changed(person, blink_left=1))
    assert mixed.max() == 1
    assert not person.shown(person.parameters)[1].any()


def test_stills_have_the_layout_and_the_flow_of_drawn_people(photos, places, tmp_path):
    assert draw_photo_stills(tmp_path, photos, places, rounds=1) == 1
    found = {name: np.load(tmp_path / "stills" / f"000000_{name}.npy") for name in FIELDS}
    assert len(StillSet(tmp_path)) == 1
    assert np.abs(np.diff(found["param"][0, :, :, INDEX["jaw"]], axis=0)).max() == 0  # both make the same faces
    part = found["label"][0, 0] >> 1
    assert {SKIN, HAIR} <= set(np.unique(part))
    for frame in range(3):
        source, target = (found["rgb"][0, 0, k].astype(float) for k in (0, frame + 1))
        moved = warp_by_flow(source, found["flow"][0, 0, frame])
        seen = (found["label"][0, 0, frame] & 1).astype(bool) & (part[frame] == SKIN)
        assert np.abs(moved - target)[seen].mean() < 0.5 * max(np.abs(source - target)[seen].mean(), 12)


def test_pairs_are_of_different_photos():
    found = pairs(7, 3)
    assert found.shape == (3, 2)
    assert len(set(found.ravel())) == 6


def test_filling_takes_the_surroundings():
    known = np.ones((32, 32), np.float32)
    known[10:20, 10:20] = 0
    image = np.where(known[..., None] > 0, 80.0, 255.0) * np.ones((1, 1, 3))
    assert np.abs(filled(image.astype(np.float32), known) - 80).max() < 1


def test_inside_of_a_polygon():
    square = np.array([[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75]])
    assert inside(square, 64).mean() == pytest.approx(0.25, abs=0.02)
    assert inside(square, 64, (1.0, 0.5)).mean() == pytest.approx(0.125, abs=0.02)
