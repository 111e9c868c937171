"""New weights learn from films how places move: flow is found without labels, keypoints and fields follow it."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from mamba_portrait.learning.datasets.batch_slice import BatchSlice
from mamba_portrait.learning.datasets.film_frames import PlainStills
from mamba_portrait.learning.training.renderer.film_losses import FilmWeights
from mamba_portrait.learning.training.renderer.films import FilmTask
from mamba_portrait.learning.training.renderer.flow_task import FlowTask, carried, mean_field, places, start_moving
from mamba_portrait.learning.training.renderer.optical_flow import FoundFlow, find_flow, found_flow_loss
from mamba_portrait.learning.training.renderer.train_films import FILM_SCHEDULE, FIRST, _schedule
from mamba_portrait.networks.renderer.layers import bilinear
from mamba_portrait.networks.renderer.model import Renderer


@pytest.fixture
def renderer(tiny_config):
    torch.manual_seed(0)
    new = Renderer(replace(tiny_config, motion_space="free", readout=False)).train()
    new.parameters_of_motion.requires_grad_(False)
    start_moving(new)
    return new


def batch_of(task, samples=4):
    return next(task.batches(iter([BatchSlice(3, 0, range(samples), samples)])))


def texture(seed=0, size=64):
    """(3,S,S) with detail at all sizes."""
    rng = torch.Generator().manual_seed(seed)
    sizes = (4, 8, 16, 32)
    layers = [F.interpolate(torch.rand(1, 3, n, n, generator=rng), size=(size, size), mode="bicubic") for n in sizes]
    return torch.stack(layers).mean(0)[0].clamp(0, 1)


def test_flow_is_found_and_is_not_trusted_where_nothing_is_to_find():
    source = texture()
    moved = source.roll((3, -2), (1, 2))  # down by 3 pixels, left by 2
    flow = find_flow(torch.stack([source, moved, texture(1)])[None])
    inner = flow.displacement[0, :, 12:-12, 12:-12] * 32  # pixels
    assert inner[0].median() == pytest.approx(2, abs=0.2) and inner[1].median() == pytest.approx(-3, abs=0.2)
    inner = flow.trusted[:, :, 12:-12, 12:-12]
    assert inner[0].mean() > 0.95 and inner[1].mean() < 0.7
    right = flow.displacement[:1].clone()
    error = found_flow_loss(right + 1 / 32, FoundFlow(right, torch.ones(1, 1, 64, 64)))
    assert float(error) == pytest.approx((2 + 0.01) ** 0.5, abs=1e-3)  # a pixel along both axes


def test_keypoints_are_carried_by_the_flow():
    at = places(5)
    assert at.min() >= 0.2 - 1e-6 and at.max() <= 0.8 + 1e-6 and len({tuple(x) for x in at.tolist()}) == 5
    shift = torch.tensor([0.1, -0.05])  # of the picture, from the target back to the source
    flow = FoundFlow(2 * shift[None, :, None, None].expand(1, 2, 8, 8), torch.ones(1, 1, 8, 8))
    followed = torch.stack([at + shift, at])[None]
    assert float(carried(followed, flow)) == pytest.approx(0, abs=1e-6)
    assert float(carried(at.expand(1, 2, -1, -1), flow)) > 0.05
    assert float(carried(at.expand(1, 2, -1, -1), flow._replace(trusted=torch.zeros(1, 1, 8, 8)))) == 0


def test_the_first_part_teaches_encoder_and_dit_alone(renderer, drawn_discs):
    task = FlowTask(renderer, PlainStills(drawn_discs, 64), 64, FilmWeights.from_nothing())
    batch = batch_of(task)
    apart = (batch.pictures[:, 0] - batch.pictures[:, 1]).abs().mean()
    assert batch.pictures.shape == (4, 4, 3, *batch.pictures.shape[-1:] * 2) and apart > 0.01
    optimizer = torch.optim.Adam([p for p in renderer.parameters() if p.requires_grad], 2e-3)
    losses = []
    for _ in range(25):
        optimizer.zero_grad()
        terms = task.losses(batch)
        terms["loss"].backward()
        optimizer.step()
        losses.append(float(terms["loss"].detach()))
    assert losses[-1] < 0.75 * losses[0]
    taught = {name.split(".")[0] for name, p in renderer.named_parameters() if p.grad is not None}
    assert taught == {"motion_encoder", "deviation"}


def test_the_field_begins_as_the_mean_of_the_deviation_maps(renderer, drawn_discs):
    lmdd = renderer.lmdd
    with torch.no_grad():
        for layer in (lmdd.focus, lmdd.planes, lmdd.respond):  # all focus maps alike, responses as they begin
            layer.weight.zero_()
        lmdd.focus.bias.zero_()
        lmdd.planes.bias.zero_()
        photo = torch.from_numpy(PlainStills(drawn_discs, 64).pictures(0)[0][:1]).permute(0, 3, 1, 2).float() / 255
        source = renderer.encode_source(photo)
        change = 0.3 * torch.randn(1, renderer.config.motion_dim)
        field, deviation = renderer.motion_field(source, renderer.extract_appearance(source), source.motion + change)
    mean = mean_field(deviation.maps, renderer)
    assert field.forward.abs().max() > 1e-3
    assert torch.allclose(field.forward, bilinear(mean, field.forward.shape[-2:]), atol=1e-5)


def test_flow_teaches_new_weights_less_and_less_and_trained_ones_never(renderer, drawn_discs):
    frames = PlainStills(drawn_discs, 64)
    task = FilmTask(renderer, frames, 64, replace(FilmWeights.from_nothing(), perceptual=0.0))
    batch = batch_of(task)
    first, half = (float(task.losses(batch, progress)["flow"].detach()) for progress in (0.0, 0.5))
    assert half == pytest.approx(first / 2) and first > 0
    later = FilmTask(renderer, frames, 64, FilmWeights(perceptual=0.0))
    assert batch_of(later).flow is None and "flow" not in later.losses(batch_of(later))


def test_places_come_first_for_new_weights_alone():
    assert _schedule(False, False) == FILM_SCHEDULE
    new = _schedule(False, True)
    assert new[0].name == "flow" and new[0].share == FIRST.share and new[1].share < FILM_SCHEDULE[0].share
    for gpu in (False, True):
        assert sum(part.share for part in _schedule(gpu, True)) == pytest.approx(1)
    assert [(part.name, part.size, part.rate) for part in new[1:]] == [(p.name, p.size, p.rate) for p in FILM_SCHEDULE]
    assert all(part.groups < old.groups for part, old in zip(new[1:], FILM_SCHEDULE, strict=True))
