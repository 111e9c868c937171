"""ACTalker's mouth boxes beside another detector's lips."""

import numpy as np
import pytest
import torch

from mamba_portrait.learning.evaluation.actalker.mouth_boxes import OUTER_LIPS, measure_mouth_box
from mamba_portrait.media.faces import find_faces
from mamba_portrait.media.photo import load_photo
from mamba_portrait.model_loaders.checkpoint import WEIGHTS
from mamba_portrait.pipelines.actalker.masks import mouth_box


@pytest.fixture(scope="module")
def photo():
    return load_photo(WEIGHTS.parent / "assets" / "portrait_2.jpg")


def mesh_with_lips(box, photo):
    """A mesh that sees the lips in a box (pixels)."""
    points = np.full((478, 3), 0.5)
    low, high = (np.array(corner) / (photo.shape[1], photo.shape[0]) for corner in (box[:2], box[2:]))
    points[list(OUTER_LIPS), :2] = (low + high) / 2
    points[OUTER_LIPS[0], :2], points[OUTER_LIPS[6], :2] = low, high
    return lambda picture: points


def test_lips_inside_the_box_are_covered(photo):
    face = find_faces(photo)[0]
    x0, y0, x1, y1 = mouth_box(face.box, face.landmarks)
    wide, high = x1 - x0, y1 - y0
    inside = measure_mouth_box(
        photo, mesh_with_lips((x0 + wide / 4, y0 + high / 4, x1 - wide / 4, y1 - high / 4), photo)
    )
    assert inside == {"mouth_covered": pytest.approx(1.0), "mouth_larger": pytest.approx(4.0)}
    half = measure_mouth_box(photo, mesh_with_lips((x0 + wide / 2, y0, x1 + wide / 2, y1), photo))
    assert half == {"mouth_covered": pytest.approx(0.5), "mouth_larger": pytest.approx(1.0)}
    away = measure_mouth_box(photo, mesh_with_lips((x1 + 1, y1 + 1, x1 + 9, y1 + 9), photo))
    assert away["mouth_covered"] == 0


def test_no_figures_without_a_face(photo):
    assert measure_mouth_box(photo, lambda picture: None) == {}
    assert measure_mouth_box(torch.rand(64, 64, 3), mesh_with_lips((1, 1, 9, 9), torch.rand(64, 64, 3))) == {}
