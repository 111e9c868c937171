"""The arm layer: bones carry pixels, what they leave is hidden, rest is a fixed point."""

import pytest
import torch

from mamba_portrait.networks.renderer.arms import USED, ArmLayer, ArmSource
from mamba_portrait.networks.renderer.warp import identity_grid, warp
from mamba_portrait.vocabulary import ARM_LANDMARKS, ARMS, COUNT

WHOLE, SIZE = COUNT + len(ARMS), 64
POINTS = torch.tensor(
    [[-0.5, 0.1], [-0.4, 0.75], [-0.2, 0.6], [-0.05, 0.5], [0.5, 0.1], [0.4, 0.75], [0.2, 0.6], [0.05, 0.5]]
)
LEFT = [i for i, name in enumerate(ARM_LANDMARKS) if name in ("left_wrist", "left_tip")]


@pytest.fixture
def layer() -> ArmLayer:
    """Its first parameter raises the left hand by half a picture."""
    torch.manual_seed(0)
    layer = ArmLayer(8).eval()
    with torch.no_grad():
        layer.linear.weight[[2 * i + 1 for i in LEFT], 0] = -1.0
    return layer


def source(masks: float = 1.0) -> ArmSource:
    return ArmSource(POINTS[None], torch.full((1, 6, SIZE, SIZE), masks))


def parameters(raised: float = 0.0) -> torch.Tensor:
    values = torch.zeros(1, WHOLE)
    values[0, USED[0]] = raised
    return values


def at(picture: torch.Tensor, point: torch.Tensor) -> torch.Tensor:
    """The value of a picture (1,C,H,W) at a point in [-1,1]."""
    return torch.nn.functional.grid_sample(picture, point.view(1, 1, 1, 2), align_corners=False).flatten()


@torch.no_grad()
def test_arms_that_do_not_move_change_nothing(layer):
    field = torch.zeros(1, 2, SIZE, SIZE)
    laid = layer(field, source(), parameters(0.4), parameters(0.4))
    assert laid.field.abs().max() < 1e-5 and laid.hidden.abs().max() < 1e-6


@torch.no_grad()
def test_a_raised_hand_is_traced_back_to_where_it_was(layer):
    laid = layer(torch.zeros(1, 2, SIZE, SIZE), source(), parameters(0.5), parameters())
    for i in LEFT:
        there = POINTS[i] - torch.tensor([0.0, 0.5])
        assert torch.allclose(laid.points[0, i], there, atol=1e-6)
    middle = POINTS[LEFT].mean(0) - torch.tensor([0.0, 0.5])
    assert torch.allclose(at(laid.field, middle), torch.tensor([0.0, 0.5]), atol=0.02)
    assert at(laid.field, torch.tensor([0.4, 0.75])).abs().max() < 1e-3  # the other arm
    picture = identity_grid(SIZE, SIZE, torch.device("cpu"))
    assert torch.allclose(at(warp(picture, laid.field), middle), POINTS[LEFT].mean(0), atol=0.03)


@torch.no_grad()
def test_what_a_hand_leaves_is_hidden_and_what_it_covers_is_not(layer):
    masks = torch.zeros(1, 6, SIZE, SIZE)
    y, x = torch.meshgrid(*[torch.linspace(-1, 1, SIZE)] * 2, indexing="ij")
    where = ((x + 0.12).square() + (y - 0.55).square()).sqrt() < 0.12
    masks[:, 4] = where.float()  # the left hand
    laid = layer(torch.zeros(1, 2, SIZE, SIZE), ArmSource(POINTS[None], masks), parameters(0.5), parameters())
    assert at(laid.hidden, torch.tensor([-0.12, 0.55])) > 0.9
    assert at(laid.hidden, torch.tensor([-0.12, 0.05])) < 0.05 and at(laid.hidden, torch.tensor([0.3, -0.3])) < 1e-3


@torch.no_grad()
def test_points_are_near_their_mean_places_until_features_say_otherwise(layer):
    layer.place.copy_(POINTS * 0.8)
    found = layer.prepare(torch.zeros(2, 8, SIZE, SIZE))
    assert (found.points - 0.8 * POINTS).abs().max() < 0.2 and found.masks.shape == (2, 6, SIZE, SIZE)


def test_gradients_reach_points_masks_and_radii(layer):
    features = torch.randn(1, 8, SIZE, SIZE)
    laid = layer(torch.zeros(1, 2, SIZE, SIZE), layer.prepare(features), parameters(0.5), parameters())
    (laid.field.square().sum() + laid.hidden.sum()).backward()
    for weight in (layer.maps.weight, layer.masks.weight, layer.radii, layer.linear.weight):
        assert weight.grad.abs().max() > 0
