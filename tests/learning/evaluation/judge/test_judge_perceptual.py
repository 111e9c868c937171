"""Measures by networks, with random weights saved as their published files are."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mamba_portrait.learning.evaluation.judge import perceptual, weights
from mamba_portrait.learning.evaluation.judge.networks.efficientnet import EfficientNetLite0
from mamba_portrait.learning.evaluation.judge.networks.emoca import EmocaEncoders
from mamba_portrait.learning.evaluation.judge.networks.i3d import I3D
from mamba_portrait.learning.evaluation.judge.weights import Networks
from mamba_portrait.networks.actalker.arcface import ArcFace


@pytest.fixture
def saved(tmp_path, monkeypatch):
    """A function that saves a state dict or a script as the file of a network."""
    monkeypatch.setattr(weights, "sha256", lambda path: weights.FILES[path.stem].sha256 + "0" * 56)

    def save(**networks) -> Networks:
        files = {}
        for name, network in networks.items():
            files[name] = tmp_path / f"{name}.pt"
            network.save(str(files[name])) if hasattr(network, "save") else torch.save(network, files[name])
        return Networks(files)

    return save


class Detector(nn.Module):
    """In the place of StyleGAN-V's script: what it was called with, in numbers."""

    def forward(self, x: Tensor, rescale: bool = True, resize: bool = True, return_features: bool = False) -> Tensor:
        told = torch.tensor([float(rescale), float(resize), float(return_features)])
        return torch.cat([x.mean((1, 2, 3, 4))[:, None], told.expand(len(x), 3)], 1)


def test_a_torchscript_i3d_is_called_as_stylegan_v_calls_it(saved):
    clips = torch.full((2, 3, 16, 8, 8), 0.5)
    found = perceptual.i3d_logits(saved(i3d=torch.jit.script(Detector())))(clips)
    assert found.tolist() == [[127.5, 1, 1, 1]] * 2


@torch.inference_mode()
def test_an_i3d_state_is_resized_and_scaled(saved, filled, noise):
    network = filled(I3D())
    state = {f"module.{key}": value for key, value in network.state_dict().items()}
    clip = noise("small", (1, 3, 16, 112, 112)).abs().clamp(max=1)
    frames = F.interpolate(clip[0].transpose(0, 1), size=(224, 224), mode="bilinear", align_corners=False)
    wanted = network(2 * frames.transpose(0, 1)[None] - 1)
    assert torch.allclose(perceptual.i3d_logits(saved(i3d=state))(clip), wanted, atol=1e-4)


@torch.inference_mode()
def test_identity_is_arcface_on_112_pixels_from_minus_one_to_one(saved, filled, noise):
    network = filled(ArcFace())
    state = {key: value for key, value in network.state_dict().items() if not key.endswith("num_batches_tracked")}
    faces = noise("id", (2, 3, 112, 112)).abs().clamp(max=1)
    look = perceptual.identity(saved(arcface=state))
    wanted = F.normalize(network(2 * faces - 1), dim=1)
    assert torch.allclose(look(faces), wanted, atol=1e-4)
    assert look(F.interpolate(faces, size=(224, 224))).shape == (2, 512)


@torch.inference_mode()
def test_emocas_part_is_taken_from_the_whole_checkpoint(saved, filled, noise):
    pytest.importorskip("torchvision")
    network = filled(EmocaEncoders())
    state = {f"deca.{key}": value for key, value in network.state_dict().items()}
    state |= {"deca.E_flame.encoder.fc.weight": torch.zeros(1), "deca.flame.shapedirs": torch.zeros(1)}
    faces = noise("code", (1, 3, 224, 224)).abs().clamp(max=1)
    found = perceptual.emoca(saved(emoca={"state_dict": state}))(faces)
    for ours, wanted in zip(found, network(faces), strict=True):
        assert torch.allclose(ours, wanted, rtol=1e-4, atol=1e-2)


@torch.inference_mode()
def test_efficientnet_sees_pictures_from_minus_one_to_one(saved, filled, noise):
    network = filled(EfficientNetLite0())
    pictures = noise("frames", (2, 3, 224, 224)).abs().clamp(max=1)
    look = perceptual.efficientnet_features(saved(efficientnet=network.state_dict()))
    assert torch.allclose(look(pictures), network(2 * pictures - 1), atol=1e-4)
    assert look(pictures[..., ::2, ::2]).shape == (2, 1280)


@pytest.mark.parametrize("backbone", ["alex", "vgg"])
def test_lpips_is_torchmetrics(saved, filled, noise, backbone):
    """With the same random backbone; both libraries bring the linear layers."""
    pytest.importorskip("lpips", reason="extra metrics is not installed")
    functional = pytest.importorskip("torchmetrics.functional.image.lpips", reason="extra metrics is not installed")
    import torchvision

    with torch.device("meta"):
        features = getattr(torchvision.models, perceptual.BACKBONES[backbone])(weights=None).features
    features = filled(features.to_empty(device="cpu"))
    state = {f"features.{key}": value for key, value in features.state_dict().items()}
    measure = perceptual.lpips(saved(**{perceptual.BACKBONES[backbone]: state}), backbone)
    a, b = (noise(name, (2, 3, 64, 64)).abs().clamp(max=1) for name in "ab")
    reference = functional._LPIPS(pretrained=True, net=backbone, pnet_rand=True).eval()
    for key, value in reference.net.state_dict().items():
        value.copy_(state["features." + key.split(".", 1)[1]])
    with torch.no_grad():
        wanted = reference(2 * a - 1, 2 * b - 1).flatten()
    assert torch.allclose(measure(a, b), wanted, atol=1e-4) and float(wanted.min()) > 0
    assert measure(a, a).abs().max() == 0
    del state["features.0.weight"]
    with pytest.raises(ValueError, match="lacks layers of the backbone"):
        perceptual.lpips(saved(**{perceptual.BACKBONES[backbone]: state}), backbone)


def test_inception_is_torch_fidelitys(saved, noise):
    name = "torch_fidelity.feature_extractor_inceptionv3"
    fidelity = pytest.importorskip(name, reason="extra metrics is not installed")
    with torch.random.fork_rng(), pytest.MonkeyPatch.context() as patch:
        torch.manual_seed(0)
        patch.setattr(fidelity, "load_state_dict_from_url", lambda *a, **k: None)
        patch.setattr(fidelity.FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
        network = fidelity.FeatureExtractorInceptionV3("random", ["2048"])
    look = perceptual.inception_features(saved(inception=network.state_dict()))
    pictures = noise("fid", (2, 3, 64, 64)).abs().clamp(max=1)
    assert torch.allclose(look(pictures), network(pictures.mul(255).round().byte())[0], atol=1e-4)


def test_psnr_and_ssim_are_torchmetrics(noise):
    image = pytest.importorskip("torchmetrics.functional.image", reason="extra metrics is not installed")
    from mamba_portrait.learning.evaluation.metrics import psnr, ssim

    a, b = (noise(name, (3, 3, 48, 48)).abs().clamp(max=1) for name in ("one", "two"))
    b = 0.8 * a + 0.2 * b
    pairs = zip(a[:, None], b[:, None], strict=True)
    theirs = [float(image.peak_signal_noise_ratio(x, y, data_range=1.0)) for x, y in pairs]
    assert psnr(b, a).tolist() == pytest.approx(theirs, abs=1e-4)
    _, each = image.structural_similarity_index_measure(b, a, data_range=1.0, reduction="none", return_full_image=True)
    inside = each[..., 5:-5, 5:-5].mean((1, 2, 3))  # theirs mirrors the picture at its edges
    assert ssim(b, a).tolist() == pytest.approx(inside.tolist(), abs=1e-4)


def test_changes_are_grey_where_nothing_moves():
    pictures = torch.zeros(3, 3, 4, 4)
    pictures[1:, 0] = 0.1
    found = perceptual.changes(pictures)
    assert found[0, 0].unique().tolist() == pytest.approx([0.7]) and found[0, 1].unique().tolist() == [0.5]
    assert found[1].unique().tolist() == [0.5]


def test_a_face_is_cut_square_and_grey_beyond_the_picture():
    pictures = torch.zeros(1, 3, 20, 20)
    pictures[..., 0:6, 4:10] = 1
    assert perceptual.cut_face(pictures, (4, 0, 10, 6)).unique().tolist() == [1]
    larger = perceptual.cut_face(pictures, (4, 0, 10, 6), 2.0)
    assert larger.shape == (1, 3, 12, 12)
    assert larger[0, 0, 0].unique().tolist() == [0.5] and larger[0, 0, 4, 4] == 1


def test_clips_are_whole():
    pictures = torch.arange(35.0)[:, None, None, None].expand(35, 3, 2, 2)
    clips = perceptual.clips_of(pictures)
    assert clips.shape == (2, 3, 16, 2, 2) and clips[1, 0, :, 0, 0].tolist() == list(range(16, 32))
    assert len(perceptual.clips_of(pictures[:15])) == 0
