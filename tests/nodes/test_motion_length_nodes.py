"""Idle Motion, Trim and Loop Motion, Fit Motion Length: lengths, rates and refusals."""

import pytest
import torch

from mamba_portrait.nodes.motion_length import FitLength, IdleMotion, TrimMotion
from mamba_portrait.nodes.workflow import run_workflow
from mamba_portrait.pipelines.regions import motion_to_parameters
from mamba_portrait.vocabulary import INDEX, REGIONS

pytestmark = pytest.mark.usefixtures("shipped_tiny")
TWO_SECONDS = {"waveform": torch.zeros(1, 1, 32000), "sample_rate": 16000}


@pytest.fixture
def idle():
    graph = {
        "1": {"class_type": "MambaPortraitLoadRenderer", "inputs": {}},
        "2": {"class_type": "MambaPortraitIdleMotion", "inputs": {"renderer": ["1", 0], "seconds": 3.0, "seed": 1}},
        "3": {"class_type": "PreviewAny", "inputs": {"source": ["2", 0]}},
    }
    run = run_workflow(graph)
    return run.outputs["1"][0], run.outputs["2"][0]


def test_idle_motion_lasts_as_long_as_its_seconds_or_its_sound(idle):
    renderer, motion = idle
    assert motion.frames == 75 and motion.language == renderer.on_device().motion_language
    parameters = motion_to_parameters(renderer.on_device(), motion.values)
    mouth = [INDEX[name] for name in REGIONS["mouth"]]
    assert parameters[:, mouth].abs().max() < 1e-3 and parameters[:, INDEX["yaw"]].abs().max() > 0.01
    heard = IdleMotion.execute(renderer, 3.0, 1, 1.0, 30.0, TWO_SECONDS).args[0]
    assert (heard.frames, heard.fps) == (60, 30)


def test_a_part_is_taken_and_repeated(idle):
    part = TrimMotion.execute(idle[1], 1.0, 2.0, 1, 0.4).args[0]
    assert torch.equal(part.values, idle[1].values[25:50])
    assert TrimMotion.execute(idle[1], 1.0, 0.0, 3, 0.4).args[0].frames == 50 + 2 * 40


def test_length_follows_the_sound_at_the_new_rate(idle):
    for mode, frames in (("hold", 100), ("cut", 75), ("retime", 100)):
        assert FitLength.execute(idle[1], 4.0, mode, 0.4, 0.0).args[0].frames == frames
    fitted = FitLength.execute(idle[1], 0.0, "loop", 0.4, 29.97, TWO_SECONDS).args[0]
    assert fitted.frames == 60 and float(fitted.fps) == pytest.approx(29.97, abs=0.001)
    kept = FitLength.execute(idle[1], 0.0, "hold", 0.4, 60.0).args[0]
    assert (kept.frames, kept.fps) == (180, 60)


def test_a_rate_below_one_is_refused_in_one_sentence(idle):
    with pytest.raises(ValueError, match="'fps' must be 0, which keeps the motion's rate, or at least 1, not 0.5"):
        FitLength.execute(idle[1], 0.0, "hold", 0.4, 0.5)
