"""The paper's other two losses: what they prefer, where they look, and that both sides learn."""

import pytest
import torch
import torch.nn.functional as F

from mamba_portrait.learning.training.renderer.adversarial import CROP, RAMP, Adversary, PatchDiscriminator, regions
from mamba_portrait.learning.training.renderer.perceptual import LAYERS, PerceptualLoss


@pytest.fixture(scope="module")
def loss():
    return PerceptualLoss(width=0.125)


@pytest.fixture(scope="module")
def picture():
    noise = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    return F.interpolate(noise, size=(64, 64), mode="bicubic").clamp(0, 1)


def test_equal_pictures_have_no_distance_and_blur_has_some(loss, picture):
    soft = F.interpolate(F.avg_pool2d(picture, 4), size=(64, 64), mode="bilinear")
    softer = F.interpolate(F.avg_pool2d(picture, 16), size=(64, 64), mode="bilinear")
    assert loss(picture, picture) == 0
    assert 0.01 < loss(soft, picture) < loss(softer, picture)


def test_random_features_are_of_unit_scale_and_the_same_every_time(loss, picture):
    again = PerceptualLoss(width=0.125)
    for a, b in zip(loss.features(picture), again.features(picture), strict=True):
        assert torch.equal(a, b) and 0.05 < a.std() < 5
    assert [f.shape[-1] for f in loss.features(picture)] == [64, 32, 16, 8, 4]


def test_gradients_reach_the_picture_alone(loss, picture):
    moving, truth = picture.flip(-1).clone().requires_grad_(), picture.clone().requires_grad_()
    loss(moving, truth).backward()
    assert moving.grad.abs().max() > 0 and truth.grad is None
    assert not any(p.requires_grad for p in loss.parameters())
    with pytest.raises(ValueError, match="32 pixels"):
        loss(picture[..., :16, :16], picture[..., :16, :16])


def test_vgg_weights_of_torchvision_are_taken_by_their_names(tmp_path):
    state, position, previous = {}, 0, 3
    for channels in LAYERS:
        if channels:
            state[f"features.{position}.weight"] = torch.full((channels, previous, 3, 3), 1e-3)
            state[f"features.{position}.bias"] = torch.full((channels,), float(position))
            previous = channels
        position += 2 if channels else 1
    assert position - 2 == 28 and "features.28.bias" in state  # conv5_1 in torchvision's count
    torch.save(state, tmp_path / "vgg19.pth")
    taken = PerceptualLoss(tmp_path / "vgg19.pth")
    assert [float(c.bias[0]) for c in taken.convolutions][:4] == [0.0, 2.0, 5.0, 7.0]
    state["features.28.bias"] = torch.zeros(7)
    torch.save(state, tmp_path / "other.pth")
    with pytest.raises(ValueError, match="features.28.bias"):
        PerceptualLoss(tmp_path / "other.pth")
    with pytest.raises(FileNotFoundError, match="VGG-19"):
        PerceptualLoss(tmp_path / "nothing.pth")


def landmarks(mouth=(0.5, 0.7), eyes=((0.35, 0.4), (0.65, 0.4))):
    marks = torch.zeros(1, 40, 2)
    marks[0, 19], marks[0, 20] = torch.tensor([mouth[0] - 0.1, mouth[1]]), torch.tensor([mouth[0] + 0.1, mouth[1]])
    marks[0, 0], marks[0, 4] = torch.tensor(eyes[0]), torch.tensor(eyes[1])
    return marks


def test_crops_are_centred_on_mouth_and_eyes():
    picture = torch.zeros(1, 3, 128, 128)
    picture[:, 0, 86:93, 60:68] = 1  # red where the mouth is: (0.5, 0.7)
    picture[:, 1, 48:55, 40:48] = 1  # green at the left eye: (0.35, 0.4)
    crops = regions(picture, landmarks())
    assert crops["picture"] is picture and crops["mouth"].shape == crops["eyes"].shape == (1, 3, CROP, CROP)
    red, green = crops["mouth"][0, 0], crops["eyes"][0, 1]
    assert red[CROP // 2 - 4 : CROP // 2 + 4, CROP // 2 - 4 : CROP // 2 + 4].mean() > 0.9
    ys, xs = torch.nonzero(green > 0.5, as_tuple=True)
    assert abs(ys.float().mean() - CROP / 2) < 3 and xs.float().mean() < CROP / 3


def test_a_discriminator_judges_patches():
    verdict, features = PatchDiscriminator(8)(torch.rand(2, 3, 64, 64))
    assert verdict.shape == (2, 1, 4, 4) and len(features) == 4


def test_discriminators_learn_to_tell_and_the_renderer_hears_of_it_late():
    torch.manual_seed(0)
    adversary = Adversary(width=8, rate=2e-3)
    optimizer = adversary.optimizer()
    marks = landmarks().expand(4, -1, -1)
    mistakes = []
    for i in range(30):
        real = F.interpolate(torch.rand(4, 3, 8, 8), size=(64, 64), mode="nearest")
        fake = F.avg_pool2d(real, 9, 1, 4).requires_grad_()  # the blur that L1 leaves
        if i == 0:
            terms = adversary.terms(fake, real, marks, progress=0.0)
            assert terms["adversarial"] == 0 and terms["features"] == 0
        loss = adversary.mistakes(fake, real, marks)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        mistakes.append(float(loss.detach()))
    assert mistakes[-1] < 0.8 * mistakes[0] and fake.grad is None
    optimizer.zero_grad()
    half, whole = (adversary.terms(fake, real, marks, progress) for progress in (RAMP / 2, 1.0))
    assert half["adversarial"].item() == pytest.approx(0.5 * whole["adversarial"].item(), rel=0.05)  # norms move on
    (whole["adversarial"] + whole["features"]).backward()
    assert fake.grad.abs().max() > 0
    assert all(p.requires_grad and p.grad is None for p in adversary.parameters())
