"""Warping by displacement fields, their inversion and convex upsampling."""

import pytest
import torch

from mamba_portrait.networks.renderer.layers import is_channels_last
from mamba_portrait.networks.renderer.warp import convex_upsample, identity_grid, invert, warp


def smooth_field(size, amplitude=0.06):
    """A forward field whose slope stays well below one, so that it can be inverted."""
    x, y = identity_grid(size, size, torch.device("cpu"))[0]
    return amplitude * torch.stack([torch.sin(2 * y + 1) + 0.5 * x, torch.cos(2.5 * x) - 0.4 * y])[None]


def test_a_zero_field_changes_nothing():
    picture = torch.rand(2, 3, 20, 28)
    assert torch.allclose(warp(picture, torch.zeros(2, 2, 20, 28)), picture, atol=1e-5)


@pytest.mark.parametrize("axis", [0, 1])
def test_a_constant_field_shifts_by_whole_pixels_and_repeats_the_border(axis):
    picture = torch.rand(1, 3, 16, 16)
    field = torch.zeros(1, 2, 16, 16)
    field[:, axis] = 2 * 3 / 16  # three pixels, in half pictures: sample from the right, or from below
    moved, dim = warp(picture, field), 3 - axis
    assert torch.allclose(moved.narrow(dim, 0, 13), picture.narrow(dim, 3, 13), atol=1e-5)
    edge = picture.narrow(dim, 15, 1).expand_as(moved.narrow(dim, 13, 3))
    assert torch.allclose(moved.narrow(dim, 13, 3), edge, atol=1e-5)


def test_a_field_has_no_resolution_of_its_own():
    ramp = identity_grid(128, 128, torch.device("cpu"))
    large, small = (warp(ramp, smooth_field(size)) for size in (128, 32))
    assert (large - small).abs()[..., 4:-4, 4:-4].max() < 2e-3


def test_warp_keeps_the_precision_of_positions_under_bf16():
    picture, field = torch.rand(1, 3, 32, 32), smooth_field(32)
    with torch.autocast("cpu", torch.bfloat16):
        low = warp(picture.bfloat16(), field)
    assert low.dtype == torch.bfloat16
    assert (low.float() - warp(picture, field)).abs().max() < 0.01


def test_inversion_undoes_a_smooth_field():
    forward = smooth_field(64)
    there_and_back = []
    for steps in (0, 1, 3):
        backward = invert(forward, steps)
        error = backward + warp(forward, backward)  # b(x) = -f(x + b(x))
        there_and_back.append(float(error[..., 8:-8, 8:-8].abs().max()))
    assert there_and_back[2] < 2e-3 < there_and_back[0]
    assert there_and_back == sorted(there_and_back, reverse=True)


def test_convex_upsampling_is_a_partition_of_unity():
    field, weights = torch.randn(2, 2, 6, 7), torch.randn(2, 4, 9, 6, 7).softmax(2)
    fine = convex_upsample(field, weights)
    assert fine.shape == (2, 2, 12, 14)
    assert torch.allclose(convex_upsample(torch.full_like(field, 0.3), weights), torch.full_like(fine, 0.3), atol=1e-6)
    assert fine.max() <= field.max() + 1e-6 and fine.min() >= field.min() - 1e-6


def test_convex_upsampling_with_the_centre_alone_is_nearest():
    field = torch.randn(1, 2, 5, 5)
    weights = torch.zeros(1, 4, 9, 5, 5)
    weights[:, :, 4] = 1
    assert torch.equal(convex_upsample(field, weights), field.repeat_interleave(2, 2).repeat_interleave(2, 3))


@pytest.mark.parametrize("portraits", [1, 3])
def test_rows_are_sampled_as_grid_sample_does_and_past_the_border_too(portraits):
    maps = torch.rand(portraits, 16, 20, 28).contiguous(memory_format=torch.channels_last).expand(3, -1, -1, -1)
    field = 0.8 * torch.randn(3, 2, 20, 28)
    with torch.no_grad():
        rows = warp(maps, field)
        assert torch.allclose(rows, warp(maps.contiguous(), field), atol=1e-4)
    assert is_channels_last(rows) and rows.shape == maps.shape
