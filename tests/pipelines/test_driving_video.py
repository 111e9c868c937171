"""Motion of a driving video: framing parameters are relative to its first frame."""

from fractions import Fraction

import pytest
import torch

from mamba_portrait.media.motion import retarget
from mamba_portrait.networks.renderer.model import Renderer
from mamba_portrait.pipelines import portrait
from mamba_portrait.vocabulary import FRAMING


@pytest.fixture(scope="module")
def renderer(tiny_config):
    torch.manual_seed(0)
    return Renderer(tiny_config).eval()


def test_framing_parameters_are_relative_to_the_first_frame(renderer):
    film = torch.rand(5, 40, 40, 3, generator=torch.Generator().manual_seed(0))
    motion = portrait.encode_driving_video(renderer, film, Fraction(25), batch=2)
    framing = list(FRAMING)
    with torch.no_grad():
        encoded = renderer.encode_motion(portrait._network_image(film, torch.device("cpu")))
        raw, relative = renderer.read_parameters(encoded), renderer.read_parameters(motion.values)
        own = portrait.encode_source(renderer, torch.rand(40, 40, 3)).motion[0]
        absolute = renderer.read_parameters(retarget(motion, own, "absolute"))
    assert relative[0, framing].abs().max() < 1e-4
    assert torch.allclose(relative - relative[:1], raw - raw[:1], atol=1e-4)  # changes stay the same
    others = [i for i in range(relative.shape[1]) if i not in framing]
    assert torch.allclose(relative[:, others], raw[:, others], atol=1e-4)
    assert torch.allclose(absolute, relative, atol=1e-4)  # the driver's expression, not the position in its picture
