"""The arm layer: bones are carried over the body, rest is the photo, what arms hide is painted from what is seen."""

import pytest
import torch

from mamba_portrait.networks.renderer.arm_finder import SIZE, behind, hidden_by
from mamba_portrait.networks.renderer.arms import USED, ArmLayer, ArmSource, _traced
from mamba_portrait.networks.renderer.warp import identity_grid
from mamba_portrait.vocabulary import ARM_BONES, ARM_LANDMARKS, ARMS, COUNT

WHOLE = COUNT + len(ARMS)
POINTS = torch.tensor(
    [[-0.5, 0.1], [-0.4, 0.75], [-0.2, 0.6], [-0.05, 0.5], [0.5, 0.1], [0.4, 0.75], [0.2, 0.6], [0.05, 0.5]]
)
LEFT = [i for i, name in enumerate(ARM_LANDMARKS) if name in ("left_wrist", "left_tip")]
HAND = torch.tensor([-0.12, 0.55])  # the middle of the left one
STILL = torch.zeros(1, 2, 64, 64)


@pytest.fixture
def layer() -> ArmLayer:
    """Its first parameter raises the left hand by half a picture."""
    torch.manual_seed(0)
    layer = ArmLayer().eval()
    with torch.no_grad():
        layer.linear.weight[[2 * i + 1 for i in LEFT], 0] = -1.0
    return layer


@pytest.fixture
def source() -> ArmSource:
    """A grey photo with a red left hand."""
    x, y = identity_grid(SIZE, SIZE, torch.device("cpu"))[0]
    hand = ((x - HAND[0]).square() + (y - HAND[1]).square()).sqrt() < 0.12
    masks = torch.zeros(1, len(ARM_BONES), SIZE, SIZE)
    masks[:, ARM_BONES.index("left_hand")] = hand.float()
    photo = torch.full((1, 3, SIZE, SIZE), 0.5)
    photo[:, :, hand] = torch.tensor([1.0, 0.0, 0.0])[None, :, None]
    return ArmSource(photo, POINTS[None], masks, torch.zeros(1, 1, SIZE, SIZE))


def parameters(raised: float = 0.0) -> torch.Tensor:
    values = torch.zeros(1, WHOLE)
    values[0, USED[0]] = raised
    return values


def at(picture: torch.Tensor, point: torch.Tensor) -> torch.Tensor:
    """The value of a picture (1,C,H,W) at a point in [-1,1]."""
    return torch.nn.functional.grid_sample(picture, point.view(1, 1, 1, 2), align_corners=False).flatten()


@torch.no_grad()
def test_rest_is_the_photo(layer, source):
    bare = torch.full_like(source.photo, 0.2)
    points = layer.moved(source.points, parameters(0.4), parameters(0.4))
    assert torch.allclose(points, source.points, atol=1e-6)
    laid = layer.laid(bare, source, points, STILL)
    shown = hidden_by(source.masks).expand_as(bare) == 1
    assert torch.allclose(laid[shown], source.photo[shown], atol=1e-3) and torch.equal(laid[~shown], bare[~shown])


@torch.no_grad()
def test_a_raised_hand_is_shown_there_and_no_longer_where_it_was(layer, source):
    bare = torch.full_like(source.photo, 0.2)
    points = layer.moved(source.points, parameters(0.5), parameters())
    assert torch.allclose(points[0, LEFT], POINTS[LEFT] - torch.tensor([0.0, 0.5]), atol=1e-6)
    laid = layer.laid(bare, source, points, STILL)
    red, empty = torch.tensor([1.0, 0.0, 0.0]), torch.full((3,), 0.2)
    assert torch.allclose(at(laid, HAND - torch.tensor([0.0, 0.5])), red, atol=0.02)
    assert torch.allclose(at(laid, HAND), empty, atol=0.02)
    assert torch.allclose(at(laid, torch.tensor([0.5, -0.5])), empty)


@torch.no_grad()
def test_one_arm_that_stays_is_the_photo_while_the_other_moves(layer, source):
    bones = [ARM_BONES.index(f"{side}_hand") for side in ("left", "right")]
    masks = source.masks.clone()
    masks[:, bones[1]] = source.masks[:, bones[0]].flip(-1)
    both = source._replace(masks=masks, photo=torch.maximum(source.photo, source.photo.flip(-1)))
    points = layer.moved(source.points, parameters(0.5), parameters())
    laid = layer.laid(torch.full_like(source.photo, 0.2), both, points, STILL)
    other = HAND * torch.tensor([-1.0, 1.0])
    assert torch.allclose(at(laid, other), at(both.photo, other), atol=1e-3)
    assert torch.allclose(at(laid, HAND), torch.full((3,), 0.2), atol=0.02)


def test_a_sleeve_that_comes_into_view_goes_on_as_it_came():
    """Its elbow lies below the picture: pixels from there are mirrored into what the photo shows."""
    old = torch.tensor([[0.0, 1.4]]), torch.tensor([[0.0, 0.6]])
    new = torch.tensor([[0.0, 0.8]]), torch.tensor([[0.0, 0.0]])
    grid = identity_grid(SIZE, SIZE, torch.device("cpu"))
    place, distance = _traced(grid, new, old)
    for y in (0.05, 0.3, 0.5, 0.7):
        where = torch.tensor([0.0, y])
        assert at(place, where)[1] < 0.95 and at(distance, where) < 0.02
    seen = torch.tensor([0.02, 0.2])  # the photo shows it: followed straight
    assert torch.allclose(at(place, seen), torch.tensor([0.02, 0.8]), atol=0.01)


@torch.no_grad()
def test_a_photo_is_taken_apart_at_its_own_size(layer):
    photo = torch.rand(1, 4, 96, 96, generator=torch.Generator().manual_seed(0))
    layer.finder.bones.bias[:4] = 50.0  # no arm anywhere, and no shade
    layer.finder.body.bias[4:] = -50.0
    source, bare = layer.taken(photo)
    assert torch.allclose(bare, photo, atol=1e-5) and torch.equal(source.photo, photo)
    assert source.points.shape == (1, 8, 2) and source.masks.shape == (1, 6, SIZE, SIZE)
    layer.finder.bones.bias[4:8] = 100.0  # arms everywhere: colours are painted, alpha stays
    _, bare = layer.taken(photo)
    assert not torch.allclose(bare[:, :3], photo[:, :3], atol=0.05) and torch.equal(bare[:, 3], photo[:, 3])


@torch.no_grad()
def test_a_shade_leaves_with_the_arms_and_stays_with_them(layer):
    layer.finder.bones.bias[:4] = 50.0
    layer.finder.body.weight.zero_()
    layer.finder.body.bias[4:] = 0.5
    photo = torch.full((1, 3, SIZE, SIZE), 0.3)
    source, bare = layer.taken(photo)
    assert torch.allclose(bare, torch.full_like(bare, 0.33 * 2.718281828**0.5 - 0.03), atol=1e-3)
    assert torch.allclose(layer.laid(bare, source, source.points, STILL), photo, atol=1e-3)
    assert torch.allclose(layer.laid(bare, source, source.points + 0.5, STILL), bare, atol=1e-3)


def square(value: float = 1.0) -> torch.Tensor:
    """(1,1,SIZE,SIZE), in the middle of a body that fills the columns from 20 on."""
    hidden = torch.zeros(1, 1, SIZE, SIZE)
    hidden[..., 60:84, 52:76] = value
    return hidden


def test_stripes_go_on_behind_arms():
    """Clothes are copied so that they fit around; nothing of what is hidden, or of the background, is seen."""
    y, x = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    stripes = torch.where(y % 10 < 5, 0.8, 0.2).expand(1, 3, -1, -1)
    body = (x >= 20).float()[None, None]
    photo = torch.where(body > 0, stripes, torch.tensor([0.0, 1.0, 0.0]).view(3, 1, 1))
    arms = torch.where(square() > 0, torch.rand(1, 3, SIZE, SIZE), photo)
    seen = behind(arms, square(), body)
    assert (seen - photo).abs().max() < 0.1  # a step of the stripes is 0.6
    left = square() * 0
    left[..., 60:84, :40] = 1  # hides the body's edge too
    seen = behind(torch.where(left > 0, torch.rand(1, 3, SIZE, SIZE), photo), left, body)
    assert (seen - photo).abs().max() < 0.1


def test_gradients_reach_finder_and_movement(layer):
    photo = torch.rand(1, 3, SIZE, SIZE)
    source, bare = layer.taken(photo)
    points = layer.moved(source.points, parameters(0.5), parameters())
    layer.laid(bare, source, points, STILL).square().sum().backward()
    for part in (layer.finder.maps, layer.finder.bones, layer.linear):
        assert part.weight.grad.abs().max() > 0
