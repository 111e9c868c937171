"""Face points: what each parameter moves, and pictures of them."""

import numpy as np
import pytest

from mamba_portrait.media.face_points import CHAINS, EYES, INNER, JAW, PUPILS, draw_points, mean_face, posed_points
from mamba_portrait.vocabulary import COUNT, INDEX


def posed(**values: float) -> np.ndarray:
    parameters = np.zeros((1, COUNT), np.float32)
    for name, value in values.items():
        parameters[0, INDEX[name]] = value
    return posed_points(parameters)[0]


REST = posed()


def test_the_mean_face_is_symmetric_and_its_eyes_are_one_apart():
    face = mean_face()
    assert face.shape == (70, 3) and np.allclose(REST, face[:, :2])
    assert REST[45, 0] - REST[36, 0] == pytest.approx(1)
    mirrored = [*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31, 45, 44, 43, 42, 47, 46]
    mirrored += [39, 38, 37, 36, 41, 40, 54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65]
    assert np.allclose(face[:68] * [-1, 1, 1], face[mirrored], atol=1e-9)
    assert {i for chain in CHAINS for i in chain} == set(range(68))


@pytest.mark.parametrize("turn", ["yaw", "pitch", "roll"])
def test_turns_go_where_the_vocabulary_says(turn):
    moved = posed(**{turn: 0.3}) - REST
    nose, chin = moved[30], moved[8]
    if turn == "yaw":
        assert nose[0] > 0.1 and abs(nose[1]) < 0.02
    elif turn == "pitch":
        assert nose[1] > 0.1 and abs(nose[0]) < 1e-9
    else:
        assert chin[0] > 0.1  # the crown goes to the left


def test_a_mouth_opens_rounds_smiles_and_shuts():
    gap = lambda points: points[66, 1] - points[62, 1]  # noqa: E731
    assert gap(posed(jaw=1)) - gap(REST) == pytest.approx(0.29, abs=0.01)
    assert (posed(jaw=1) - REST)[8, 1] > 0.2 and np.abs(posed(jaw=1) - REST)[[0, 16]].max() < 1e-9
    assert np.ptp(posed(pucker=1)[INNER, 0]) < 0.8 * np.ptp(REST[INNER, 0]) < np.ptp(posed(spread=1)[INNER, 0])
    smile = posed(smile_left=1) - REST
    assert smile[48, 1] < -0.05 and abs(smile[54, 1]) < 1e-9 and np.abs(smile[JAW]).max() < 1e-9


def test_lids_brows_and_pupils_move_by_side():
    lids = posed(blink_left=1)
    assert np.allclose(lids[[37, 38]], lids[[41, 40]]) and np.allclose(lids[EYES[1]], REST[EYES[1]])
    assert (posed(brow_right=1) - REST)[24, 1] < -0.1 and np.allclose(posed(brow_right=1)[17:22], REST[17:22])
    gaze = posed(gaze_x=0.4, gaze_y=0.2) - REST
    assert (gaze[list(PUPILS), 0] > 0.05).all() and (gaze[list(PUPILS), 1] < -0.02).all()


def test_pictures_are_white_points_on_black():
    points = np.array([[10.0, 20.0], [40.0, 5.0], [-500.0, 1e9]])
    picture = draw_points(points, (32, 48), 2)
    assert picture.shape == (32, 48, 3) and picture[20, 10].tolist() == [255] * 3 and picture[5, 40, 0] == 255
    assert picture[0, 0].max() == 0 and 10 < (picture[..., 0] > 128).sum() < 50
    assert (
        draw_points(REST * 30 + 40, (100, 100), 2, lines=True).sum() > draw_points(REST * 30 + 40, (100, 100), 2).sum()
    )
