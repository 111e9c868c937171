"""A driving video's motion is counted from where the head stands in its first frame."""

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


def test_a_driver_begins_where_the_portrait_stands(renderer):
    film = torch.rand(5, 40, 40, 3, generator=torch.Generator().manual_seed(0))
    motion = portrait.watch(renderer, film, Fraction(25), batch=2)
    framing = list(FRAMING)
    with torch.no_grad():
        seen = renderer.encode_motion(portrait._network_image(film, torch.device("cpu")))
        raw, counted = renderer.read_parameters(seen), renderer.read_parameters(motion.values)
        own = portrait.encode_source(renderer, torch.rand(40, 40, 3)).motion[0]
        absolute = renderer.read_parameters(retarget(motion, own, "absolute"))
    assert counted[0, framing].abs().max() < 1e-4
    assert torch.allclose(counted - counted[:1], raw - raw[:1], atol=1e-4)  # how it changes is left alone
    kept = [i for i in range(counted.shape[1]) if i not in framing]
    assert torch.allclose(counted[:, kept], raw[:, kept], atol=1e-4)
    assert torch.allclose(absolute, counted, atol=1e-4)  # the driver's face, not its place in another picture
