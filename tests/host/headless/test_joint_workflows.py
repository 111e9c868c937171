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
