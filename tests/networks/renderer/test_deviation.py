"""DIT: equal motions have zero deviation, others do not."""

from dataclasses import replace

import pytest
import torch

from mamba_portrait.networks.renderer.config import RendererConfig
from mamba_portrait.networks.renderer.deviation import DeviationTransformer


def transformer(**changes):
    torch.manual_seed(0)
    return DeviationTransformer(replace(RendererConfig.lite(), **changes)).eval()


@pytest.mark.parametrize("use_transformer", [True, False])
def test_no_change_of_motion_is_exactly_no_deviation(use_transformer):
    dit, motion = transformer(use_transformer=use_transformer), torch.randn(3, 768)
    with torch.no_grad():
        deviation = dit(motion, dit.prepare(motion))
    assert all(part.abs().max() == 0 for part in deviation)


def test_shapes_are_regions_axes_planes_and_the_grid():
    dit = transformer()
    c = dit.config
    with torch.no_grad():
        deviation = dit(torch.randn(2, 768), dit.prepare(torch.randn(2, 768)))
    assert deviation.maps.shape == (2, c.regions, 3, c.depth_planes, 8, 8)
    assert deviation.feature.shape == (2, c.deviation_channels * 12, 8, 8)
    assert deviation.vector.shape == (2, c.deviation_dim)


def test_the_vector_tells_how_far_a_movement_went():
    dit, motion, change = transformer(), torch.randn(1, 768), torch.randn(1, 768)
    with torch.no_grad():
        source = dit.prepare(motion)
        near, half, far = (dit(motion + share * change, source).vector.norm() for share in (4.0, 20.0, 40.0))
    assert 2 * near < half and 1.1 * half < far  # a saturated vector would have far about equal to half


def test_a_frame_does_not_depend_on_the_rest_of_its_batch():
    dit, source, motion = transformer(), torch.randn(4, 768), torch.randn(4, 768)
    with torch.no_grad():
        together = dit(motion, dit.prepare(source))
        alone = [dit(motion[i : i + 1], dit.prepare(source[i : i + 1])) for i in range(4)]
    for i, parts in enumerate(alone):
        for one, many in zip(parts, together, strict=True):
            assert torch.allclose(one[0], many[i], atol=1e-5)


def test_a_change_in_one_place_of_v_is_strongest_there():
    """V keeps its 8x8 grid: a change in one cell moves the regions around it most."""
    dit = transformer(use_transformer=False)
    source = torch.randn(1, 768)
    driving = source.view(1, 8, 8, 12).clone()
    driving[:, 2, 5] += 0.5
    with torch.no_grad():
        feature = dit(driving.view(1, -1), dit.prepare(source)).feature
    strength = feature[0].square().mean(0)
    assert strength[1:4, 4:7].mean() > 4 * strength[5:, :3].mean()


def test_every_weight_of_the_transformer_learns():
    dit = transformer()
    deviation = dit(torch.randn(2, 768), dit.prepare(torch.randn(2, 768)))
    (deviation.maps.square().sum() + deviation.feature.square().sum() + deviation.vector.square().sum()).backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in dit.parameters())
    assert all(p.grad.abs().max() > 0 for name, p in dit.named_parameters() if name != "scale_shift.bias")
