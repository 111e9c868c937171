"""Motion from video in one go, at toy sizes: seeds in, a renderer, figures and parts out, and a second call goes on."""

import json

import numpy as np
import pytest
import torch

pytest.importorskip("moderngl")

from mamba_portrait.learning.evaluation.video_motion import told_apart, told_by_changes, told_elsewhere  # noqa: E402
from mamba_portrait.learning.training import film_recipe  # noqa: E402
from mamba_portrait.learning.training.film_recipe import FilmRecipe, train_from_seeds  # noqa: E402
from mamba_portrait.learning.training.parts import unpack  # noqa: E402
from mamba_portrait.learning.training.renderer.free_motion import with_space  # noqa: E402
from mamba_portrait.learning.training.renderer.schedule import Part  # noqa: E402
from mamba_portrait.model_loaders.checkpoint import load_renderer  # noqa: E402

SCHEDULE = (Part("films", 0.6, 64, 2, 1e-4), Part("films_fine", 0.4, 64, 2, 1e-4))


def test_seeds_become_a_renderer_figures_and_parts(tiny_weights, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(film_recipe, "HELD_OUT", 1)
    options = {"size": 64, "groups": 2, "schedule": SCHEDULE, "precision": "fp32"}
    init = tiny_weights / "renderer_lite.safetensors"
    recipe = FilmRecipe(tmp_path, minutes=0.05, init=init, **options)
    renderer = load_renderer(train_from_seeds(recipe))
    assert renderer.config.motion_space == "semi"
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures.keys() == {"both", "named", "free", "people"} and figures["people"]["chance"] > 0
    checkpoint = torch.load(unpack(tmp_path / "parts", tmp_path / "back.pt"))
    assert checkpoint["part"] == 1 and "2 -> " not in capsys.readouterr().err
    train_from_seeds(recipe)  # all is done already
    assert torch.load(tmp_path / "run" / "stage1.pt")["step"] == checkpoint["step"]


def test_motion_that_tells_people_apart_is_seen(tiny_weights, monkeypatch):
    semi = with_space(load_renderer(tiny_weights / "renderer_lite.safetensors"), "semi")
    clips = [np.full((4, 64, 64, 3), 10 * number, np.uint8) for number in range(8)]
    who = torch.arange(8).repeat_interleave(4)
    face = semi.motion_from_parameters(torch.eye(24)[torch.arange(4).repeat(8)])  # all make the same four faces
    own = semi.free_part(torch.randn(8, 768, generator=torch.Generator().manual_seed(0)))[who]
    rows = iter((face + 3 * own).split(4))
    monkeypatch.setattr(semi, "encode_motion", lambda pictures: next(rows))
    told = told_apart(semi, clips)
    assert told["free"] == told["whole"] == 1 and told["named"] < 0.2
    assert told["chance"] == pytest.approx(3 / 31, abs=1e-3)


def test_who_moves_is_told_by_changes_where_these_have_a_manner_of_their_own(tiny_weights, monkeypatch):
    """What stays the same of a person cancels; what each of his changes has in common does not."""
    semi = with_space(load_renderer(tiny_weights / "renderer_lite.safetensors"), "semi")
    clips = [np.zeros((4, 64, 64, 3), np.uint8)] * 8
    g = torch.Generator().manual_seed(0)
    own, manner = (torch.randn(8, 768, generator=g) for _ in range(2))

    def told(share):
        noise = torch.randn(8, 4, 768, generator=g)
        motion = 3 * own[:, None] + noise + share * torch.tensor([0.0, 1.0, 0.0, 1.0])[:, None] * manner[:, None]
        rows = iter(motion)
        monkeypatch.setattr(semi, "encode_motion", lambda pictures: next(rows))
        return told_by_changes(semi, clips)

    still, own_manner = told(0.0), told(4.0)
    assert still["chance"] == 0.125 and still["whole"] <= 0.4 and own_manner["whole"] == 1
    assert set(still) == {"chance", "whole", "named", "free"} and own_manner["free"] > 0.6 > still["free"]


def test_what_a_clip_has_in_common_is_not_who_somebody_is(tiny_weights, monkeypatch):
    """A clip's light or pose finds its own frames; another scene of the person is found by his own share alone."""
    semi = with_space(load_renderer(tiny_weights / "renderer_lite.safetensors"), "semi")
    clips, g = [np.zeros((4, 64, 64, 3), np.uint8)] * 8, torch.Generator().manual_seed(0)
    own, light, frames = (torch.randn(*shape, 768, generator=g) for shape in ((8, 1), (16, 1), (16, 4)))

    def told(share):
        motion = frames + 3 * light + share * own.repeat(2, 1, 1)
        rows = iter([*motion[:8], *motion])
        monkeypatch.setattr(semi, "encode_motion", lambda pictures: next(rows))
        return told_apart(semi, clips)["free"], told_elsewhere(semi, clips, clips)

    (frames_alike, nobody), (_, somebody) = told(0.0), told(6.0)
    assert frames_alike == 1 and nobody["free"] < 0.4 and nobody["chance"] == 0.125
    assert somebody["free"] == somebody["whole"] == 1
