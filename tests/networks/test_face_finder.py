"""The face finder: targets decode to the faces they were made from."""

import numpy as np
import pytest
import torch

from mamba_portrait.learning.training.face_finder.targets import losses, make_targets
from mamba_portrait.networks.face_finder import BASES, STRIDES, FaceFinder, FaceFinderConfig, decode, suppress

TINY = FaceFinderConfig(widths=(4, 4, 8, 8, 8), blocks=1, head=8)


def face(x, y, side):
    """A face row with landmarks at fixed places of the box."""
    marks = np.array([[-0.2, -0.25], [0.2, -0.25], [0, 0], [-0.15, 0.25], [0.15, 0.25]]) * side + [x, y]
    return np.concatenate([[x, y, side], marks.ravel()]).astype(np.float32)


def perfect_answer(faces, size):
    """The network's output that equals the targets."""
    outputs = []
    for target, stride, base in zip(make_targets(faces, size), STRIDES, BASES, strict=True):
        target = torch.from_numpy(target)[None]
        cells = (torch.arange(target.shape[-1]) + 0.5) * stride
        side = target[:, 5].clamp(min=1)
        center = torch.stack([target[:, 3] - cells[None, None], target[:, 4] - cells[None, :, None]], 1) / base
        marks = (target[:, 6:].unflatten(1, (-1, 2)) - target[:, 3:5][:, None]) / side[:, None, None]
        logit = torch.where(target[:, 2:3] > 0, 9.0, -9.0)
        outputs.append(torch.cat([logit, center, (side / base).log()[:, None], marks.flatten(1, 2)], 1))
    return outputs


@pytest.mark.parametrize("side", [13.0, 20.0, 33.0, 60.0, 120.0, 180.0])
def test_what_is_taught_decodes_to_the_same_face(side):
    wanted = face(101.3, 90.7, side)
    rows = suppress(decode(perfect_answer(wanted[None], 192), 0.5)[0])
    assert rows.shape == (1, 14)
    assert np.allclose(rows[0, 1:], wanted, atol=1e-2)


def test_several_faces_and_none():
    faces = np.stack([face(40, 40, 30), face(140, 50, 44), face(100, 140, 80)])
    rows = suppress(decode(perfect_answer(faces, 192), 0.5)[0])
    assert sorted(rows[:, 3].round().tolist()) == [30, 44, 80]
    assert decode(perfect_answer(faces[:0], 192), 0.5)[0].shape == (0, 14)


def test_losses_fall_to_nothing_for_the_perfect_answer():
    faces = np.stack([face(40, 40, 30), face(100, 140, 80)])
    targets = [torch.from_numpy(t)[None] for t in make_targets(faces, 192)]
    perfect = losses(perfect_answer(faces, 192), targets)
    assert perfect["box"] < 1e-6 and perfect["marks"] < 1e-6 and perfect["heat"] < 1e-3
    blind = losses(FaceFinder(TINY).eval()(torch.rand(1, 3, 192, 192)), targets)
    assert all(blind[name] > 10 * perfect[name] for name in blind)


def test_faces_that_are_tiny_or_outside_are_neither_wanted_nor_punished():
    for row in (face(50, 50, 5), face(-8, 100, 60)):
        targets = make_targets(row[None], 192)
        assert all(target[2].sum() == 0 for target in targets)
        assert any((target[1] == 0).any() for target in targets)


def test_suppression_keeps_neighbours_and_drops_parts_of_a_face():
    rows = torch.zeros(3, 14)
    rows[:, :4] = torch.tensor([[0.9, 50, 50, 40], [0.8, 55, 45, 15], [0.7, 95, 50, 40]])
    assert suppress(rows)[:, 1].tolist() == [50, 95]


def test_batch_equals_one_by_one_and_sizes_are_checked():
    network, images = FaceFinder(TINY).eval(), torch.rand(3, 3, 64, 96)
    with torch.no_grad():
        together, alone = network(images), network(images[1:2])
    assert [tuple(o.shape) for o in together] == [(3, 14, 8, 12), (3, 14, 4, 6), (3, 14, 2, 3)]
    assert all(torch.allclose(t[1:2], a, atol=1e-5) for t, a in zip(together, alone, strict=True))
    with pytest.raises(ValueError, match="multiples of 32"):
        network(torch.rand(1, 3, 50, 64))


def test_config_survives_its_file():
    assert FaceFinderConfig.from_dict(TINY.to_dict()) == TINY
