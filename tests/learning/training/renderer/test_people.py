"""F_A learns who somebody is: pairs are of one person in two scenes, the loss tells them from others, and a renderer is
trained with another scene's F_A."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from mamba_portrait.cli import main
from mamba_portrait.learning.datasets.batch_slice import BatchSlice
from mamba_portrait.learning.datasets.stills import FIELDS, StillSet
from mamba_portrait.learning.training.loop import Every, Plan
from mamba_portrait.learning.training.renderer.losses import Stage1Weights
from mamba_portrait.learning.training.renderer.people import BESIDE, Scenes, told_apart_loss
from mamba_portrait.learning.training.renderer.rendering import RenderingTask
from mamba_portrait.learning.training.renderer.schedule import BY_NAME, SCHEDULE, Part, chosen
from mamba_portrait.learning.training.renderer.train import Stage1Settings, averaged_renderer, train_stage1
from mamba_portrait.networks.renderer.config import RendererConfig
from mamba_portrait.networks.renderer.model import Renderer


@pytest.fixture(scope="module")
def scenes(drawn_discs, tmp_path_factory):
    """The 24 discs, each in two scenes: the second is darker."""
    folder = tmp_path_factory.mktemp("scenes") / "stills"
    folder.mkdir()
    drawn = StillSet(drawn_discs)
    for field, values in zip(FIELDS, drawn.get(np.arange(len(drawn)))[: len(FIELDS)], strict=True):
        values = values.repeat_interleave(2, 0).numpy()
        if field == "rgb":
            values[1::2] = values[1::2] // 2
        np.save(folder / f"000000_{field}.npy", values)
    numbers = np.repeat(np.arange(len(drawn)), 2)
    np.save(folder / "000000_person.npy", np.stack([2 * numbers, 2 * numbers + 1], 1))
    return folder.parent


@pytest.fixture
def alive_config(tiny_config):
    return replace(tiny_config, appearance_pyramid=True, appearance_blocks=1, appearance_levels=3)


def train(data, out, steps, **settings):
    plan = Plan(steps=steps, saves=Every(steps=steps), reports=Every(steps=1), report=lambda _: None)
    return train_stage1(data, out, plan, Stage1Settings(**settings))


def logged(out):
    return [json.loads(line) for line in (out / "log.jsonl").read_text("utf8").splitlines()]


def test_pairs_are_of_one_person_in_two_scenes(scenes, drawn_discs):
    found = Scenes(StillSet(scenes))
    first, second = found.pairs(np.random.default_rng(0), 24).astype(float)
    assert len(first) == 24 and len(found.pairs(np.random.default_rng(0), 99)[0]) == 24
    colour = [scene.mean((1, 2)) / scene.mean((1, 2)).sum(1, keepdims=True) for scene in (first, second)]
    near = np.abs(colour[0][:, None] - colour[1][None]).sum(2)
    assert (near.argmin(1) == np.arange(24)).mean() > 0.5  # frames differ, and some discs are alike
    light = np.maximum(first.mean((1, 2, 3)), second.mean((1, 2, 3))) / np.minimum(
        first.mean((1, 2, 3)), second.mean((1, 2, 3))
    )
    assert (light > 1.5).all()  # of two scenes, never of one
    own, other = found.stills.pictures(4)[1], found.other(4, 1, np.random.default_rng(0))
    assert any(np.array_equal(other, frame // 2) for frame in own)
    with pytest.raises(ValueError, match="corpus --scenes 2"):
        Scenes(StillSet(drawn_discs))


def test_the_loss_is_low_where_everyone_is_nearest_to_himself():
    people = torch.randn(8, 16, generator=torch.Generator().manual_seed(0))
    again = people + 0.1 * torch.randn(8, 16, generator=torch.Generator().manual_seed(1))
    assert told_apart_loss(people, 3 * again) < 0.1 < 2 < told_apart_loss(people, again.roll(1, 0))
    assert told_apart_loss(torch.ones(8, 16), torch.ones(8, 16)) == pytest.approx(np.log(8), abs=1e-4)


def test_the_extractor_alone_learns_to_tell_people_apart(scenes, alive_config, tmp_path):
    schedule = (Part("appearance", 1.0, 64, 12, 5e-3),)
    path = train(scenes, tmp_path, 60, config=alive_config, schedule=schedule)
    losses = [row["appearance"] for row in logged(tmp_path)]
    assert np.mean(losses[-5:]) < 0.6 * losses[0]
    torch.manual_seed(0)
    before, after = Renderer(alive_config).state_dict(), averaged_renderer(path).state_dict()
    moved = {name.split(".")[0] for name, value in after.items() if not torch.equal(value, before[name])}
    assert moved == {"appearance"}


def test_parts_by_name_come_first():
    assert [part.name for part in chosen(SCHEDULE, ["coarse", "appearance"], BY_NAME)] == ["appearance", "coarse"]
    assert chosen(SCHEDULE, [], BY_NAME) == SCHEDULE
    with pytest.raises(ValueError, match="no part appearance"):
        chosen(SCHEDULE, ["appearance"])


def test_another_scenes_look_is_rendered_with(scenes, alive_config):
    torch.manual_seed(0)
    renderer = Renderer(alive_config)
    with torch.no_grad():
        for p in renderer.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel())))
    task = RenderingTask(renderer, StillSet(scenes), 64, Stage1Weights(appearance=1.0), written=1.0, other_scene=0.5)
    batch = next(task.batches(iter([BatchSlice(0, 0, range(8), 8)])))
    assert batch.pairs.shape == (2 * BESIDE, 3, 64, 64) and 0 < batch.otherwise.sum() < 8
    base, motion, _ = task.drive(batch, look=False)
    own, mixed = (task.render(batch.source, motion, base, b).image.unflatten(0, (8, 3)) for b in (None, batch))
    changed = (own - mixed).abs().amax((1, 2, 3, 4)) > 1e-6
    assert torch.equal(changed, batch.otherwise[:, 0])
    task.losses(batch)["loss"].backward()
    assert renderer.appearance.query.weight.grad.abs().sum() > 0
    plain = RenderingTask(renderer, StillSet(scenes), 64, written=1.0)
    same = next(plain.batches(iter([BatchSlice(0, 0, range(8), 8)])))
    assert same.other is None and same.pairs is None and torch.equal(same.source, batch.source)
    assert torch.equal(same.noise, batch.noise)  # runs of before go on as they would have


def test_only_named_modules_learn(scenes, tiny_weights, tiny_config, tmp_path):
    """From weights without the new paths: they begin without a say, the pyramid as the image encoder's."""
    init = tiny_weights / "renderer_lite.safetensors"
    config = replace(tiny_config, appearance_pyramid=True, appearance_levels=3)
    options = {"init": init, "config": config, "renew": ["appearance", "decoder.appearance"], "other_scene": 0.5}
    schedule = (Part("coarse", 1.0, 64, 2, 1e-3, written=1.0),)
    path = train(scenes, tmp_path / "a", 2, schedule=schedule, learn=["decoder", "appearance"], contrast=0.1, **options)
    averaged_renderer(path)
    state = torch.load(path, weights_only=True)["renderer"]
    begun = torch.load(train(scenes, tmp_path / "b", 1, schedule=(replace(schedule[0], rate=0.0),), **options))
    begun = begun["renderer"]
    moved = {name.split(".")[0] for name, value in state.items() if not torch.equal(value, begun[name])}
    assert moved == {"decoder", "appearance"}
    key = "levels.0.0.weight"
    assert torch.equal(begun[f"appearance.pyramid.{key}"], begun[f"image_encoder.context.{key}"])
    assert begun["decoder.appearance_finer.1.linear.weight"].abs().sum() == 0
    assert state["decoder.appearance_finer.1.linear.weight"].abs().sum() > 0
    with pytest.raises(ValueError, match="no module dekoder; choose of image_encoder"):
        train(scenes, tmp_path / "c", 1, schedule=schedule, learn=["dekoder"], **options)


@torch.no_grad()
@pytest.mark.parametrize("levels", [1, 2, 3])
def test_every_level_has_its_say(tiny_config, levels):
    renderer = Renderer(replace(tiny_config, appearance_levels=levels)).eval()
    modulations = [renderer.decoder.appearance, *renderer.decoder.appearance_finer]
    assert len(modulations) == levels
    source = renderer.encode_source(torch.rand(1, 3, 64, 64))
    look, motion = renderer.extract_appearance(source), source.motion + torch.randn(1, 768)
    renderer.decoder.leave.weight.normal_()
    before = renderer.decode(source, look, motion).image
    for modulate in modulations:
        modulate.linear.weight.normal_()
        assert not torch.equal(renderer.decode(source, look, motion).image, before)
        modulate.linear.weight.zero_()
    assert torch.equal(renderer.decode(source, look, motion).image, before)


def test_earlier_configs_have_the_one_path():
    earlier = {k: v for k, v in RendererConfig.lite().to_dict().items() if not k.startswith("appearance_")}
    assert RendererConfig.from_dict(earlier) == RendererConfig.lite()
    with pytest.raises(ValueError, match="appearance_levels must be a whole number from 1 to 3"):
        RendererConfig(appearance_levels=4)


def test_the_options_reach_the_training_and_films_refuse_them(scenes, tmp_path, shipped_tiny, capsys):
    arguments = ["train", "stage1", "--data", str(scenes), "--out", str(tmp_path / "a"), "--steps", "1"]
    arguments += ["--init", str(shipped_tiny / "renderer_lite.safetensors"), "--parts", "appearance", "coarse"]
    main([*arguments, "--contrast", "0.5", "--other-scene", "0.5", "--learn", "decoder"])
    rows = logged(tmp_path / "a")
    assert [row["part"] for row in rows] == ["appearance", "coarse"] and all("appearance" in row for row in rows)
    films = ["train", "stage1", "--data", f"plain:{scenes}", "--out", str(tmp_path / "b"), "--steps", "1"]
    assert main([*films, "--other-scene", "0.5"]) == 2
    assert "--other-scene and --learn are for labelled stills alone: give one corpus." in capsys.readouterr().err


def test_the_mean_of_people_is_zero_when_they_have_been_told_apart(scenes, alive_config, tmp_path):
    schedule = (Part("appearance", 1.0, 64, 12, 5e-3),)
    renderer = averaged_renderer(train(scenes, tmp_path, 3, config=alive_config, schedule=schedule))
    photos = torch.from_numpy(np.concatenate([StillSet(scenes).pictures(i) for i in range(24)]))
    with torch.no_grad():
        vectors = renderer.appearance_of(photos.flatten(0, 1).permute(0, 3, 1, 2).float() / 255)
    assert vectors.mean(0).norm() < 0.5 * vectors.norm(dim=1).mean()


def test_what_reads_the_look_learns_faster_where_it_takes_part(scenes, alive_config):
    renderer = Renderer(alive_config)
    task = RenderingTask(renderer, StillSet(scenes), 64, other_scene=0.5)
    usual, fast = task.parameter_groups(1e-3)
    assert fast["lr"] == pytest.approx(1e-2) and len(fast["params"]) == 3 and usual["lr"] == 1e-3
    assert len(usual["params"]) + 3 == len(task.parameters())
    (alone,) = RenderingTask(renderer, StillSet(scenes), 64).parameter_groups(1e-3)
    assert len(alone["params"]) == len(task.parameters())
