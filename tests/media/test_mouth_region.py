"""The mouth's region: where it lies, and what blending does to colours and places."""

import numpy as np
import pytest

from mamba_portrait.media.cuts import Cuts
from mamba_portrait.media.mouth_region import MouthRegion

MARKS = np.array([(70, 80), (130, 80), (100, 115), (80, 145), (120, 145)], float)
SHAPE = (240, 200)


def picture(seed=0, shape=SHAPE):
    rng = np.random.default_rng(seed)
    rough = rng.random((shape[0] // 8, shape[1] // 8, 3)).astype(np.float32)
    return np.kron(rough, np.ones((8, 8, 1), np.float32)) * 0.4 + 0.3


def whole(region):
    alpha = np.zeros(SHAPE, np.float32)
    alpha[region.rows, region.columns] = region.alpha
    return alpha


def test_it_holds_mouth_and_chin_and_neither_eyes_nor_nose():
    alpha = whole(MouthRegion(MARKS, SHAPE))
    assert alpha[145, 100] == alpha[185, 100] == 1  # mouth, chin
    assert alpha[80, 70] == alpha[80, 130] == alpha[110, 100] == 0  # eyes, nose
    assert alpha[145, 30] == alpha[145, 170] == 0


def test_it_turns_with_the_head():
    turned = np.stack([240 - MARKS[:, 1], MARKS[:, 0]], 1)  # a quarter turn clockwise
    there = MouthRegion(turned, (200, 240))
    alpha = np.zeros((200, 240), np.float32)
    alpha[there.rows, there.columns] = there.alpha
    assert alpha == pytest.approx(np.rot90(whole(MouthRegion(MARKS, SHAPE)), -1), abs=0.05)


def test_drawn_colours_take_the_films_and_nothing_else_changes():
    film, region = picture(), MouthRegion(MARKS, SHAPE)
    made, before = film - 0.1, film.copy()
    region.blend(film, made)
    assert (film[whole(region) == 0] == before[whole(region) == 0]).all()
    assert film == pytest.approx(before, abs=1e-3)


def test_half_the_weight_is_half_the_change():
    film, region = np.full((*SHAPE, 3), 0.5, np.float32), MouthRegion(MARKS, SHAPE)
    made = film.copy()
    made[145, 100] = 1.0
    region.blend(film, made, 0.5)
    assert film[145, 100] == pytest.approx(0.75, abs=1e-3)


def test_a_face_drawn_a_little_off_is_moved_to_its_place():
    film, region = picture(), MouthRegion(MARKS, SHAPE)
    made = np.roll(film, (2, -3), (0, 1))
    moved = region.aligned(film, made)
    assert np.abs(moved - film)[60:200, 40:160].mean() < 0.2 * np.abs(made - film)[60:200, 40:160].mean()
    other = picture(5)
    assert region.aligned(film, other) is other


def test_a_region_beyond_the_picture_changes_nothing():
    film = picture()
    before = film.copy()
    MouthRegion(MARKS + (900, 0), SHAPE).blend(film, film + 0.1)
    assert (film == before).all()


def test_cuts_are_told_and_motion_and_fades_are_not():
    cuts, one, two = Cuts(), picture(1), picture(2)
    film = [np.roll(one, 2 * i, 1) for i in range(12)] + [np.roll(two, i, 0) for i in range(6)]
    film += [np.roll(two, 5, 0) * (1 - 0.05 * i) for i in range(10)]
    told = [i for i, frame in enumerate(film) if cuts((frame * 255).astype(np.uint8))]
    assert told == [12]
