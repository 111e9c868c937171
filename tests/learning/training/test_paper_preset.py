"""The preset `paper` takes real steps at its full width: both stages, forward, backward and optimiser.

Prints what docs/method.md quotes: `pytest -m long -s tests/learning/training/test_paper_preset.py`."""

import resource
import time

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from mamba_portrait.learning.datasets.batch_slice import BatchSlice
from mamba_portrait.learning.datasets.stills import StillSet
from mamba_portrait.learning.datasets.tracks import TrackBatches, load_tracks
from mamba_portrait.learning.training.motion_model.task import Stage2Task
from mamba_portrait.learning.training.renderer.losses import Stage1Weights
from mamba_portrait.learning.training.renderer.rendering import RenderingTask
from mamba_portrait.networks.motion_model.config import MotionModelConfig
from mamba_portrait.networks.motion_model.model import MotionModel
from mamba_portrait.networks.renderer.config import RendererConfig
from mamba_portrait.networks.renderer.model import Renderer

pytestmark = pytest.mark.long

SIZE = 256  # pixels, of the renderer's step
WINDOWS, FRAMES = 2, 80  # of the motion model's step


def take_a_step(name, task, batch, optimizers, samples):
    """One step; prints its cost and checks that every weight with a gradient moved and is finite."""
    before = {id(p): p.detach().clone() for p in task.parameters()}
    start = time.monotonic()
    with FlopCounterMode(display=False) as counter:
        loss = task.losses(batch, 1.0)["loss"]
        loss.backward()
    for optimizer in optimizers:
        optimizer.step()
    seconds = time.monotonic() - start
    moved = [p for p in task.parameters() if p.grad is not None]
    assert loss.isfinite() and all(p.isfinite().all() for p in moved)
    share = sum(not torch.equal(p, before[id(p)]) for p in moved) / len(moved)
    assert share > 0.7 and len(moved) > 0.8 * len(before)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    flops = counter.get_total_flops() / 1e9
    cost = f"{flops / samples:.0f} GFLOPs a sample, {seconds:.0f} s a step of {samples}"
    print(f"\n{name}: {cost}, {peak:.1f} GB at most")


def test_stage_1_takes_a_step(drawn_discs):
    """With the perceptual and adversarial losses, as on a GPU; a sample is a driven frame."""
    torch.manual_seed(0)
    renderer = Renderer(RendererConfig.paper())
    task = RenderingTask(renderer, StillSet(drawn_discs), SIZE, Stage1Weights.for_gpu(), joint=True, adversarial=True)
    batch = task.batch([0], SIZE, BatchSlice(0, 0, range(1), 1).draws())
    optimizers = [torch.optim.AdamW(task.parameters(), 1e-3), task.adversary.optimizer()]
    take_a_step("stage 1, preset paper", task, batch, optimizers, task.PICTURES)


def test_stage_2_takes_a_step(tiny_weights, drawn_clips):
    """A sample is a window."""
    from mamba_portrait.model_loaders.checkpoint import load_renderer

    torch.manual_seed(0)
    model = MotionModel(MotionModelConfig.paper())
    tracks = load_tracks(drawn_clips)
    windows = TrackBatches(tracks)
    windows.WINDOWS, windows.SHARES = (FRAMES,), (1.0,)
    looks = torch.randn(3, model.config.appearance_dim)
    renderer = load_renderer(tiny_weights / "renderer_lite.safetensors")
    task = Stage2Task(model, renderer, windows, appearances=looks, audio_first=0.0)
    task.measure_motion(tracks, 0)
    batch = next(task.batches(iter([BatchSlice(0, 0, range(WINDOWS), WINDOWS)])))
    take_a_step("stage 2, preset paper", task, batch, [torch.optim.AdamW(task.parameters(), 1e-4)], WINDOWS)
