"""Metrics on cases with known values."""

import math

import pytest
import torch

from mamba_portrait.learning.evaluation.metrics import (
    best_lag,
    correlation,
    mean_of,
    mouth_opening,
    psnr,
    slope,
    speed_ratios,
    ssim,
)


def wave(length=100, phase=0.0):
    return torch.sin(torch.arange(length) * 0.35 + phase) + 0.3 * torch.sin(torch.arange(length) * 1.1 + 2 * phase)


def test_psnr_of_a_known_error():
    black, gray = torch.zeros(2, 3, 32, 32), torch.full((2, 3, 32, 32), 0.1)
    assert psnr(gray, black).tolist() == pytest.approx([20, 20], abs=1e-4)
    assert psnr(black, black).tolist() == [100, 100]


def test_ssim_is_one_for_equals_and_falls_with_blur():
    picture = torch.rand(1, 3, 48, 48)
    blurred = torch.nn.functional.avg_pool2d(picture, 3, 1, 1)
    assert ssim(picture, picture).item() == pytest.approx(1, abs=1e-5)
    assert ssim(blurred, picture).item() < 0.8
    assert ssim(picture + 0.02, picture).item() > 0.98  # a change of light is hardly one of structure


def test_ssim_agrees_with_scikit_image():
    metrics = pytest.importorskip("skimage.metrics")
    a = torch.rand(3, 40, 40, generator=torch.Generator().manual_seed(0))
    b = (a + 0.1 * torch.randn(3, 40, 40, generator=torch.Generator().manual_seed(1))).clamp(0, 1)
    theirs = metrics.structural_similarity(
        a.numpy(), b.numpy(), channel_axis=0, data_range=1.0, gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False,
    )  # fmt: skip
    assert ssim(a[None], b[None]).item() == pytest.approx(theirs, abs=2e-3)


@pytest.mark.parametrize("late", [-4, 0, 3])
def test_best_lag_finds_a_shift(late):
    truth = wave(120)[10:110]
    curve = 2 * wave(120)[10 - late : 110 - late] + 1
    value, lag = best_lag(curve, truth)
    assert lag == late and value == pytest.approx(1, abs=1e-5)


def test_a_still_curve_follows_nothing():
    assert correlation(torch.ones(50), wave(50)) == 0
    assert best_lag(torch.ones(50), wave(50))[0] == 0
    assert math.isnan(slope(wave(10), torch.ones(10)))


def test_slope_is_the_share_of_the_command():
    commanded = torch.linspace(0, 1, 9)
    assert slope(0.4 * commanded + 3, commanded) == pytest.approx(0.4)


def test_speed_ratios_tell_amplitude_from_haste():
    truth = wave()
    assert speed_ratios(0.5 * truth, truth) == pytest.approx(dict(amplitude=0.5, velocity=0.5, acceleration=0.5))
    shaky = speed_ratios(truth + 0.1 * (-1.0) ** torch.arange(100), truth)
    assert shaky["amplitude"] < 1.1 < shaky["velocity"] < shaky["acceleration"]


def test_mouth_opening_has_no_scale():
    marks = torch.tensor([[[0.4, 0.6], [0.4, 0.7], [0.5, 0.6], [0.5, 0.64], [0.4, 0.2], [0.4, 0.4]]])
    lips = ((0, 1), (2, 3))
    assert mouth_opening(marks, lips, (4, 5)).item() == pytest.approx(0.35)
    assert mouth_opening(3 * marks, lips, (4, 5)).item() == pytest.approx(0.35)


def test_means_leave_out_what_is_not_finite():
    assert mean_of([{"a": 1.0, "b": math.nan}, {"a": 3.0}])["a"] == 2
    assert math.isnan(mean_of([{"b": math.nan}])["b"])
