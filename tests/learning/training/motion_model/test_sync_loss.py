"""A sync judge as a loss of stage 2: maps of mouths, what its gradient reaches, and that nothing changes without it."""

import pytest
import torch

from mamba_portrait.cli import main
from mamba_portrait.learning.datasets.batch_slice import BatchSlice
from mamba_portrait.learning.datasets.tracks import MOUTH, TrackBatch, TrackBatches, load_tracks
from mamba_portrait.learning.evaluation.sync.network import MOUTH as PICTURE
from mamba_portrait.learning.evaluation.sync.network import SyncConfig, SyncNetwork
from mamba_portrait.learning.training.motion_model.losses import Stage2Weights
from mamba_portrait.learning.training.motion_model.shown_mouths import ShownMouths, mouths_of_clips, rendered_mouths
from mamba_portrait.learning.training.motion_model.sync_loss import SyncLoss
from mamba_portrait.learning.training.motion_model.task import Stage2Task
from mamba_portrait.media.crop import crop_portrait
from mamba_portrait.media.faces import find_face
from mamba_portrait.media.photo import load_photo
from mamba_portrait.model_loaders.checkpoint import WEIGHTS, load_renderer
from mamba_portrait.vocabulary import SAMPLES_A_FRAME

WIDTH = len(MOUTH)


def drawn_mouths(parameters):
    """Pictures (N,48,64) whose upper half darkens with the first parameter and its product with the second."""
    pictures = torch.full((len(parameters), *PICTURE), 0.6)
    pictures[:, :24] -= 0.3 * (parameters[:, 0] + parameters[:, 0] * parameters[:, 1])[:, None, None]
    return pictures


@pytest.fixture
def loss() -> SyncLoss:
    torch.manual_seed(0)
    judge = SyncNetwork(SyncConfig(width=16, channels=(8, 8, 8, 8), mels=16))
    mouths = torch.rand(200, WIDTH)
    return SyncLoss(judge, [ShownMouths(mouths, drawn_mouths(mouths))] * 2)


@pytest.fixture
def stage2(hearing_model, tiny_weights, drawn_clips):
    """stage2(sync, weight): the tiny task with a batch, always the same."""

    def make(sync=None, weight=0.08, audio_first=0.0):
        renderer = load_renderer(tiny_weights / "renderer_lite.safetensors")
        model = hearing_model()
        tracks = load_tracks(drawn_clips, None)
        windows = TrackBatches(tracks, silent=0.0)
        weights = Stage2Weights(sync=weight)
        task = Stage2Task(model, renderer, windows, weights=weights, audio_first=audio_first, sync=sync)
        task.measure_motion(tracks, 0)
        return task, next(task.batches(iter([BatchSlice(0, 1, range(3), 3)])))

    return make


def gradients(task, batch, term="loss", progress=1.0):
    task.losses(batch, progress)[term].backward()
    return {name: p.grad for name, p in task.model.named_parameters() if p.grad is not None}


def test_a_map_of_mouths_is_solved_on_what_was_seen():
    seen, new = torch.rand(200, WIDTH), torch.rand(5, WIDTH)
    shown = ShownMouths(seen, drawn_mouths(seen))
    assert shown(new).shape == (5, *PICTURE)
    assert (shown(new) - drawn_mouths(new)).abs().max() < 0.01


def test_it_falls_as_mouths_follow_their_sound(loss):
    generator = torch.Generator().manual_seed(0)
    audio = 0.1 * torch.randn(2, 60 * SAMPLES_A_FRAME, generator=generator)
    tracks = TrackBatch(audio, torch.zeros(2, 24, 24), None, torch.ones(2).bool(), torch.zeros(2).bool(), 20)
    mouths = torch.rand(2, 20, WIDTH, generator=generator).requires_grad_()
    optimizer = torch.optim.Adam([mouths], 0.05)
    before = float(loss(mouths, tracks).detach())
    for _ in range(20):
        optimizer.zero_grad()
        loss(mouths, tracks).backward()
        optimizer.step()
    assert float(loss(mouths, tracks).detach()) < before - 0.05


def test_its_gradient_reaches_regression_and_extractors_alone(loss, stage2):
    found = {name for name, grad in gradients(*stage2(loss), "sync").items() if grad.abs().max() > 0}
    assert {"ear.weight", "from_local.weight"} <= found
    for part in ("mamba_global.", "mamba_local."):
        assert any(name.startswith(part) for name in found)
    assert not any(name.startswith("denoiser.") for name in found)
    assert all(p.grad is None for p in loss.parameters())


def test_it_counts_while_the_extractors_learn_alone(loss, stage2):
    terms = stage2(loss, 0.5, audio_first=0.5)
    terms = terms[0].losses(terms[1], 0.0)
    assert torch.allclose(terms["loss"], terms["heard"] + 0.5 * terms["sync"])


def test_without_it_nothing_changes(loss, stage2):
    task, batch = stage2()
    assert "sync" not in task.losses(batch, 1.0)
    without, weightless, with_it = gradients(task, batch), gradients(*stage2(loss, 0.0)), gradients(*stage2(loss, 1.0))
    assert all(torch.equal(grad, weightless[name]) for name, grad in without.items())
    assert not torch.equal(without["ear.weight"], with_it["ear.weight"])


def test_a_portrait_shows_the_mouths_of_clips(drawn_clips):
    mouths = mouths_of_clips(load_tracks(drawn_clips, None), 6)
    assert mouths.shape == (6, WIDTH) and torch.isfinite(mouths).all()
    with pytest.raises(ValueError, match="clips with labels"):
        mouths_of_clips([])
    renderer = load_renderer(WEIGHTS / "renderer_lite.safetensors")
    photo = load_photo(WEIGHTS.parent / "assets" / "portrait.jpg")
    photo = crop_portrait(photo, find_face(photo))[0]
    opened = torch.zeros(2, WIDTH)
    opened[1, 0] = 0.8  # the jaw
    shut, wide = rendered_mouths(renderer, photo, opened)
    assert shut.shape == PICTURE
    assert (wide - shut)[12:40, 16:48].abs().mean() > 2 * (wide - shut)[:6].abs().mean()
    with pytest.raises(ValueError, match="No face"):
        rendered_mouths(renderer, torch.full((96, 96, 3), 0.5), opened)


def test_judge_and_portraits_are_given_together(tmp_path, capsys):
    command = ["train", "stage2", "--data", str(tmp_path), "--out", str(tmp_path / "run"), "--sync-judge", "FILE"]
    assert main(command) == 2
    assert "--sync-portraits together" in capsys.readouterr().err
