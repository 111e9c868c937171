"""A step's losses and gradients are the same whichever way they are computed: activation checkpointing, torch.compile,
in parts, and within its rounding bf16."""

import copy

import pytest
import torch

from mamba_portrait.learning.datasets.batch_slice import BatchSlice
from mamba_portrait.learning.datasets.stills import StillSet
from mamba_portrait.learning.datasets.tracks import TrackBatches, load_tracks
from mamba_portrait.learning.training import processes
from mamba_portrait.learning.training.blocks import blocks_of, prepare_blocks
from mamba_portrait.learning.training.loop import Descent, Plan, gradients
from mamba_portrait.learning.training.motion_model.task import Stage2Task
from mamba_portrait.learning.training.renderer.losses import Stage1Weights
from mamba_portrait.learning.training.renderer.rendering import RenderingTask
from mamba_portrait.networks.motion_model.config import MotionModelConfig
from mamba_portrait.networks.motion_model.model import MotionModel
from mamba_portrait.networks.renderer.config import RendererConfig
from mamba_portrait.networks.renderer.model import Renderer

WAYS = {
    "checkpointing": (dict(checkpointing=True), 1e-5),
    "compile": (dict(compile="eager"), 1e-4),
    "both": (dict(checkpointing=True, compile="eager"), 1e-4),
    "accumulate": (dict(accumulate=2), 1e-3),
    "bf16": (dict(precision="bf16"), 0.2),
    "bf16, checkpointing": (dict(precision="bf16", checkpointing=True), 0.2),
}
RENDERER = RendererConfig(
    image_size=64, motion_size=64, encoder_widths=(8, 8, 8), skip_widths=(4, 8), depth_planes=2, depth_channels=4,
    resnet3d_blocks=1, appearance_dim=16, motion_widths=(8, 8, 8), motion_blocks=(1, 1, 1), deviation_channels=4,
    deviation_layers=1, deviation_dim=16, deviation_blocks=1, deviation_heads=2, regions=2, lmdd_widths=(8, 8),
    refine_width=8, decoder_widths=(8, 8, 8),
)  # fmt: skip
MOTION_MODEL = MotionModelConfig(
    global_width=16, global_layers=2, local_width=16, local_layers=1, headdim=8, d_state=4, width=16, layers=2, heads=2,
    appearance_dim=16,
)  # fmt: skip


def stirred(module):
    """Weights of which none is zero, always the same."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.03 * torch.randn_like(parameter))
    return module.train()


def renderer_task(data):
    torch.manual_seed(0)
    renderer = stirred(Renderer(RENDERER))
    return renderer, RenderingTask(renderer, StillSet(data), 64, Stage1Weights(), joint=True)


def motion_model_task(data):
    torch.manual_seed(0)
    model, tracks = stirred(MotionModel(MOTION_MODEL)), load_tracks(data, None)
    renderer = stirred(Renderer(RENDERER)).requires_grad_(False)
    task = Stage2Task(model, renderer, TrackBatches(tracks), audio_first=0.0)
    task.measure_motion(tracks, 0)
    return model, task


def step(made, plan):
    """The terms of one step and all its gradients, in one row."""
    network, task = made
    prepare_blocks(network, plan)
    shares = processes.shares(4, plan.accumulate)
    batches = task.batches(iter([BatchSlice(0, 9, samples, 4) for samples in shares]))
    descent = Descent([torch.optim.SGD(list(network.parameters()), 1.0)], 4)
    terms = gradients(task, batches, shares, 0.5, plan, descent)
    rows = [p.grad.flatten() for p in network.parameters() if p.grad is not None]
    return float(terms["loss"]), torch.cat(rows).float()


@pytest.fixture(scope="module")
def plain(drawn_clips):
    return {make: step(make(drawn_clips), Plan(steps=1)) for make in (renderer_task, motion_model_task)}


@pytest.mark.parametrize("make", [renderer_task, motion_model_task])
@pytest.mark.parametrize("way", WAYS)
def test_numbers_do_not_depend_on_how_they_are_computed(plain, drawn_clips, make, way):
    options, within = WAYS[way]
    loss, rows = step(make(drawn_clips), Plan(steps=1, **options))
    expected_loss, expected = plain[make]
    if make is renderer_task and way == "accumulate":
        within = 0.05  # the deviation of motion that scales its noise is each part's own
    assert loss == pytest.approx(expected_loss, rel=within)
    if make is motion_model_task or way in ("checkpointing", "compile", "both"):  # a random renderer magnifies the rest
        assert rows.shape == expected.shape and float((rows - expected).norm() / expected.norm()) < 4 * within


@pytest.mark.parametrize("make", [renderer_task, motion_model_task])
def test_checkpointing_computes_activations_twice(drawn_clips, make):
    """Of each block once for the loss and once for its gradient; weights and their names stay as they are."""
    network, task = make(drawn_clips)
    names, blocks = list(network.state_dict()), list(blocks_of(network))
    assert len(blocks) > 2 and not any(
        other in set(block.modules()) for block in blocks for other in blocks if other is not block
    )
    counts = []
    for checkpointing in (False, True):
        again = copy.deepcopy(network)
        task = make(drawn_clips)[1]
        for name in ("renderer", "model"):
            if getattr(task, name, None).__class__ is network.__class__:
                setattr(task, name, again)
        calls = _counted(again)
        step((again, task), Plan(steps=1, checkpointing=checkpointing))
        counts.append(len(calls))
        assert list(again.state_dict()) == names
    assert counts[0] < counts[1] <= 2 * counts[0]


def test_a_backend_that_is_not_there_is_told():
    with pytest.raises(ValueError, match="no backend 'fast' here; use .*eager"):
        prepare_blocks(MotionModel(MOTION_MODEL), Plan(steps=1, compile="fast"))


def _counted(network):
    """A list that grows with every call of one layer in each block."""
    calls, layers = [], torch.nn.Linear | torch.nn.Conv2d | torch.nn.Conv3d
    for block in blocks_of(network):
        layer = next(module for module in block.modules() if isinstance(module, layers))
        layer.register_forward_hook(lambda *_: calls.append(1))
    return calls
