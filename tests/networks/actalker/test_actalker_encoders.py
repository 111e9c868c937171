"""ACTalker's small networks: published names and shapes, ranges and layouts of what they give."""

import gzip
import json
from pathlib import Path

import pytest
import torch

from mamba_portrait.networks.actalker.arcface import ArcFace
from mamba_portrait.networks.actalker.expression import ExpressionEncoder
from mamba_portrait.networks.actalker.face_mask_encoder import FaceMaskEncoder
from mamba_portrait.networks.actalker.head_pose import HeadPoseEncoder
from mamba_portrait.networks.actalker.projectors import AudioProjector, IdentityProjector, MotionProjector

KEYS = Path(__file__).parents[2] / "data" / "actalker_keys.json.gz"
PUBLISHED = {
    "pose_guider": FaceMaskEncoder,
    "audio_linear": AudioProjector,
    "id_proj_model": IdentityProjector,
    "vasa_linear": MotionProjector,
    "expression": ExpressionEncoder,
    "pose": HeadPoseEncoder,
    "arcface": ArcFace,
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_names_and_shapes_are_the_published_ones(name):
    with torch.device("meta"):
        found = {key: list(x.shape) for key, x in PUBLISHED[name]().state_dict().items()}
    assert found == json.loads(gzip.decompress(KEYS.read_bytes()))[name]


def test_audio_tokens_read_steps_then_layers_then_channels():
    net = AudioProjector(window=3, blocks=2, channels=4, hidden=8, tokens=5, context=6)
    states = torch.randn(7, 3, 2, 4)
    hidden = torch.einsum("owbc,nwbc->no", net.proj1.weight.view(8, 3, 2, 4), states) + net.proj1.bias
    hidden = net.proj2(hidden.relu()).relu()
    tokens = torch.einsum("tco,no->ntc", net.proj3.weight.view(5, 6, 8), hidden) + net.proj3.bias.view(5, 6)
    centred = tokens - tokens.mean(-1, keepdim=True)
    torch.testing.assert_close(net(states), centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt())


def test_no_voice_is_what_silence_projects_to():
    """By the biases alone, not zeros: the published unconditional tokens."""
    net = AudioProjector(window=3, blocks=2, channels=4, hidden=8, tokens=5, context=6)
    want = net.norm(net.proj3(net.proj2(net.proj1.bias.relu()).relu()).view(1, 5, 6))
    torch.testing.assert_close(net.unconditional(), want)
    assert want.abs().max() > 0.1


def test_motion_token_holds_degrees_and_no_translation():
    net = MotionProjector(8, 10)
    token = net(torch.randn(4, 8), torch.full((4, 3), 33.0))
    assert token.shape == (4, 16)
    assert (token[:, 10:13] == 33).all() and (token[:, 13:] == 0).all()
    assert (net.unconditional()[:, 10:] == 0).all()


def test_face_mask_feature_is_an_eighth_and_stays_in_place():
    torch.manual_seed(0)
    net, mask = FaceMaskEncoder(32), torch.zeros(2, 3, 64, 96)
    mask[1, :, 30:34, 70:74] = 1  # a spot about row 32 / 8 and column 72 / 8 of the feature
    with torch.no_grad():
        empty, spot = net(mask)
    assert spot.shape == (32, 8, 12)
    change = (spot - empty).abs().mean(0)
    row, column = ((change.sum(1 - axis) * torch.arange(size)).sum() for axis, size in enumerate(change.shape))
    assert (row / change.sum() - 4).abs() < 0.3 and (column / change.sum() - 9).abs() < 0.3
    assert change[:, :6].sum() < 1e-3 * change.sum()  # beyond the convolutions' reach


def test_head_pose_stays_in_its_ranges():
    torch.manual_seed(0)
    rotation, translation = HeadPoseEncoder(width=32)(torch.randn(2, 3, 64, 64) * 10)
    assert rotation.shape == translation.shape == (2, 3)
    assert rotation.abs().max() <= 180 and translation.abs().max() <= 2


@pytest.mark.parametrize("encoder", [ExpressionEncoder, ArcFace])
def test_features_are_of_each_face_alone_and_tell_faces_apart(encoder):
    torch.manual_seed(0)
    net = encoder(16, width=4, blocks=(1, 1, 1, 1)).eval()
    faces = torch.rand(3, 3, 112, 112)
    with torch.no_grad():
        together, alone = net(faces), torch.cat([net(face[None]) for face in faces])
    assert together.shape == (3, 16)
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    assert min((together[i] - together[i - 1]).abs().max() for i in range(3)) > 1e-3


def test_identity_token_grows_with_the_embedding():
    """The projector takes embeddings as they are: it does not bring them to length 1."""
    net, embedding = IdentityProjector(16, 24), torch.randn(2, 16)
    assert net(embedding).shape == (2, 24)
    assert (net(embedding) - net(3 * embedding)).abs().max() > 1e-2
