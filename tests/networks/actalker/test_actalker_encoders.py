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


def test_audio_tokens_of_silence_are_what_zeros_project_to():
    net = AudioProjector(window=3, blocks=2, channels=4, hidden=8, tokens=5, context=6)
    states = torch.zeros(7, 3, 2, 4)
    assert net(states).shape == (7, 5, 6)
    torch.testing.assert_close(net(states), net.unconditional().expand(7, -1, -1))


def test_motion_token_holds_degrees_and_no_translation():
    net = MotionProjector(8, 10)
    token = net(torch.randn(4, 8), torch.full((4, 3), 33.0))
    assert token.shape == (4, 16)
    assert (token[:, 10:13] == 33).all() and (token[:, 13:] == 0).all()
    assert (net.unconditional()[:, 10:] == 0).all()


def test_face_mask_feature_is_an_eighth():
    assert FaceMaskEncoder(32)(torch.ones(2, 3, 64, 96)).shape == (2, 32, 8, 12)


def test_head_pose_stays_in_its_ranges():
    torch.manual_seed(0)
    rotation, translation = HeadPoseEncoder(width=32)(torch.randn(2, 3, 64, 64) * 10)
    assert rotation.shape == translation.shape == (2, 3)
    assert rotation.abs().max() <= 180 and translation.abs().max() <= 2


def test_expression_and_identity_features():
    face = torch.rand(2, 3, 64, 64)
    assert ExpressionEncoder(16, width=4, blocks=(1, 1, 1, 1))(face).shape == (2, 16)
    embedding = ArcFace(16, width=4, blocks=(1, 1, 1, 1)).eval()(torch.rand(2, 3, 112, 112))
    assert embedding.shape == (2, 16)
    assert IdentityProjector(16, 24)(embedding).shape == (2, 24)
