"""Training joint control: its batches, that it learns, that a run goes on, and what its command says."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mamba_portrait.learning.datasets.batch_slice import BatchSlice
from mamba_portrait.learning.evaluation import joint_control as measuring
from mamba_portrait.learning.training.joint_control import train as training
from mamba_portrait.learning.training.joint_control.task import FRAMES, ControlSchedule, ControlTask, moments
from mamba_portrait.learning.training.loop import Every, Plan
from mamba_portrait.media.motion_edit import smooth_motion
from mamba_portrait.model_loaders.checkpoint import load_joint_control, save_checkpoint
from mamba_portrait.networks.joint_control import AROUND, JointControl, JointControlConfig
from mamba_portrait.networks.renderer.config import RendererConfig
from mamba_portrait.networks.renderer.model import Renderer
from mamba_portrait.pipelines.regions import motion_to_parameters
from mamba_portrait.vocabulary import COUNT

SMALL = JointControlConfig(width=8, states=2)


@pytest.fixture(scope="module")
def renderer():
    torch.manual_seed(0)
    return Renderer(RendererConfig.lite())


def clips(count=3, frames=FRAMES + 5):
    rng = np.random.default_rng(1)
    time = np.arange(frames)[:, None] / 25
    waves = [np.sin(2 * np.pi * (rng.uniform(0.5, 3, COUNT) * time + rng.random(COUNT))) for _ in range(count)]
    return [np.clip(0.4 * wave, -0.1, 0.5).astype(np.float32) for wave in waves]


def task_of(renderer, **schedule):
    return ControlTask(JointControl(SMALL), clips(), renderer.parameters_of_motion, ControlSchedule(**schedule))


def test_a_batch_follows_from_its_slice(renderer):
    task = task_of(renderer, batch=4, moments=3)

    def of(samples):
        return next(task.batches(iter([BatchSlice(3, 7, samples, 4)])))

    whole, last = of(range(4)), of(range(2, 4))
    assert whole.voice.shape == whole.driving.shape == (12, 2, COUNT) and whole.truth.shape == (12, COUNT)
    assert torch.equal(whole.truth[6:], last.truth) and torch.equal(whole.gates[6:], last.gates)
    assert torch.equal(whole.cells, last.cells) and whole.open == last.open


def test_gates_masks_and_sources_are_drawn(renderer):
    drawn = list(task_of(renderer, batch=1).batches(BatchSlice(0, i, range(1), 1) for i in range(60)))
    assert {batch.open for batch in drawn} == {(True, True), (True, False), (False, True)}
    assert {bool(batch.cells.all()) for batch in drawn} == {True, False}
    assert all(batch.cells.any(1).all() for batch in drawn)
    gates = torch.stack([batch.gates[0] for batch in drawn if batch.open == (True, True)])
    assert gates.min() >= 0.05 and (gates == 1).any() and (gates < 1).any()


def test_a_shut_source_is_not_in_the_truth(renderer):
    for batch in task_of(renderer).batches(BatchSlice(0, i, range(8), 8) for i in range(40)):
        if batch.open == (True, False) and batch.cells.all():
            near = batch.voice[:, 0] * batch.gates[:, :1]
            assert (batch.truth - near).abs().mean() < 0.02  # but for what a scaled smile does to scaled words
            return
    pytest.fail("no batch of a voice alone was drawn")


def test_motion_around_a_frame_is_slow():
    track = clips(1)[0]
    both = moments(track)
    assert np.array_equal(both[:, 0], track)
    assert np.abs(np.diff(both[:, 1], axis=0)).max() < 0.5 * np.abs(np.diff(track, axis=0)).max()


def test_the_product_smooths_as_training_does(renderer):
    track = clips(1)[0]
    smoothed = smooth_motion(measuring.Product(renderer).track(track), AROUND)
    read = motion_to_parameters(renderer, smoothed.values).numpy()
    np.testing.assert_allclose(read, moments(track)[:, 1], atol=2e-3)


def train(renderer, folder, steps=24):
    """A short run in a folder; the path of its weights."""
    plan = Plan(steps=steps, seed=1, saves=Every(steps=10), report=lambda _: None)
    schedule = ControlSchedule(batch=4, moments=8, rate=1e-2)
    return training.train_joint_control(
        clips(), renderer, folder / "a.safetensors", folder, plan, config=SMALL, schedule=schedule
    )


def test_a_batch_is_learnt(renderer):
    torch.manual_seed(0)
    task = task_of(renderer, batch=2, moments=8)
    batches = task.batches(BatchSlice(0, i, range(2), 2) for i in range(30))
    batch = next(batch for batch in batches if batch.open == (True, True) and batch.cells.all())
    optimizer = torch.optim.Adam(task.network.parameters(), 1e-2)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = task.losses(batch)["loss"]
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.3 * losses[0]


def test_a_killed_run_goes_on_as_if_it_had_not_been(renderer, tmp_path, monkeypatch):
    whole = load_joint_control(train(renderer, tmp_path / "once"))
    assert whole.motion_language == renderer.motion_language
    left, losses = iter(range(15)), ControlTask.losses

    def killed(self, batch, progress):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return losses(self, batch, progress)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(ControlTask, "losses", killed)
        train(renderer, tmp_path / "twice")
    again = load_joint_control(train(renderer, tmp_path / "twice")).state_dict()
    assert all(torch.equal(value, again[name]) for name, value in whole.state_dict().items())


def test_too_few_clips_and_motion_without_names_are_refused(renderer, tmp_path):
    with pytest.raises(ValueError, match="at least two talking clips of 100 frames"):
        ControlTask(JointControl(SMALL), clips(2, 50), renderer.parameters_of_motion, ControlSchedule())
    free = Renderer(replace(RendererConfig.lite(), motion_space="free", readout=False))
    with pytest.raises(ValueError, match="fit a read-out"):
        training.train_joint_control(clips(), free, tmp_path / "a.safetensors", tmp_path / "a", Plan(steps=1))


@pytest.fixture
def product(renderer):
    return measuring.Product(renderer)


def test_the_measure_of_the_truth_itself_is_perfect_and_mixing_is_not(product, renderer, monkeypatch):
    """The linear mode is no truth where both want the mouth; the methods are compared with the first network."""
    network = JointControl(SMALL, renderer.motion_language).eval()
    rows = measuring.measure_together(product, {"new": network}, clips())
    by = {(row["driver"], row["method"]): row for row in rows}
    assert {driver for driver, _ in by} == set(measuring.DRIVERS)
    for (_, method), row in by.items():
        assert row["mouth"][0] > 0.05, method
        assert (row["more than the first"][0] == 0) == (method == "new")
    drawn = measuring.sequences(clips(), 1.0)
    assert all(measuring.mouth_error(measuring.full(j), measuring.full(j)) == 0 for j in drawn)


def test_a_source_alone_is_kept_by_a_new_network(product, renderer):
    new, other = (JointControl(SMALL, renderer.motion_language).eval() for _ in range(2))
    torch.nn.init.normal_(other.out.weight, std=3.0)
    rows = measuring.measure_alone(product, {"new": new, "other": other}, clips())
    found = {(row["what"], row["method"]): row for row in rows}
    assert found["voice alone: mouth", "new"]["R2"][0] > 0.999 and found["video alone: all", "new"]["R2"][0] > 0.999
    assert found["both: mouth", "new"]["R2"][0] < 0.9
    assert found["voice alone: all", "new"]["more than the first"][0] == 0
    assert found["voice alone: all", "other"]["more than the first"][2] < -0.01


def test_the_measuring_command_writes_both_tables(renderer, tmp_path, monkeypatch, capsys):
    network = JointControl(SMALL, renderer.motion_language)
    path = save_checkpoint(tmp_path / "control.safetensors", network, training.KIND, SMALL)
    monkeypatch.setattr(measuring, "load_renderer", lambda path: renderer)
    monkeypatch.setattr(measuring, "read_clips", lambda data: clips())
    measuring.main([str(path), "--data", "x", "--out", str(tmp_path / "figures.json")])
    said = capsys.readouterr().out
    assert "| silent driver | control |" in said and "| voice alone: mouth | control |" in said
    assert (tmp_path / "figures.json").stat().st_size > 500


def test_held_out_voices_must_be_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="held-out voices"):
        measuring.read_clips(tmp_path)
