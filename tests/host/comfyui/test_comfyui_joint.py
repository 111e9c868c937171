"""Joint control in a real ComfyUI: ACTalker on reduced random weights, and implicit motion."""

import shutil
import subprocess
import time

import pytest

from mamba_portrait.model_loaders.checkpoint import shipped

FACE = {"finder": "box", "box_x": 40, "box_y": 30, "box_width": 60, "box_height": 60}
RENDERER, MODEL = {"weights": "renderer_lite.safetensors"}, {"weights": "motion_lite.safetensors"}
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


@pytest.mark.skipif(not shipped("joint_control").is_file(), reason="no weights of parallel control are here")
def test_parallel_control_takes_a_mask_of_the_hosts_own_nodes(comfyui, tiny):
    graph = shortened(tiny, "joint_control")
    graph["14"]["inputs"]["mode"] = "parallel control"
    for node in graph.values():  # the network that ships belongs to the shipped motion
        kind = node["class_type"].removeprefix("MambaPortrait")
        node["inputs"].update({"LoadRenderer": RENDERER, "LoadMotionModel": MODEL}.get(kind, {}))
    graph["20"] = {"class_type": "SolidMask", "inputs": {"value": 1.0, "width": 64, "height": 64}}
    graph["21"] = {"class_type": "CropMask", "inputs": {"mask": ["20", 0], "x": 0, "y": 0, "width": 64, "height": 32}}
    graph["22"] = {"class_type": "InvertMask", "inputs": {"mask": ["21", 0]}}
    graph["13"]["inputs"].update({"audio_mask": ["20", 0], "motion_mask": ["21", 0]})
    (path,) = comfyui.saved(comfyui.run(graph))
    assert tiny.facts(path)[:2] == (6, 25)
    graph["13"]["inputs"]["motion_mask"] = ["22", 0]
    *_, (name, told) = comfyui.wait(comfyui.queue(graph))["status"]["messages"]
    assert name == "execution_error" and "covers a quarter of none" in told["exception_message"]


def test_actalker_is_cancelled_and_runs_again(with_extra, tiny):
    graph = tiny.workflow("actalker_voice")  # the shipped voice, with so many steps: windows for minutes
    graph["3"]["inputs"].update(FACE)
    (sample,) = (node for node in graph.values() if node["class_type"] == "MambaPortraitACTalkerSample")
    sample["inputs"]["steps"] = 50
    prompt = with_extra.queue(graph)
    time.sleep(15)
    with_extra.post("/interrupt", {})
    *_, (name, told) = with_extra.wait(prompt, 120)["status"]["messages"]
    assert name == "execution_interrupted" and told["node_type"].startswith("MambaPortraitACTalker")
    assert len(with_extra.saved(with_extra.run(shortened(tiny, "actalker_voice", steps=1)))) == 1


def test_wrong_published_files_are_told_by_name(with_extra, tiny):
    folder = with_extra.base / "models" / "actalker"
    folder.mkdir()
    try:
        (folder / "unet-136000.pth").write_bytes(b"no checkpoint")
        graph = shortened(tiny, "actalker_voice")
        graph["1"]["inputs"]["weights"] = "published files in models/actalker"  # offered without a restart
        *_, (name, told) = with_extra.wait(with_extra.queue(graph))["status"]["messages"]
        assert name == "execution_error" and "missing vae/" in told["exception_message"]
    finally:
        shutil.rmtree(folder)
