"""What F_A is worth: retrieval across scenes, and decibels where the picture must be painted."""

import json

import numpy as np
import pytest
import torch

from mamba_portrait.learning.datasets.stills import FIELDS, StillSet
from mamba_portrait.learning.evaluation.appearance import (
    REPLACED,
    WHERE,
    Shown,
    appearance_table,
    found_again,
    main,
    worth_of_appearance,
)
from mamba_portrait.learning.training.ablation import STAGE1, cut_network
from mamba_portrait.model_loaders.checkpoint import load_renderer, save_checkpoint
from mamba_portrait.vocabulary import INDEX


@pytest.fixture(scope="module")
def scenes(drawn_discs, tmp_path_factory):
    """Eight discs in two scenes: the second is darker, and of the same colours otherwise."""
    folder = tmp_path_factory.mktemp("scenes") / "stills"
    folder.mkdir()
    for field, values in zip(FIELDS, StillSet(drawn_discs).get(np.arange(4))[: len(FIELDS)], strict=True):
        values = values.repeat_interleave(2, 0).numpy()
        if field == "rgb":
            values[1::2] = values[1::2] // 2
        np.save(folder / f"000000_{field}.npy", values)
    numbers = np.repeat(np.arange(4), 2)
    np.save(folder / "000000_person.npy", np.stack([2 * numbers, 2 * numbers + 1], 1))
    return folder.parent


@pytest.fixture
def renderer(tiny_weights):
    renderer = load_renderer(tiny_weights / "renderer_lite.safetensors").eval()
    with torch.no_grad():
        for p in renderer.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel())))
    return renderer


def test_who_is_told_by_the_vector_is_found_and_who_is_not_by_chance(renderer, scenes, monkeypatch):
    stills = StillSet(scenes)

    def told(photos):  # the colour of the middle, whatever the light
        middle = photos[..., 24:40, 24:40].mean((2, 3))
        return middle / middle.sum(1, keepdim=True)

    monkeypatch.setattr(renderer, "appearance_of", told)
    found = found_again(renderer, stills)
    assert found["people"] == 8 and found["chance"] == 0.125 and found["F_A"] > 0.7 > found["colours"]
    monkeypatch.setattr(renderer, "appearance_of", lambda photos: torch.ones(len(photos), 4))
    assert found_again(renderer, stills)["F_A"] == 0.125


def test_one_scene_each_is_one_sentence(renderer, drawn_discs):
    with pytest.raises(ValueError, match="corpus --scenes 2"):
        found_again(renderer, StillSet(drawn_discs))


def test_regions_are_what_must_be_painted(drawn_discs):
    groups = StillSet(drawn_discs).get(np.arange(3))
    groups = groups.each(lambda array: array[:, 0].clone())
    groups.param[:, 1:, INDEX["blink_left"]] = groups.param[:, :1, INDEX["blink_left"]] + torch.tensor([0.1, 0.5, 0.9])
    groups.mark[:] = torch.rand(groups.mark.shape, generator=torch.Generator().manual_seed(0))
    shown = Shown.of(groups)
    hidden = 1 - (groups.label & 1).flatten(0, 1)[:, None].float()
    assert set(shown.regions) == set(WHERE) and shown.image.shape == (9, 3, 128, 128)
    assert (shown.regions["mouth"] <= hidden).all() and shown.regions["mouth"].sum() > 0
    assert ((shown.regions["lids"].sum((1, 2, 3)) > 0).view(3, 3) == torch.tensor([False, True, True])).all()
    assert (shown.regions["all"] >= torch.maximum(shown.regions["mouth"], shown.regions["lids"])).all()
    sums = shown.decibels(shown.image + 0.1)["all"]
    assert torch.allclose(sums[:, 0], 0.01 * sums[:, 1], rtol=1e-3) and (sums[:, 1] > 0).any()


def test_costs_are_against_what_is_given(renderer, scenes, tmp_path, capsys):
    """A network whose F_A is the same for everyone costs nothing to replace; another network's picture costs what it
    loses."""
    stills = StillSet(scenes)
    found = {row.metric: row for row in worth_of_appearance(renderer, renderer, stills)}
    assert set(found) == set(WHERE.values()) and set(found[WHERE["all"]].costs) == set(REPLACED)
    everything = found[WHERE["all"]].costs
    assert everything["without"] == (0, 0, 0) and abs(everything["stranger"][0]) > 1e-6 < abs(everything["scene"][0])
    cut = cut_network(renderer, ["appearance"], STAGE1).eval()
    costs = {row.metric: row for row in worth_of_appearance(cut, renderer, stills)}[WHERE["all"]].costs
    assert all(abs(costs[how][0]) < 1e-6 for how in ("scene", "stranger", "mean")) and costs["without"][0] != 0
    table = appearance_table(list(found.values()))
    assert table.count("\n") == 2 + len(WHERE) and "trained without F_A" in table
    save_checkpoint(tmp_path / "renderer.safetensors", renderer, "renderer", renderer.config)
    main([str(tmp_path / "renderer.safetensors"), str(scenes), "--out", str(tmp_path / "figures.json")])
    figures = json.loads((tmp_path / "figures.json").read_text("utf8"))
    assert figures["found_again"]["people"] == 8 and "without" not in figures["worth"][0]["costs"]
    assert "found again" in capsys.readouterr().out
