import json

import numpy as np
import pytest
import torch

from mamba_portrait.learning.datasets.tracks import MOUTH, Track
from mamba_portrait.learning.training.motion_model.ear import RENDERED, Moments, scale_mouth, weights_of
from mamba_portrait.networks.motion_model.config import MotionModelConfig
from mamba_portrait.networks.motion_model.model import MotionModel
from mamba_portrait.vocabulary import COUNT, INDEX, REGIONS

TINY = MotionModelConfig(
    motion_dim=48,
    mels=16,
    global_width=16,
    global_layers=1,
    local_width=16,
    local_layers=1,
    headdim=16,
    width=32,
    layers=1,
    heads=2,
    appearance_dim=8,
    prediction="x0",
)


class LinearFace:
    """In the place of stage 1: motion is a fixed linear map of the parameters."""

    def __init__(self):
        self.map = torch.randn(COUNT, TINY.motion_dim, generator=torch.Generator().manual_seed(0))

    def motion_from_parameters(self, parameters):
        return parameters @ self.map + 0.1

    def read_parameters(self, motion):
        return (motion - 0.1) @ torch.linalg.pinv(self.map)


def test_moments_solve_a_weighted_ridge_regression():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(200, 5, generator=generator) * torch.tensor([1.0, 10.0, 0.1, 1.0, 1.0]) + 3
    matrix, bias = torch.randn(2, 5, generator=generator), torch.tensor([1.0, -2.0])
    y = x @ matrix.T + bias
    moments = Moments(5, 2)
    moments.add(x[:100], y[:100], 1.0)
    moments.add(x[100:], y[100:], 0.25)
    found, offset = moments.solve(1e-9)
    assert torch.allclose(found.float(), matrix, atol=1e-3) and torch.allclose(offset.float(), bias, atol=1e-2)
    held, offset = moments.solve(1e6)
    assert held.abs().max() < 1e-4
    mean = (y[:100].sum(0) + 0.25 * y[100:].sum(0)) / 125
    assert torch.allclose(offset.float(), mean, atol=1e-2)


@pytest.mark.parametrize("spoken", [0, 3])
def test_people_on_film_weigh_the_same(tmp_path, spoken):
    tracks = []
    for number, speaker in enumerate(["film-a", *4 * ["film-b"], *spoken * ["speech-c"]]):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "meta.json").write_text(json.dumps({"speaker": speaker}), "utf8")
        tracks.append(Track(folder, np.zeros((10 + number, 24), np.float32), True, False))
    mass = [weight * len(track.values) for weight, track in zip(weights_of(tracks), tracks, strict=True)]
    films = 0.5 if spoken else 1.0
    assert mass[0] == pytest.approx(films / 2) and sum(mass[1:5]) == pytest.approx(films / 2)
    assert sum(mass) == pytest.approx(1)


def test_commanded_lips_are_scaled_about_a_face_at_rest():
    """The parameters that the regression says, with the mean of motion added, are multiplied; others stay."""
    model = MotionModel(TINY)
    torch.nn.init.normal_(model.ear.weight)
    torch.nn.init.normal_(model.ear.bias)
    face = LinearFace()
    model.motion_mean.copy_(face.motion_from_parameters(torch.full((COUNT,), 0.3)))
    condition = torch.randn(7, TINY.width)
    mean = face.read_parameters(model.motion_mean)[MOUTH]
    before = (model.ear(condition) + mean).detach()
    scale_mouth(model, face)
    after = (model.ear(condition) + mean).detach()
    for name in REGIONS["mouth"]:
        row = MOUTH.index(INDEX[name])
        assert torch.allclose(after[:, row], RENDERED.get(name, 1.0) * before[:, row], atol=1e-3), name
