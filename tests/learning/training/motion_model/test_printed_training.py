"""Stage 2 as the paper prints it: each switch of its training, and all of them together."""

from dataclasses import fields, replace

import pytest
import torch

from mamba_portrait.learning.datasets.batch_slice import BatchSlice
from mamba_portrait.learning.datasets.tracks import TrackBatches, load_tracks
from mamba_portrait.learning.training.loop import Plan
from mamba_portrait.learning.training.motion_model.losses import motion_losses, summed_motion_losses
from mamba_portrait.learning.training.motion_model.task import Stage2Task, frames_apart
from mamba_portrait.learning.training.motion_model.train import Stage2Settings, averaged_motion_model, train_stage2
from mamba_portrait.model_loaders.checkpoint import load_renderer
from mamba_portrait.networks.mamba.mamba1 import PIECE, BidirectionalMamba
from mamba_portrait.networks.motion_model.config import MotionModelConfig
from mamba_portrait.networks.motion_model.mamba_global import GlobalAudio
from mamba_portrait.networks.motion_model.model import MotionModel
from mamba_portrait.sampling.settings import SamplingSettings
from mamba_portrait.sampling.windows import sample_motion

SIZES = ("global_width", "global_layers", "local_width", "local_layers", "d_state", "width", "layers", "heads")
FORMS = {
    "scan": dict(scan="selective"),
    "waveform": dict(stem="waveform", exact_slices=True),
    "eps": dict(prediction="eps"),
    "predicted_history": dict(predicted_history=True),
    "frame_by_frame": dict(frame_by_frame=True),
    "both": dict(frame_by_frame=True, predicted_history=True),
    "summed_losses": dict(summed_losses=True),
    "regression": dict(regression=False),
}


@pytest.fixture
def x0_config(tiny_motion_config):
    return replace(tiny_motion_config, prediction="x0")


@pytest.fixture
def method(tiny_motion_config):
    """All printed forms at toy widths."""
    return replace(
        MotionModelConfig.method(),
        **{name: getattr(tiny_motion_config, name) for name in SIZES},
        appearance_dim=tiny_motion_config.appearance_dim,
    )


@pytest.fixture
def renderer(tiny_weights):
    return load_renderer(tiny_weights / "renderer_lite.safetensors")


def task_and_batch(config, renderer, data, samples=2):
    """A task with a model in which everything takes part, and one batch of 16 frames."""
    torch.manual_seed(0)
    model = MotionModel(config)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.1 * torch.randn_like(p))
    tracks = load_tracks(data)
    windows = TrackBatches(tracks, silent=0.0)
    windows.WINDOWS, windows.SHARES = (16,), (1.0,)
    task = Stage2Task(model, renderer, windows, appearances=torch.randn(3, config.appearance_dim), audio_first=0.0)
    task.measure_motion(tracks, 0)
    batch = next(task.batches(iter([BatchSlice(0, 1, range(samples), samples)])))
    nowhere = torch.zeros(samples, dtype=torch.bool)
    tracks, noise = batch.tracks._replace(begins=nowhere), batch.noise._replace(no_history=nowhere)
    return task, batch._replace(tracks=tracks, noise=noise)


def overfit(task, batch, steps, rate=3e-3):
    optimizer, losses = torch.optim.Adam(task.parameters(), lr=rate), []
    for _ in range(steps):
        loss = task.losses(batch, 1.0)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("form", FORMS)
def test_each_form_changes_the_loss_and_learns(form, x0_config, renderer, drawn_clips):
    usual = task_and_batch(x0_config, renderer, drawn_clips)
    task, batch = task_and_batch(replace(x0_config, **FORMS[form]), renderer, drawn_clips)
    assert task.losses(batch, 1.0)["loss"].item() != pytest.approx(
        usual[0].losses(usual[1], 1.0)["loss"].item(), rel=1e-6
    )
    losses = overfit(task, batch, 4)
    unused = {"ear.weight", "ear.bias", "null_audio", "null_appearance"}
    assert {name for name, p in task.model.named_parameters() if p.grad is None} <= unused
    assert losses[-1] < losses[0]


def test_all_forms_together_overfit_a_batch(method, renderer, drawn_clips):
    task, batch = task_and_batch(replace(method, stem="logmel"), renderer, drawn_clips)
    losses = overfit(task, batch, 60, rate=1e-2)
    assert set(task.losses(batch, 1.0)) == {"simple", "velocity", "acceleration", "loss"}
    assert losses[-1] < 0.5 * losses[0]


def test_the_preset_trains_and_samples(method, renderer, drawn_clips, tmp_path):
    plan = Plan(steps=1, report=lambda _: None)
    file = train_stage2(drawn_clips, tmp_path, plan, Stage2Settings(config=method, batch=1), renderer)
    model = averaged_motion_model(file)
    assert model.config == method and model.mouth_writer.abs().max() == 0
    wave = 0.1 * torch.randn(1, 640 * 6)
    heard, local = model.extract_global(wave), model.extract_local(wave)
    look = torch.randn(1, method.appearance_dim)
    motions = [
        sample_motion(model, heard, local, look, SamplingSettings(steps=2, mode=mode, mouth_lead=lead), frames=6)
        for mode, lead in (("window", 1.0), ("strict", 0.0))
    ]
    assert torch.equal(*motions) and motions[0].isfinite().all()  # frame by frame, and nothing leads the mouth


def test_the_preset_is_as_wide_as_motion_and_keeps_every_printed_form():
    ours, printed = MotionModelConfig.lite(), MotionModelConfig.method()
    assert printed.width >= printed.motion_dim and printed.prediction == "eps" and printed.snr_shift == 1.0
    assert {f.name for f in fields(ours) if getattr(ours, f.name) != getattr(printed, f.name)} == {
        "stem", "exact_slices", "scan", "width", "heads", "prediction", "snr_shift", "predicted_history",
        "frame_by_frame", "summed_losses", "regression",
    }  # fmt: skip
    assert MotionModelConfig.from_dict(printed.to_dict()) == printed
    with pytest.raises(ValueError, match="scan .*fast.* must be one of ssd, selective"):
        MotionModelConfig(scan="fast")


def test_summed_losses_are_the_printed_sums():
    error = torch.randn(3, 9, 7, dtype=torch.float64)
    steps = torch.stack([error[:, m + 1] - error[:, m] for m in range(8)])
    turns = torch.stack([steps[m + 1] - steps[m] for m in range(7)])
    velocity, acceleration = summed_motion_losses(error)
    assert velocity == pytest.approx((steps.norm(dim=2).square().sum(0) / 8).mean().item())
    assert acceleration == pytest.approx((turns.norm(dim=2).square().sum(0) / 7).mean().item())
    assert [x.item() for x in summed_motion_losses(error[:, :1])] == [0, 0]
    assert velocity.item() == pytest.approx(
        motion_losses(error, torch.zeros(3, dtype=torch.bool))[0].item() * 7 * 10 / 8
    )


def test_a_window_falls_apart_into_frames_with_their_own_past():
    previous = torch.arange(7.0).expand(1, 7)[..., None].repeat(2, 1, 1) + torch.tensor([0.0, 100.0])[:, None, None]
    heard = GlobalAudio(torch.tensor([[1.0], [2.0]]), torch.arange(6.0).view(2, 3, 1))
    noisy, local, drop = torch.arange(6.0).view(2, 3, 1), torch.arange(6.0).view(2, 3, 1), torch.tensor([True, False])
    parts = frames_apart(noisy, torch.tensor([5, 9]), heard, local, torch.tensor([[7.0], [8.0]]), previous, drop)
    noisy_, t, heard_, local_, look, history, dropped = parts
    assert noisy_.flatten().tolist() == local_.flatten().tolist() == heard_.frames.flatten().tolist() == [*range(6)]
    assert (
        noisy_.shape == (6, 1, 1) and t.tolist() == [5, 5, 5, 9, 9, 9] and look.flatten().tolist() == [7] * 3 + [8] * 3
    )
    assert history[..., 0].tolist() == [[b + i + k for k in range(4)] for b in (0, 100) for i in range(3)]
    assert heard_.style.flatten().tolist() == [1] * 3 + [2] * 3 and dropped.tolist() == [True] * 3 + [False] * 3


@pytest.mark.parametrize("apart", [False, True])
def test_the_previous_frames_are_predicted_and_zeros_where_a_clip_begins(apart, x0_config, renderer, drawn_clips):
    config = replace(x0_config, predicted_history=True, frame_by_frame=apart)
    task, batch = task_and_batch(config, renderer, drawn_clips)
    batch = batch._replace(
        tracks=batch.tracks._replace(begins=torch.tensor([True, False])),
        noise=batch.noise._replace(no_history=torch.tensor([False, False])),
    )
    motion, audio = task.motion(batch.tracks), task._extract(batch.tracks, 4)
    previous = task._previous(motion, batch, audio)
    assert previous.shape[1] == (20 if apart else 4) and not previous.requires_grad
    assert previous[0, :4].abs().max() == 0 < previous[1, :4].abs().max()
    with torch.no_grad():
        for p in task.model.denoiser.head.parameters():
            p.zero_()  # the model predicts rest
    assert task._previous(motion, batch, audio).abs().max() == 0


def test_the_selective_scan_in_both_directions_is_the_same_in_pieces():
    torch.manual_seed(0)
    layer, x = BidirectionalMamba(8, d_state=4).double(), torch.randn(1, PIECE + 7, 8, dtype=torch.float64)
    whole = layer.past(x) + layer.future(x.flip(1)).flip(1)
    assert torch.allclose(layer(x), whole, atol=1e-9)
    early, late = x.clone(), x.clone()
    early[:, 0] += 1
    late[:, -1] += 1
    assert (layer(early)[:, 5] - layer(x)[:, 5]).abs().max() > 1e-9 < (layer(late)[:, -5] - layer(x)[:, -5]).abs().max()
