"""Shards of stills: exact labels, reproducible files."""

import numpy as np
import pytest

moderngl = pytest.importorskip("moderngl")

from mamba_portrait.learning.corpus import stills as stills_module  # noqa: E402
from mamba_portrait.learning.corpus.drawing.rasterizer import HeadRasterizer, backward_flow  # noqa: E402
from mamba_portrait.learning.corpus.drawing.scene import random_scene  # noqa: E402
from mamba_portrait.learning.corpus.person.identity import random_identity, same_person  # noqa: E402
from mamba_portrait.learning.corpus.sheet import warp_by_flow  # noqa: E402
from mamba_portrait.learning.corpus.stills import FIELDS, FLOW_SCALE, PEOPLE, draw_shard, draw_stills  # noqa: E402
from mamba_portrait.learning.datasets.stills import StillSet  # noqa: E402
from mamba_portrait.vocabulary import (  # noqa: E402
    CAVITY,
    COUNT,
    EYE,
    HAIR,
    INDEX,
    INSIDE_MOUTH,
    LANDMARKS,
    SKIN,
    TORSO,
)


@pytest.fixture(scope="module")
def renderer() -> HeadRasterizer:
    try:
        return HeadRasterizer(256)
    except RuntimeError as fault:
        pytest.skip(str(fault))


@pytest.fixture(scope="module")
def folder(renderer, tmp_path_factory):
    out = tmp_path_factory.mktemp("corpus")
    draw_stills(out, groups=3, seed=7, shard=2)
    return out


def load(folder, name: str, shard: int = 0) -> np.ndarray:
    return np.load(folder / "stills" / f"{shard:06d}_{name}.npy", mmap_mode="r")


def parameters(**values: float) -> np.ndarray:
    vector = np.zeros(COUNT, np.float32)
    for name, value in values.items():
        vector[INDEX[name]] = value
    return vector


@pytest.fixture(scope="module")
def person(renderer):
    rng = np.random.default_rng(1)
    identity = random_identity(rng)
    while identity.look.pattern or identity.glasses or identity.hat:
        identity = random_identity(rng)
    renderer.set_scene(random_scene(rng, identity))
    return renderer


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / max(1e-6, np.mean((a.astype(np.float32) - b.astype(np.float32)) ** 2))))


def test_files_have_the_documented_shapes(folder):
    n, marks = 128, len(LANDMARKS)
    shapes = {
        "rgb": ((2, 2, 4, 256, 256, 3), np.uint8),
        "flow": ((2, 2, 3, n, n, 2), np.int16),
        "label": ((2, 2, 3, n, n), np.uint8),
        "part0": ((2, 2, n, n), np.uint8),
        "param": ((2, 2, 4, COUNT), np.float32),
        "mark": ((2, 2, 4, marks, 2), np.float32),
    }
    assert set(shapes) == set(FIELDS)
    for name, (shape, kind) in shapes.items():
        array = load(folder, name)
        assert array.shape == shape and array.dtype == kind, name
    assert load(folder, "rgb", 1).shape[0] == 1  # the last shard holds the rest
    assert len(list((folder / "stills").iterdir())) == 2 * len(FIELDS)  # no partial files stay


def test_a_seed_is_the_recipe_that_it_was(folder):
    """Another order or number of random draws would make other people of the seeds that trained the weights."""
    assert np.allclose(load(folder, "param").sum((2, 3)), [[8.302, 7.9409], [6.9111, 6.9111]], atol=2e-3)
    marks = [[[0.4396, 0.4935], [0.4351, 0.3813]], [[0.4399, 0.4786], [0.4434, 0.5100]]]
    assert np.allclose(load(folder, "mark").mean((2, 3)), marks, atol=1e-3)
    colours = [[[107.78, 103.87, 75.22], [145.96, 125.41, 122.70]], [[161.11, 156.21, 129.19], [82.12, 120.54, 111.72]]]
    assert np.allclose(load(folder, "rgb").mean((2, 3, 4)), colours, atol=0.5)


def test_twins_share_expressions(folder):
    motion = load(folder, "param")
    expression = [i for name, i in INDEX.items() if not INDEX["yaw"] <= i <= INDEX["shift_z"]]
    assert np.array_equal(motion[:, 0][..., expression], motion[:, 1][..., expression])


def test_shards_are_reproducible_and_independent_of_the_range(folder, tmp_path):
    draw_stills(tmp_path, groups=1, seed=7, first=2, shard=2)
    for name in FIELDS:
        assert np.array_equal(load(folder, name, 1), load(tmp_path, name, 1)), name


def test_drawn_shards_are_skipped(folder):
    path = folder / "stills" / "000000_rgb.npy"
    before = path.stat().st_mtime_ns
    assert draw_stills(folder, groups=2, seed=7, shard=2) == [path]
    assert path.stat().st_mtime_ns == before


def test_a_range_off_the_shard_grid_is_refused(tmp_path):
    with pytest.raises(ValueError, match="multiple of 32"):
        draw_stills(tmp_path, groups=4, seed=1, first=5)


def test_flow_carries_the_source_onto_the_driving_frame(folder):
    """In skin and hair, the warped source is much nearer to the driving frame than the source itself."""
    rgb, flow, label = load(folder, "rgb"), load(folder, "flow"), load(folder, "label")
    warped_error, copied_error, count = 0.0, 0.0, 0
    for group in range(2):
        for twin in range(2):
            for frame in range(3):
                source, driving = rgb[group, twin, 0], rgb[group, twin, frame + 1]
                visible = (label[group, twin, frame] & 1).repeat(2, 0).repeat(2, 1) == 1
                warped = warp_by_flow(source, flow[group, twin, frame])
                warped_error += np.sum((warped[visible].astype(float) - driving[visible]) ** 2)
                copied_error += np.sum((source[visible].astype(float) - driving[visible]) ** 2)
                count += visible.sum() * 3
    gain = 10 * np.log10(copied_error / warped_error)
    assert 10 * np.log10(255**2 * count / warped_error) > 22
    assert gain > 2


def test_zero_motion_is_the_identity_flow(person):
    image, source_label, source, _ = person.draw(parameters(jaw=0.2))
    again, label, _, _ = person.draw(parameters(jaw=0.2), source)
    flow, visible = backward_flow(label, source_label)
    centre = (np.arange(128) + 0.5) / 64 - 1
    assert np.array_equal(image, again)
    assert np.abs(flow[..., 0] - centre[None]).max() < 2e-3  # rasterisers snap vertices to a fraction of a pixel
    assert np.abs(flow[..., 1] - centre[:, None]).max() < 2e-3  # rasterisers snap vertices to a fraction of a pixel
    solid = label[..., 3] != CAVITY
    assert visible[solid].mean() > 0.99 and not visible[~solid].any()


def test_an_eye_behind_a_closed_lid_is_not_visible(person):
    _, source_label, source, _ = person.draw(parameters(blink_left=1.0))
    _, label, _, _ = person.draw(parameters(), source)
    _, visible = backward_flow(label, source_label)
    eye = label[..., 3] == EYE
    left, right = eye.copy(), eye.copy()
    middle = int(np.mean(np.nonzero(eye)[1]))
    left[:, middle:], right[:, :middle] = False, False
    assert left.sum() > 5 and not visible[left].any()
    assert visible[right].mean() > 0.9


def test_stored_flow_is_exact_to_a_hundredth_of_a_pixel(renderer):
    stored = draw_shard(renderer, seed=7, shard=0, groups=1)  # leaves the last person's scene behind
    motion, flows = stored["param"][0, 1], stored["flow"][0, 1]
    _, source_label, source, _ = renderer.draw(motion[0])
    for frame in range(1, 4):
        flow, _ = backward_flow(renderer.draw(motion[frame], source)[1], source_label)
        assert np.abs((flows[frame - 1] / FLOW_SCALE - flow) * 128).max() < 0.01


def test_parts_lie_where_landmarks_say(person):
    _, label, _, posed = person.draw(parameters(jaw=0.6))
    part = label[..., 3].astype(int)
    points = dict(zip(LANDMARKS, person.scene.landmarks(posed) * 128, strict=True))

    def at(name: str) -> int:
        column, row = points[name].astype(int)
        return int(part[row, column])

    assert at("nose_tip") == SKIN and at("left_pupil") == EYE and at("right_pupil") == EYE
    column, row = ((points["upper_lip_inner"] + points["lower_lip_inner"]) / 2).astype(int)
    assert part[row, column] in INSIDE_MOUTH
    assert {HAIR, TORSO} & set(np.unique(part))


def test_the_picture_follows_the_yaw(person):
    """A head turned to the image's right shows its nose right of where it was, in pixels as in landmarks."""
    _, source_label, source, posed = person.draw(parameters())
    _, label, _, turned = person.draw(parameters(yaw=0.35), source)
    before, after = person.scene.landmarks(posed), person.scene.landmarks(turned)
    nose = LANDMARKS.index("nose_tip")
    assert after[nose, 0] > before[nose, 0] + 0.02
    flow, _ = backward_flow(label, source_label)
    column, row = (after[nose] * 128).astype(int)
    assert np.allclose((flow[row, column] + 1) / 2, before[nose], atol=0.02)


def test_people_with_two_scenes_are_the_same_in_other_light_and_clothes(renderer, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(stills_module, "same_person", lambda *who: drawn.append(who) or same_person(*who))
    draw_stills(tmp_path, groups=4, seed=3, size=64, shard=3, scenes=2)
    asked = [(0, 0), (1, 0), (0, 1), (1, 1), (2, 0), (3, 0), (2, 1), (3, 1)]
    assert drawn == [((3, PEOPLE, who), scene) for who, scene in asked]
    stills = StillSet(tmp_path)
    assert stills.people().tolist() == [[0, 1], [0, 1], [2, 3], [2, 3]]  # a person goes on in the next shard
    first, second, other = (same_person((3, PEOPLE, who), scene) for who, scene in ((0, 0), (0, 1), (1, 0)))
    assert first.shape == second.shape and first.hair == second.hair and first.look == second.look
    assert first.clothes != second.clothes and first.shape != other.shape and first.look.pattern == 0
    assert first == same_person((3, PEOPLE, 0), 0)
    pictures = stills.get(np.arange(4)).rgb[:, :, 0].float()
    assert (pictures[0] - pictures[1]).abs().mean() > 10  # another scene
    again = draw_shard(HeadRasterizer(64), seed=3, shard=1, groups=1, scenes=2, first=3)
    assert np.array_equal(again["rgb"], load(tmp_path, "rgb", 1)) and again["person"].tolist() == [[2, 3]]
    with pytest.raises(ValueError, match="one scene at least"):
        draw_stills(tmp_path, groups=1, seed=3, scenes=0)


def test_without_scenes_stills_are_what_they_were(renderer, folder):
    assert StillSet(folder).people() is None
    stored = draw_shard(renderer, seed=7, shard=0, groups=1, first=5)
    assert np.array_equal(stored["rgb"][0], load(folder, "rgb")[0]) and "person" not in stored
