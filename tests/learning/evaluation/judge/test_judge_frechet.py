"""Frechet distances in closed form, and against the root of a matrix."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from mamba_portrait.learning.evaluation.judge.frechet import frechet_distance, joined


def by_root(a, b):
    """The distance as it is defined."""
    root = sqrtm(np.cov(a.T) @ np.cov(b.T)).real
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(np.cov(a.T) + np.cov(b.T) - 2 * root)


@pytest.mark.parametrize("counts", [(300, 200), (12, 9), (40, 5)])
def test_it_is_the_definition_for_many_and_for_few_features(counts):
    generator = np.random.default_rng(4)
    a, b = (generator.normal(0, 1, (n, 20)) @ generator.normal(0, 1, (20, 20)) + i for i, n in enumerate(counts))
    assert frechet_distance(a, b) == pytest.approx(by_root(a, b), rel=1e-4)


def test_a_shift_and_a_scale_are_known():
    points = np.random.default_rng(3).normal(0, 1, (500, 6))
    assert frechet_distance(points, points) == pytest.approx(0, abs=1e-8)
    assert frechet_distance(points + [3, 4, 0, 0, 0, 0], points) == pytest.approx(25, abs=1e-8)
    scaled = frechet_distance(3 * (points - points.mean(0)), points - points.mean(0))
    assert scaled == pytest.approx(4 * points.var(0, ddof=1).sum(), rel=1e-8)
    assert np.isnan(frechet_distance(points[:1], points))


def test_it_is_torchmetrics_fid():
    torchmetrics = pytest.importorskip("torchmetrics.image.fid", reason="extra metrics is not installed")
    pytest.importorskip("torch_fidelity", reason="extra metrics is not installed")
    import torch

    class Corner(torch.nn.Module):
        num_features = 12

        def forward(self, pictures):
            return pictures.float()[:, :, :2, :2].flatten(1) / 255

    generator = torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 256, (60, 3, 8, 8), generator=generator, dtype=torch.uint8)
    fid = torchmetrics.FrechetInceptionDistance(feature=Corner())
    fid.set_dtype(torch.float64)
    fid.update(pictures[:30], real=True)
    fid.update(pictures[30:] // 2, real=False)
    ours = frechet_distance(*(Corner()(p).double().numpy() for p in (pictures[30:] // 2, pictures[:30])))
    assert ours == pytest.approx(float(fid.compute()), abs=1e-4)


def test_joined_repeats_what_is_picked_twice():
    parts = [np.full((2, 1), i) for i in range(3)]
    assert joined(parts, [2, 0, 2]).ravel().tolist() == [2, 2, 0, 0, 2, 2]
    assert len(joined(parts)) == 6
