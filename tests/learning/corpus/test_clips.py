"""Clips of drawn people: the scene follows from the seed, and only the motion changes between frames."""

import numpy as np
import pytest

pytest.importorskip("moderngl")

from mamba_portrait.learning.corpus.clips import ClipRasterizer, clip_scene  # noqa: E402
from mamba_portrait.learning.corpus.drawing.rasterizer import backward_flow  # noqa: E402
from mamba_portrait.learning.corpus.person.arms import AT_REST, BODY, GESTURE  # noqa: E402
from mamba_portrait.learning.corpus.sheet import warp_by_flow  # noqa: E402
from mamba_portrait.learning.corpus.stills import FLOW_SCALE  # noqa: E402
from mamba_portrait.vocabulary import COUNT, HAND, INDEX, LANDMARKS  # noqa: E402


@pytest.fixture(scope="module")
def rasterizer() -> ClipRasterizer:
    try:
        return ClipRasterizer(128)
    except RuntimeError as fault:
        pytest.skip(str(fault))


def test_a_clip_has_one_frame_per_state_and_repeats_exactly(rasterizer):
    motion = np.zeros((3, COUNT), np.float32)
    motion[1, INDEX["jaw"]] = 0.6
    frames = list(rasterizer.clip(5, motion))
    assert len(frames) == 3 and frames[0].shape == (128, 128, 3) and frames[0].dtype == np.uint8
    assert np.array_equal(frames[0], frames[2])
    assert np.abs(frames[1].astype(int) - frames[0]).max() > 30
    assert np.array_equal(frames[1], list(rasterizer.clip(5, motion))[1])


def test_a_speaking_mouth_changes_the_mouth_and_nothing_far_from_it(rasterizer):
    motion = np.zeros((2, COUNT), np.float32)
    motion[1, INDEX["upper_lip"]] = 0.8
    rest, raised = rasterizer.clip(8, motion)
    changed = np.abs(raised.astype(int) - rest).max(-1) > 8
    top = rasterizer.landmarks(motion[0])[:, 1].min()
    assert changed.any() and not changed[: int(128 * max(0.0, top) + 10)].any()


def test_seeds_are_different_people():
    assert clip_scene(1, 64).identity != clip_scene(2, 64).identity


def test_a_seed_without_hands_is_the_clip_that_it_was():
    scene = clip_scene(8, 64)
    assert scene.camera.half == pytest.approx(1.1964034) and scene.camera.distance == pytest.approx(9.4779057)
    assert scene.identity.shape.nose_width == pytest.approx(1.1583698) and scene.noise == 3
    assert len(scene.rig.rest) == 14232 and scene.arms is None


REST = np.zeros(COUNT, np.float32)


def raised(outwards: float, up: float) -> np.ndarray:
    """A gesture with both hands before the chest, fingers up, their palms to the camera."""
    gesture = AT_REST.copy()
    for hand in gesture[len(BODY) :].reshape(2, -1):
        hand[:6] = outwards, up, 1.2, 1.3, -0.3, 0.0
        hand[6:11] = 0.15
    return gesture


@pytest.fixture
def person_with_arms(rasterizer):
    rasterizer.open(8, hands=True)
    return rasterizer.rasterizer


def hand_pixels(label: np.ndarray) -> np.ndarray:
    return label[..., 3] == HAND


def test_hands_at_rest_are_below_the_frame(rasterizer):
    for seed in (5, 8):
        rasterizer.open(seed, hands=True)
        _, label, _, _ = rasterizer.rasterizer.draw(REST, gesture=AT_REST)
        assert not hand_pixels(label).any()


def test_the_flow_of_a_hand_leads_to_the_same_hand(person_with_arms):
    _, source_label, source, _ = person_with_arms.draw(REST, gesture=raised(0.75, -2.0))
    _, label, _, _ = person_with_arms.draw(REST, source, raised(0.95, -1.8))
    flow, visible = backward_flow(label, source_label)
    for half in (np.s_[:, :64], np.s_[:, 64:]):
        hand = hand_pixels(label[half]) & visible[half]
        assert hand.sum() > 150 and hand.sum() > 0.6 * hand_pixels(label[half]).sum()
        x, y = ((flow[half][hand] + 1) * 64).astype(int).T
        assert hand_pixels(source_label[y, x]).all()
        assert (x < 64).all() if half[1].start is None else (x >= 64).all()
        assert np.abs(source_label[y, x, 2] - label[half][hand][:, 2]).max() < 0.25
        assert (y > np.nonzero(hand)[0]).mean() > 0.95  # where they came from is lower


def test_a_hand_warped_by_the_flow_looks_like_the_hand(person_with_arms):
    before, source_label, source, _ = person_with_arms.draw(REST, gesture=raised(0.75, -2.0))
    after, label, _, _ = person_with_arms.draw(REST, source, raised(0.9, -1.85))
    flow, visible = backward_flow(label, source_label)
    warped = warp_by_flow(before, flow * FLOW_SCALE)
    hand = hand_pixels(label) & visible
    error, still = (np.abs(image.astype(int) - after)[hand].mean() for image in (warped, before))
    assert error < 8 and error < 0.4 * still


def test_what_a_hand_covered_and_a_hand_that_rises_into_the_frame_are_not_visible(person_with_arms):
    up, down = raised(0.5, -1.7), AT_REST
    _, covered, source, _ = person_with_arms.draw(REST, gesture=up)
    _, free, _, _ = person_with_arms.draw(REST, source, down)
    _, visible = backward_flow(free, covered)
    still = (free[..., 3] == 1) | (free[..., 3] == 0)  # face and background have not moved
    behind = hand_pixels(covered) & still
    assert behind.sum() > 30 and not visible[behind].any()
    assert visible[still & (covered[..., 3] == free[..., 3])].mean() > 0.97
    _, source_label, source, _ = person_with_arms.draw(REST, gesture=down)
    _, label, _, _ = person_with_arms.draw(REST, source, up)
    flow, visible = backward_flow(label, source_label)
    hand = hand_pixels(label)
    assert hand.sum() > 300 and not visible[hand].any() and (flow[hand][:, 1] > 1).all()


def test_landmarks_stay_under_a_hand(rasterizer):
    scene = rasterizer.open(8, hands=True)
    before = rasterizer.landmarks(REST)
    _, label, _, posed = rasterizer.rasterizer.draw(REST, gesture=raised(0.4, -1.5))
    marks = scene.landmarks(posed)
    assert np.array_equal(marks, before)
    column, row = (marks * 128).astype(int).clip(0, 127).T
    assert hand_pixels(label)[row, column].any()


def test_shoulders_rise_and_the_face_stays(rasterizer):
    rasterizer.open(8, hands=True)
    lifted = AT_REST.copy()
    lifted[: len(BODY)] = 0.12, 0.12, 0.0, 0.0
    plain, shrugged = (rasterizer.frame(REST, gesture).astype(int) for gesture in (AT_REST, lifted))
    changed = np.abs(plain - shrugged).max(-1) > 8
    marks = dict(zip(LANDMARKS, (128 * rasterizer.landmarks(REST)).astype(int), strict=True))
    left, right, chin = marks["jaw_left"][0], marks["jaw_right"][0], marks["chin"][1]
    assert changed[chin + 12 :].sum() > 50 and not changed[: chin - 6, left + 2 : right - 2].any()


def test_a_clip_with_hands_repeats_exactly(rasterizer):
    gestures = np.stack([AT_REST, raised(0.9, -1.9)])
    first, second = (list(rasterizer.clip(8, np.zeros((2, COUNT)), gestures=gestures)) for _ in range(2))
    assert np.array_equal(first, second) and not np.array_equal(first[0], first[1])


def test_gestures_of_another_length_are_refused(rasterizer):
    with pytest.raises(ValueError, match="gestures"):
        next(rasterizer.clip(1, np.zeros((4, COUNT)), gestures=np.zeros((3, GESTURE))))


def test_motion_of_another_shape_is_refused(rasterizer):
    with pytest.raises(ValueError, match="must be"):
        next(rasterizer.clip(1, np.zeros((4, 7))))


def test_sizes_that_cannot_be_encoded_are_refused():
    with pytest.raises(ValueError, match="even size"):
        ClipRasterizer(131)
