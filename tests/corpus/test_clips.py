"""Clips of drawn people: a seed is a person, motion is all that changes."""

import numpy as np
import pytest

pytest.importorskip("moderngl")

from mamba_portrait.corpus.clips import ClipRenderer, clip_scene  # noqa: E402
from mamba_portrait.corpus.parameters import COUNT, INDEX  # noqa: E402


@pytest.fixture(scope="module")
def renderer() -> ClipRenderer:
    try:
        return ClipRenderer(128)
    except RuntimeError as fault:
        pytest.skip(str(fault))


def test_a_clip_has_one_frame_per_state_and_repeats_exactly(renderer):
    motion = np.zeros((3, COUNT), np.float32)
    motion[1, INDEX["jaw"]] = 0.6
    frames = list(renderer.clip(5, motion))
    assert len(frames) == 3 and frames[0].shape == (128, 128, 3) and frames[0].dtype == np.uint8
    assert np.array_equal(frames[0], frames[2])
    assert np.abs(frames[1].astype(int) - frames[0]).max() > 30
    assert np.array_equal(frames[1], list(renderer.clip(5, motion))[1])


def test_a_speaking_mouth_changes_the_mouth_and_nothing_far_from_it(renderer):
    motion = np.zeros((2, COUNT), np.float32)
    motion[1, INDEX["upper_lip"]] = 0.8
    rest, raised = renderer.clip(8, motion)
    changed = np.abs(raised.astype(int) - rest).max(-1) > 8
    top = renderer.landmarks(motion[0])[:, 1].min()
    assert changed.any() and not changed[: int(128 * max(0.0, top) + 10)].any()


def test_seeds_are_different_people():
    assert clip_scene(1, 64).identity != clip_scene(2, 64).identity


def test_motion_of_another_shape_is_refused(renderer):
    with pytest.raises(ValueError, match="must be"):
        next(renderer.clip(1, np.zeros((4, 7))))


def test_sizes_that_cannot_be_encoded_are_refused():
    with pytest.raises(ValueError, match="even size"):
        ClipRenderer(131)
