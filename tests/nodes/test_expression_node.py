"""Edit Expression without ComfyUI: a still with its picture, a film's length, and refusals."""

import pytest
import torch

from mamba_portrait.host.headless.workflow import NodeError
from mamba_portrait.nodes.workflow import run_workflow

pytestmark = pytest.mark.usefixtures("shipped_tiny")


def graph(**inputs):
    found = {
        "1": {"class_type": "MambaPortraitLoadRenderer", "inputs": {}},
        "2": {"class_type": "MambaPortraitExamplePortrait", "inputs": {}},
        "3": {"class_type": "MambaPortraitEncodeSource", "inputs": {"renderer": ["1", 0], "image": ["2", 0]}},
        "4": {"class_type": "MambaPortraitEditExpression", "inputs": {"renderer": ["1", 0]} | inputs},
    }
    return found


def test_sliders_alone_give_one_frame_and_a_picture_of_it():
    run = run_workflow(graph(source=["3", 0], smile=0.6))
    motion, picture = run.outputs["4"]
    assert motion.frames == 1 and picture.shape == (1, 512, 512, 3)
    other = run_workflow(graph(source=["3", 0], smile=0.6, yaw=20.0)).outputs["4"][1]
    assert not torch.equal(picture, other)
    assert run.ui["4"]["images"] == [(1, 512, 512, 3)]


def test_presets_and_key_frames_give_their_length_and_without_a_portrait_curves():
    motion, picture = run_workflow(graph(preset="nod", keys="2: smile=.5")).outputs["4"]
    assert motion.frames == 51 and picture.shape == (1, 420, 640, 3)
    assert run_workflow(graph(preset="idle", start=1.0, end=4.0)).outputs["4"][0].frames == 101


def test_motion_keeps_its_length_and_changes_between_start_and_end():
    both = graph(preset="idle", end=4.0)
    both["5"] = {
        "class_type": "MambaPortraitEditExpression",
        "inputs": {"renderer": ["1", 0], "motion": ["4", 0], "brows": 0.5, "start": 1.0, "end": 2.0},
    }
    run = run_workflow(both)
    before, after = run.outputs["4"][0].values, run.outputs["5"][0].values
    changed = (before != after).any(1).nonzero().flatten()
    assert before.shape == after.shape and (int(changed.min()), int(changed.max())) == (26, 49)


def test_key_frames_that_cannot_be_read_are_one_sentence():
    with pytest.raises(NodeError, match="no key frame"):
        run_workflow(graph(keys="smile"))
