"""The arm layer learns from pictures with and without arms."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mamba_portrait.learning.datasets.batch_slice import BatchSlice
from mamba_portrait.learning.datasets.stills import StillSet
from mamba_portrait.learning.training.renderer.arms_task import ArmsTask
from mamba_portrait.networks.renderer.arm_finder import Found
from mamba_portrait.networks.renderer.arms import ArmLayer
from mamba_portrait.vocabulary import ARM_BONES, ARM_LANDMARKS, ARMS, COUNT, LANDMARKS, TORSO

GROUPS, S = 3, 128


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    """Of white squares, the left hand, before grey."""
    folder, rng = tmp_path_factory.mktemp("armed") / "stills", np.random.default_rng(0)
    folder.mkdir()
    bare = np.full((GROUPS, 2, 4, S, S, 3), 90, np.uint8)
    rgb, bone = bare.copy(), np.zeros((GROUPS, 2, 4, S, S), np.uint8)
    rgb[..., 60:90, 30:60, :] = 255
    bone[..., 60:90, 30:60] = 1 + ARM_BONES.index("left_hand")
    mark = np.full((GROUPS, 2, 4, len(LANDMARKS) + len(ARM_LANDMARKS), 2), 0.5, np.float32)
    mark[..., len(LANDMARKS) :, :] = (0.352, 0.586)
    arrays = {
        "rgb": rgb, "bare": bare, "bone": bone, "mark": mark,
        "flow": np.zeros((GROUPS, 2, 3, S, S, 2), np.int16),
        "label": np.full((GROUPS, 2, 3, S, S), TORSO << 1, np.uint8),
        "part0": np.full((GROUPS, 2, S, S), TORSO, np.uint8),
        "param": rng.normal(size=(GROUPS, 2, 4, COUNT + len(ARMS))).astype(np.float32),
    }  # fmt: skip
    for name, values in arrays.items():
        np.save(folder / f"000000_{name}.npy", values)
    torch.manual_seed(0)
    layer = ArmLayer()
    return ArmsTask(SimpleNamespace(arms=layer, parameters=layer.parameters), StillSet(folder.parent))


def test_augmented_labels_lie_on_the_augmented_pictures(task):
    (batch,) = task.batches(iter([BatchSlice(1, 0, range(2), 2)]))
    hand = batch.bones[:, 1 + ARM_BONES.index("left_hand")]
    y, x = torch.meshgrid(*[(torch.arange(S) + 0.5) / S * 2 - 1] * 2, indexing="ij")
    weight = hand.sum((1, 2))
    middle = torch.stack([(hand * x).sum((1, 2)), (hand * y).sum((1, 2))], -1) / weight[:, None]
    assert torch.allclose(batch.points[:, 0], middle, atol=0.03) and batch.points[:, 0].std(0).max() > 0.01
    light = (batch.photos - batch.bare).abs().sum(1)
    assert (light * hand).sum() > 0.8 * light.sum()  # grain aside, they differ there
    assert torch.allclose(batch.bones.sum(1), torch.ones_like(hand), atol=1e-4)
    assert batch.body.min() > 0.999


def test_every_weight_of_the_layer_learns(task):
    (batch,) = task.batches(iter([BatchSlice(1, 0, range(2), 2)]))
    task.losses(batch)["loss"].backward()
    assert all(p.grad.abs().max() > 0 for p in task.layer.linear.parameters())
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in task.layer.finder.parameters())


def test_figures_of_what_is_known_are_perfect(task):
    known = task.batch([0], S, None, augment=False)
    logits = 20 * (known.bones - 0.5)
    body, shade = torch.full_like(known.body, 20.0), torch.zeros_like(known.body)
    found = SimpleNamespace(
        finder=lambda photos: Found(known.points, None, logits, body, shade),
        moved=lambda points, after, before: known.points[1:],
    )
    layer, task.layer = task.layer, found
    values = task.measure(np.array([0]), S)
    task.layer = layer
    assert values["found wrist"] == values["moved tip"] == 0 and values["iou hand"] == 0.5  # no right one is seen
    assert values["behind"] > 60
