"""What tells who somebody is is taken out of the free part, and what people do stays."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mamba_portrait.learning.datasets.film_frames import PlainStills
from mamba_portrait.learning.training.renderer.free_motion import with_space
from mamba_portrait.learning.training.renderer.screen import _directions, main, screened
from mamba_portrait.model_loaders.checkpoint import load_renderer, save_checkpoint
from mamba_portrait.networks.renderer.model import Renderer


@pytest.fixture
def semi(tiny_weights):
    torch.manual_seed(0)
    return with_space(load_renderer(tiny_weights / "renderer_lite.safetensors"), "semi").eval()


@pytest.fixture(scope="module")
def clips(drawn_discs):
    drawn = PlainStills(drawn_discs, 64)
    return [clip for group in range(len(drawn.stills)) for clip in drawn.pictures(group)]


def test_directions_are_those_in_which_people_differ():
    """People differ along the first axis, and move along the second and a little along the first."""
    g = torch.Generator().manual_seed(0)
    people = []
    for number in range(60):
        motion = 0.1 * torch.randn(20, 3, generator=g, dtype=torch.float64)
        motion[:, 1] *= 20
        motion[:, 0] += 5 * np.sin(number)
        people.append(motion)
    reads, writes = _directions(people, 1)
    left = [motion.float() - (motion.float() @ reads.T) @ writes for motion in people]
    assert torch.stack([motion.mean(0) for motion in left])[:, 0].std() < 0.1
    moved, before = torch.cat([motion[:, 1] for motion in left]), torch.cat([motion[:, 1] for motion in people])
    assert torch.allclose(moved, before.float(), atol=0.2)


@torch.no_grad()
def test_people_are_nearer_without_and_names_stay(semi, clips, tmp_path):
    new = screened(semi, clips, 4)
    photos = torch.from_numpy(np.stack(clips)).permute(0, 1, 4, 2, 3).float() / 255
    named, free = {}, {}
    for name, renderer in (("before", semi), ("after", new)):
        motion = renderer.encode_motion(photos.flatten(0, 1)).unflatten(0, photos.shape[:2])
        named[name], free[name] = renderer.read_parameters(motion), renderer.free_part(motion)
    assert torch.allclose(named["before"], named["after"], atol=1e-3)

    def told(motion):
        return float(motion.mean(1).var(0).sum() / motion.var(1).mean(0).sum())

    assert told(free["after"]) < 0.8 * told(free["before"])
    assert new.motion_encoder_id != semi.motion_encoder_id and new.motion_language == semi.motion_language
    file = tmp_path / "screened.safetensors"
    save_checkpoint(file, new, "renderer", new.config)
    again = load_renderer(file)
    assert torch.allclose(again.encode_motion(photos[0]), new.encode_motion(photos[0]), atol=0.02)
    assert screened(new, clips, 6).config.screened_directions == 6  # in place of the first screen


def test_what_cannot_be_screened_is_one_sentence(semi, clips, tiny_config):
    with pytest.raises(ValueError, match="named motion space has no free part"):
        screened(Renderer(tiny_config), clips, 4)
    with pytest.raises(ValueError, match="on 40 people at least, not 24"):
        screened(semi, clips, 20)
    assert replace(tiny_config, motion_space="semi").screened_directions == 0


def test_the_command_writes_a_renderer(semi, drawn_discs, tmp_path, capsys):
    save_checkpoint(tmp_path / "a.safetensors", semi, "renderer", semi.config)
    out = tmp_path / "b.safetensors"
    main([str(tmp_path / "a.safetensors"), str(drawn_discs), "-o", str(out), "--directions", "3"])
    assert str(out) in capsys.readouterr().out and load_renderer(out).config.screened_directions == 3
