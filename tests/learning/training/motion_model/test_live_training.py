"""Windows after which the sound soon ends, as where a voice is heard while it is spoken."""

import pytest
import torch

from mamba_portrait.learning.datasets.batch_slice import BatchSlice
from mamba_portrait.learning.datasets.tracks import TrackBatches, load_tracks
from mamba_portrait.learning.training.motion_model.task import Stage2Task, heard_so_far
from mamba_portrait.model_loaders.checkpoint import load_renderer
from mamba_portrait.vocabulary import SAMPLES_A_FRAME


@pytest.fixture
def batch_of(hearing_model, tiny_weights, drawn_clips):
    renderer = load_renderer(tiny_weights / "renderer_lite.safetensors")
    model = hearing_model()
    tracks = load_tracks(drawn_clips, None)

    def batch(live, samples=40):
        windows = TrackBatches(tracks, silent=0.0)
        windows.WINDOWS, windows.SHARES = (16,), (1.0,)
        task = Stage2Task(model, renderer, windows, audio_first=0.0, live=live)
        task.measure_motion(tracks, 0)
        return task, next(task.batches(iter([BatchSlice(0, 1, range(samples), samples)])))

    return batch


def test_a_share_of_the_windows_hears_less_and_never_less_than_the_window(batch_of):
    ahead = batch_of(0.5)[1].noise.ahead
    assert 10 <= int((ahead < 20).sum()) <= 30
    assert int(ahead.min()) >= 0 and int(ahead.max()) == 20
    assert int((batch_of(1.0)[1].noise.ahead < 20).sum()) >= 35


def test_the_sound_ends_where_it_has_not_been_heard(batch_of):
    task, batch = batch_of(1.0, samples=2)
    past = task.model.config.history
    tracks = batch.tracks._replace(audio=torch.ones_like(batch.tracks.audio))
    heard = heard_so_far(tracks, torch.tensor([0, 5]), past)
    frames = heard.unfold(1, SAMPLES_A_FRAME, SAMPLES_A_FRAME).amax(-1)
    end = tracks.margin + 16
    assert frames[0, :end].all() and not frames[0, end:].any()
    assert frames[1, : end + 5].all() and not frames[1, end + 5 :].any()


def test_the_loss_is_of_what_was_heard(batch_of):
    task, batch = batch_of(1.0, samples=2)
    whole = batch._replace(noise=batch.noise._replace(ahead=torch.tensor([20, 20])))
    without = batch._replace(noise=batch.noise._replace(ahead=None))
    cut = batch._replace(noise=batch.noise._replace(ahead=torch.tensor([0, 0])))
    losses = [float(task.losses(b, 1.0)["loss"].detach()) for b in (whole, without, cut)]
    assert losses[0] == losses[1] != losses[2]
