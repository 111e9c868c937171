"""The solved last layer: changes are read better than before, and nothing but that layer is touched."""

import numpy as np
import pytest
import torch

from mamba_portrait.learning.datasets.stills import StillSet
from mamba_portrait.learning.training.renderer.calibration import calibrate
from mamba_portrait.learning.training.renderer.motion_space import MotionSpaceTask
from mamba_portrait.networks.renderer.model import Renderer
from mamba_portrait.vocabulary import COUNT, FRAMING


@pytest.fixture
def task(drawn_discs, tiny_config, monkeypatch):
    """A renderer whose motion encoder has learnt nothing, and the same pictures each time it looks."""
    torch.manual_seed(3)
    task = MotionSpaceTask(Renderer(tiny_config).eval(), StillSet(drawn_discs))
    plain = task.batch
    monkeypatch.setattr(task, "batch", lambda indices, size, draws: plain(indices, size, None, augment=False))
    return task


def errors(task, change=True):
    """(24,) mean squared error of the parameters read, of changes or of where they stand about their mean."""
    images, truth, _ = task.batch(np.arange(len(task.stills)), 64, None)
    with torch.no_grad():
        read = task.renderer.read_parameters(task.renderer.encode_motion(images.flatten(0, 1))).view_as(truth)
    error = read - truth
    return (error[:, 1:] - error[:, :1] if change else error - error.mean((0, 1))).square().mean((0, 1))


def test_every_parameters_change_is_read_better(task):
    before = errors(task)
    calibrate(task.renderer, task)
    after = errors(task)
    assert (after < before * 1.01).all() and after.sum() < 0.8 * before.sum()


def test_what_a_picture_can_tell_stands_where_it_should(task):
    shown = [i for i in range(COUNT) if i not in FRAMING]
    before = errors(task, change=False)
    calibrate(task.renderer, task)
    images, truth, _ = task.batch(np.arange(len(task.stills)), 64, None)
    with torch.no_grad():
        read = task.renderer.read_parameters(task.renderer.encode_motion(images.flatten(0, 1)))
    assert (errors(task, change=False)[shown].sum()) < before[shown].sum()
    assert torch.allclose(read.mean(0), truth.mean((0, 1)), atol=1e-3)


def test_a_second_time_finds_little_left(task):
    before = errors(task).sum()
    calibrate(task.renderer, task)
    once = errors(task).sum()
    calibrate(task.renderer, task)
    assert abs(errors(task).sum() - once) < 0.05 * (before - once)


def test_only_the_last_layers_change(task):
    before = {name: value.clone() for name, value in task.renderer.state_dict().items()}
    calibrate(task.renderer, task)
    changed = {name for name, value in task.renderer.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {f"motion_encoder.{name}" for name in ("mix.weight", "pose.2.weight", "pose.2.bias")}
