"""LSE: cepstrum and distances against numbers recorded from the reference code, and a shift that must be found."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mamba_portrait.learning.evaluation.judge.sync import lse, measure_sync, mfcc, mouth_crop, offset_distances

FIRST = [22.1307, -36.69565, -11.81372, -16.72882, -1.49035, -3.81565, -11.44848, -4.57743, 1.69937, 0.85513, 1.18219,
         -6.14379, -7.06473]  # fmt: skip
TWENTIETH = [22.09243, -34.83496, -6.12538, -10.83692, -1.73719, 5.23105, -8.63168, -4.97334, 9.30737, 2.05716, 3.45139,
             0.7791, 0.53357]  # fmt: skip


def test_the_cepstrum_is_python_speech_features(noise):
    samples = (3000 * noise("voice", (8000,))).numpy().astype(np.int16)
    values = mfcc(samples / 32767)
    assert values.shape == (49, 13)
    assert values[0].tolist() == pytest.approx(FIRST, abs=1e-4)
    assert values[20].tolist() == pytest.approx(TWENTIETH, abs=1e-4)
    assert [values.mean(), values.std()] == pytest.approx([-4.1517117, 12.3576270], abs=1e-4)


def test_distances_by_offset_are_the_reference_codes(noise):
    lips = noise("track", (40, 64))
    sound = torch.cat([lips[3:], lips[:3]]) + 0.5 * noise("other", (40, 64))
    found = lse(offset_distances(lips, sound))
    assert found == pytest.approx({"lse_d": 4.326597, "lse_c": 6.614246, "lse_offset": 3.0}, abs=1e-4)


class Loudness(nn.Module):
    """Embeds lips by the brightness of the middle picture, and sound by its energy."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def embed_lips(self, pictures: Tensor) -> Tensor:
        return pictures[:, :, 2].mean((1, 2, 3))[:, None] / 255

    def embed_sound(self, cepstrum: Tensor) -> Tensor:
        return (cepstrum[:, 0, 0, 8:12].mean(1)[:, None] - 10) / 20


@pytest.mark.parametrize("late", (-4, 0, 5))
def test_a_shift_of_the_sound_is_found(late):
    generator = np.random.default_rng(3)
    level = np.repeat(generator.uniform(0, 1, 30), 4)
    faces = torch.from_numpy(level).float().mul(255)[:, None, None, None].expand(-1, 3, 8, 8)
    loud = np.repeat(np.exp((10 + 20 * np.roll(level, late)) / 2), 640)
    audio = torch.from_numpy(np.clip(loud * generator.standard_normal(len(loud)) / 3e6, -1, 1)).float()
    assert measure_sync(Loudness(), faces, audio)["lse_offset"] == -late


def test_a_film_of_a_few_frames_has_no_score():
    assert measure_sync(Loudness(), torch.zeros(6, 3, 8, 8), torch.zeros(6 * 640)) == {}


def test_the_crop_holds_the_face_and_more_below():
    frame = np.zeros((1, 200, 200, 3), np.uint8)
    frame[0, 60:120, 70:130] = (200, 100, 50)  # the face
    crop = mouth_crop(frame, np.float32([70, 60, 130, 120]))
    assert crop.shape == (1, 3, 224, 224)
    assert crop[0, :, 80, 112].tolist() == [50, 100, 200]  # blue first
    assert crop[0, :, 180, 112].tolist() == [0, 0, 0]  # below the box: there 1.4 boxes end
    inside = (crop[0, 2] > 100).float()
    assert float(inside.mean()) == pytest.approx(1 / 1.4**2, abs=0.01)
    assert float(inside[0, 112]) == 1  # the box's upper edge is the crop's
