"""Joint control in a real ComfyUI: ACTalker on reduced random weights, and implicit motion."""

import subprocess

import pytest

FACE = {"finder": "box", "box_x": 40, "box_y": 30, "box_width": 60, "box_height": 60}
REPLACED = {
    "ExampleVoice": ("LoadAudio", {"audio": "voice.wav"}),
    "ExampleDrivingVideo": ("LoadVideo", {"file": "driver.mp4"}),
}


def shortened(tiny, name, steps=2):
    """A workflow on the test's short voice and video, with few steps."""
    graph = tiny.workflow(name, **REPLACED)
    for node in graph.values():
        kind = node["class_type"].removeprefix("MambaPortrait")
        node["inputs"].update({"ACTalkerMasks": FACE, "ACTalkerSample": {"steps": steps}}.get(kind, {}))
    return graph


@pytest.fixture
def with_extra(comfyui):
    look = "import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, ('diffusers', 'transformers'))))"
    if subprocess.run([comfyui.process.args[0], "-c", look]).returncode:
        pytest.skip("this ComfyUI's Python has no diffusers and transformers (extra actalker)")
    return comfyui


# 9999 samples of voice are 8 frames at 12.5 a second; 7 frames of video at 30 are 3
@pytest.mark.parametrize(("name", "frames"), [("actalker_voice", 8), ("actalker_video", 3), ("actalker_joint", 3)])
def test_actalker_runs_to_a_saved_video(with_extra, tiny, name, frames):
    (path,) = with_extra.saved(with_extra.run(shortened(tiny, name)))
    assert tiny.facts(path)[:4] == (frames, 12.5, 128, 128)


def test_joint_motion_runs_to_a_saved_video(comfyui, tiny):
    (path,) = comfyui.saved(comfyui.run(shortened(tiny, "joint_control")))
    assert tiny.facts(path)[:2] == (6, 25)
