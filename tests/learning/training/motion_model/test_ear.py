import json
import wave
from dataclasses import replace

import numpy as np
import pytest
import torch

from mamba_portrait.learning.datasets.tracks import MOUTH, Track
from mamba_portrait.learning.training.motion_model.ear import RENDERED, Moments, scale_mouth, solve_ear, weights_of
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


def spoken_clip(folder, frames: int, seed: int) -> Track:
    """A clip of noise whose loudness is its jaw."""
    rng = np.random.default_rng(seed)
    values = np.zeros((frames, COUNT), np.float32)
    values[:, INDEX["jaw"]] = rng.random(frames)
    audio = rng.standard_normal(frames * 640) * np.repeat(values[:, INDEX["jaw"]], 640) * 0.2
    folder.mkdir()
    (folder / "meta.json").write_text("{}", "utf8")
    with wave.open(str(folder / "audio.wav"), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes((audio.clip(-1, 1) * 32767).astype("<i2").tobytes())
    return Track(folder, values, drawn=True, augmented=False)


def test_the_regression_is_also_solved_on_changed_sound(tmp_path):
    """Sound that is played backwards misleads: the larger its share, the worse is what is said of sound as it is."""
    tracks = [spoken_clip(tmp_path / str(i), 40, i) for i in range(2)]

    def error(augmented: float, changed: bool = False) -> float:
        torch.manual_seed(0)
        model, face = MotionModel(TINY).eval(), LinearFace()
        tracks_of = [replace(track, augmented=changed) for track in tracks]
        solve_ear(model, face, tracks_of, 1e-3, lambda audio, rng: audio[::-1].copy(), augmented)
        heard = torch.from_numpy(tracks[0].audio(0, 40))[None]
        condition = model.condition(model.extract_global(heard), model.extract_local(heard))[0]
        jaw = MOUTH.index(INDEX["jaw"])
        mean = face.read_parameters(model.motion_mean[None])[0, INDEX["jaw"]]
        told = (model.ear(condition)[:, jaw] + mean).detach() / RENDERED["jaw"]
        return float((told - torch.from_numpy(tracks[0].values[:, INDEX["jaw"]])).square().mean())

    clean, half, misled = error(0.0), error(0.5), error(1.0)
    assert clean < 0.7 * half and half < 0.7 * misled
    assert error(1.0, changed=True) == clean  # drawn changed, a clip is not changed again
