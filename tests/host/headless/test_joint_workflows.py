"""Joint control: the workflows of ACTalker on reduced random weights and of implicit motion on tiny ones, headless."""

import pytest
import torch

from mamba_portrait.host.headless import settings as headless
from mamba_portrait.nodes.workflow import run_workflow

REPLACED = {
    "ExampleVoice": ("LoadAudio", {"audio": "voice.wav"}),
    "ExampleDrivingVideo": ("LoadVideo", {"file": "driver.mp4"}),
}
FACE = {"finder": "box", "box_x": 40, "box_y": 30, "box_width": 60, "box_height": 60}


@pytest.fixture
def graph_of(tiny, tiny_host):
    """The named workflow on a short voice (8 frames at 12.5) and a shorter driving video (7), with its input folder."""
    tiny.write_voice(tiny_host / "voice.wav", samples=9999)
    tiny.write_driving(tiny_host / "driver.mp4", frames=17, fps=30)

    def graph(name, **changes):
        nodes = tiny.workflow(name, **REPLACED)
        for node in nodes.values():
            if node["class_type"] == "MambaPortraitACTalkerMasks":
                node["inputs"].update(FACE)
            if node["class_type"] == "MambaPortraitACTalkerSample":
                node["inputs"].update(steps=2, **changes)
        return nodes

    return graph


@pytest.mark.parametrize(("name", "frames"), [("actalker_voice", 8), ("actalker_video", 7), ("actalker_joint", 7)])
def test_actalker_runs_from_a_photo_to_a_film(name, frames, graph_of, tiny, tiny_host):
    pytest.importorskip("diffusers", reason="ACTalker needs diffusers (extra actalker)")
    pytest.importorskip("transformers", reason="ACTalker needs transformers (extra actalker)")
    (path,) = run_workflow(graph_of(name), input_dir=tiny_host, output_dir=tiny_host).files
    count, rate, width, height, seconds = tiny.facts(path)
    assert (count, rate) == (frames, 12.5)
    assert (width, height) == (128, 128) and seconds > 0.5


def test_actalker_is_cancelled_at_a_step_and_shows_previews(graph_of, tiny_host):
    pytest.importorskip("diffusers", reason="ACTalker needs diffusers (extra actalker)")
    pytest.importorskip("transformers", reason="ACTalker needs transformers (extra actalker)")
    steps, pictures = [], []

    def cancel(node, title, done, total):
        if title == "ACTalker Sample" and total > 1:
            steps.append(done)
            if pictures:
                headless.interrupt()

    with pytest.raises(headless.Interrupted), headless.configure(preview=pictures.append):
        run_workflow(graph_of("actalker_voice"), input_dir=tiny_host, output_dir=tiny_host, progress=cancel)
    assert steps == [1, 2, 3, 4, 4, 5]  # 11 frames in windows of 3: the first step, its preview, one window more
    assert pictures[0].shape == (16, 16, 3) and 0 <= pictures[0].min() and pictures[0].max() <= 1
    assert [path.name for path in tiny_host.rglob("*.mp4")] == ["driver.mp4"]


def test_implicit_motion_is_joined_to_the_shorter(graph_of, tiny, tiny_host, caplog):
    run = run_workflow(graph_of("joint_control"), input_dir=tiny_host, output_dir=tiny_host)
    count, rate, *_ = tiny.facts(run.files[0])
    assert (count, rate) == (14, 25)  # 17 frames at 30 are 14 at 25; the voice has 16
    voice, driving, joined = run.outputs["10"][0], run.outputs["12"][0], run.outputs["14"][0]
    assert joined.frames == 14 and joined.fps == voice.fps
    assert caplog.text.count("the film ends with these, after 0.56 s") == 1  # the sound too
    assert not torch.equal(joined.values, voice.values[:14]) and driving.frames == 17


def test_the_same_control_node_rules_both_worlds(graph_of, tiny_host):
    graph = graph_of("joint_control")
    graph["13"]["inputs"]["motion"] = 0.0
    run = run_workflow(graph, input_dir=tiny_host, output_dir=tiny_host)
    voice, joined = run.outputs["10"][0], run.outputs["14"][0]
    assert (joined.values - voice.values[:14]).abs().max() < 1e-5 * voice.values.abs().max()


@pytest.fixture
def parallel(graph_of, shipped_tiny):
    """The workflow of joint motion in the mode parallel control."""
    graph = graph_of("joint_control")
    graph["14"]["inputs"]["mode"] = "parallel control"
    return graph


def joined(graph, folder):
    return run_workflow(graph, input_dir=folder, output_dir=folder).outputs["14"][0].values


def test_parallel_control_is_a_mode_of_the_same_graph(parallel, tiny_host, tiny):
    run = run_workflow(parallel, input_dir=tiny_host, output_dir=tiny_host)
    assert tiny.facts(run.files[0])[:2] == (14, 25)
    linear = {key: {**node, "inputs": dict(node["inputs"])} for key, node in parallel.items()}
    del linear["14"]["inputs"]["mode"]  # as in graphs of before
    assert (run.outputs["14"][0].values - joined(linear, tiny_host)).abs().max() > 1e-3


def test_masks_of_the_graph_are_used_by_parallel_control_alone(parallel, tiny_host):
    for mode, changes in (("parallel control", True), ("linear", False)):
        parallel["14"]["inputs"]["mode"] = mode
        parallel["13"]["inputs"].pop("audio_mask", None)
        without = joined(parallel, tiny_host)
        parallel["13"]["inputs"]["audio_mask"] = ["3", 2]  # an ellipse on the face
        assert bool((joined(parallel, tiny_host) - without).abs().max() > 1e-4) == changes


def test_without_weights_parallel_control_says_so(parallel, tiny_host, tmp_path, monkeypatch):
    monkeypatch.setenv("MAMBA_PORTRAIT_WEIGHTS", str(tmp_path / "empty"))
    with pytest.raises(Exception, match=r"The weights joint_control.safetensors are not in .*empty"):
        run_workflow(parallel, input_dir=tiny_host, output_dir=tiny_host)
