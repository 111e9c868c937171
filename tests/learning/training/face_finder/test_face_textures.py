"""Negatives of the face finder's training: of the documented shape, a function of the seed, not of one colour."""

import numpy as np
import pytest

from mamba_portrait.learning.training.face_finder.distractors import blob, eye, wheel
from mamba_portrait.learning.training.face_finder.textures import folds, fur, mirrored, noise, relief


@pytest.mark.parametrize("draw", [relief, fur, folds])
def test_a_surface_follows_from_its_seed_and_is_not_flat(draw):
    first, again, other = (draw(np.random.default_rng(seed), 96) for seed in (3, 3, 4))
    assert first.shape == (96, 96, 3) and first.dtype == np.uint8 and first.std() > 3
    assert np.array_equal(first, again) and not np.array_equal(first, other)


@pytest.mark.parametrize("draw", [blob, eye, wheel])
def test_a_distractor_covers_its_place_and_no_more(draw):
    ground = np.full((128, 128, 3), 90, np.uint8)
    for seed in range(4):
        changed = (draw(np.random.default_rng(seed), ground.copy(), np.array([64.0, 64.0]), 40.0) != 90).any(-1)
        assert changed[54:75, 54:75].any() and not changed[:2].any()


def test_a_mirrored_picture_is_nearly_alike_on_both_sides_of_some_axis():
    def unlike(image):
        x = image.astype(float)
        return min(np.abs(x[:, at - 20 : at] - x[:, at : at + 20][:, ::-1]).mean() for at in range(24, 73))

    rng = np.random.default_rng(0)
    smooth = [np.uint8(np.clip(128 + 40 * noise(rng, 96, 32, 0.3), 0, 255))[..., None] for _ in range(8)]
    before, after = (
        np.mean([unlike(change(x)) for x in smooth]) for change in (lambda x: x, lambda x: mirrored(rng, x))
    )
    assert after < 0.7 * before
