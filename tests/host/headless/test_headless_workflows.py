"""Every example workflow runs without ComfyUI, on tiny random networks, to a video of the right length."""

from fractions import Fraction

import pytest
import torch

from mamba_portrait.host.headless import settings as headless
from mamba_portrait.host.headless.workflow import NodeError
from mamba_portrait.media.motion import load_motion
from mamba_portrait.media.video import read_video
from mamba_portrait.nodes.workflow import current_path, run_workflow
from mamba_portrait.workflows import build

SPOKEN = ["talking_portrait", "talking_portrait_pasted_back", "motion_saved_edited_rerendered"]


@pytest.mark.parametrize("name", SPOKEN)
def test_spoken_workflows_give_a_frame_for_every_forty_milliseconds(name, tiny, tiny_host):
    tiny.write_voice(tiny_host / "voice.wav", samples=9999)
    graph = tiny.workflow(name, ExampleVoice=("LoadAudio", {"audio": "voice.wav"}))
    run = run_workflow(graph, input_dir=tiny_host, output_dir=tiny_host)
    (path,) = run.files
    frames, rate, width, height, seconds = tiny.facts(path)
    assert frames == 16 and rate == 25  # floor(9999 * 25 / 16000 + 0.5)
    assert seconds == pytest.approx(9999 / 16000, abs=0.07)  # AAC comes in blocks of 64 ms
    side = {"talking_portrait": (180, 180), "talking_portrait_pasted_back": (1440, 900)}.get(name, (512, 512))
    assert (width, height) == side


def test_a_driving_video_keeps_its_rate_and_sound(tiny, tiny_host):
    tiny.write_driving(tiny_host / "driver.mp4", frames=7, fps=30)
    graph = tiny.workflow("driven_by_video", ExampleDrivingVideo=("LoadVideo", {"file": "driver.mp4"}))
    (path,) = run_workflow(graph, input_dir=tiny_host, output_dir=tiny_host).files
    frames, rate, _, _, seconds = tiny.facts(path)
    assert (frames, rate) == (7, 30)
    assert seconds == pytest.approx(7 / 30, abs=0.07)


def test_a_video_taken_apart_and_put_together_is_the_same(tiny, tiny_host):
    tiny.write_driving(tiny_host / "driver.mp4", frames=7, fps=30)
    graph = {
        "1": {"class_type": "LoadVideo", "inputs": {"file": "driver.mp4"}},
        "2": {"class_type": "GetVideoComponents", "inputs": {"video": ["1", 0]}},
        "3": {"class_type": "CreateVideo", "inputs": {"images": ["2", 0], "audio": ["2", 1], "fps": ["2", 2]}},
        "4": {"class_type": "SaveVideo", "inputs": {"video": ["3", 0], "filename_prefix": "again"}},
    }
    (path,) = run_workflow(graph, input_dir=tiny_host, output_dir=tiny_host).files
    frames, rate, *size, seconds = tiny.facts(path)
    assert (frames, rate, size) == (7, 30, [64, 64]) and seconds == pytest.approx(7 / 30, abs=0.07)
    again, once = (torch.stack(list(read_video(file))) for file in (path, tiny_host / "driver.mp4"))
    assert (again - once).abs().mean() < 0.01


def test_the_shipped_examples_load(tiny, tiny_host):
    graph = {
        "1": {"class_type": "MambaPortraitExamplePortrait", "inputs": {"name": "Grace Hopper"}},
        "2": {"class_type": "MambaPortraitExampleVoice", "inputs": {}},
        "3": {"class_type": "MambaPortraitExampleDrivingVideo", "inputs": {}},
        "4": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
        "5": {"class_type": "SaveAudio", "inputs": {"audio": ["2", 0]}},
        "6": {"class_type": "SaveVideo", "inputs": {"video": ["3", 0], "filename_prefix": "drive"}},
    }
    run = run_workflow(graph, output_dir=tiny_host)
    assert run.ui["4"]["images"] == [(1, 600, 512, 3)]
    assert run.outputs["2"][0]["sample_rate"] == 16000 and run.outputs["2"][0]["waveform"].shape[:2] == (1, 1)
    assert tiny.facts(run.files[1])[0] == 148


def test_the_same_seed_gives_the_same_motion_and_another_seed_another(tiny, tiny_host):
    tiny.write_voice(tiny_host / "voice.wav")
    graph = tiny.workflow("motion_saved_edited_rerendered", ExampleVoice=("LoadAudio", {"audio": "voice.wav"}))
    motions = []
    for seed in (1, 1, 2):
        run = run_workflow(graph, {"MambaPortraitSampleMotion.seed": seed}, input_dir=tiny_host, output_dir=tiny_host)
        motions.append(load_motion(run.outputs["11"][1]).values)
    assert torch.equal(motions[0], motions[1])
    assert not torch.equal(motions[0], motions[2])


def test_cancel_takes_effect_at_a_solver_step_and_the_next_run_works(tiny, tiny_host):
    tiny.write_voice(tiny_host / "voice.wav")
    graph = tiny.workflow("talking_portrait", ExampleVoice=("LoadAudio", {"audio": "voice.wav"}))
    steps = []

    def cancel_at_third(node, title, done, total):
        if title == "Sample Motion (Lip Sync)" and total > 1:
            steps.append(done)
            if done == 3:
                headless.interrupt()

    with pytest.raises(headless.Interrupted):
        run_workflow(graph, input_dir=tiny_host, output_dir=tiny_host, progress=cancel_at_third)
    assert steps == [1, 2, 3]
    assert len(run_workflow(graph, input_dir=tiny_host, output_dir=tiny_host).files) == 1


def test_cancel_while_drawing_leaves_no_file(tiny, tiny_host):
    tiny.write_voice(tiny_host / "voice.wav")
    graph = tiny.workflow("talking_portrait", ExampleVoice=("LoadAudio", {"audio": "voice.wav"}))

    def cancel(node, title, done, total):
        if title == "Assemble Video (Talking Head)" and done == 4:
            headless.interrupt()

    before = set(headless.temp_directory().iterdir())
    with pytest.raises(headless.Interrupted):
        run_workflow(graph, input_dir=tiny_host, output_dir=tiny_host, progress=cancel)
    assert set(headless.temp_directory().iterdir()) == before


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("MambaPortraitCrop.box_width", 0, "no part of a"),
        ("MambaPortraitSampleMotion.overlap", 90, "smaller than window"),
        ("MambaPortraitLoadRenderer.weights", "tiny_motion.safetensors", "it can be"),
        ("MambaPortraitAssembleVideo.size", "333", "it can be photo, 256"),
    ],
)
def test_bad_inputs_are_told_in_a_sentence(key, value, message, tiny, tiny_host):
    tiny.write_voice(tiny_host / "voice.wav")
    graph = tiny.workflow("talking_portrait", ExampleVoice=("LoadAudio", {"audio": "voice.wav"}))
    with pytest.raises((NodeError, ValueError), match=message):
        run_workflow(graph, {key: value}, input_dir=tiny_host, output_dir=tiny_host)


def test_values_of_another_renderer_are_refused(tiny, tiny_host, tiny_networks):
    tiny.write_voice(tiny_host / "voice.wav")
    (tiny_networks / "other.safetensors").write_bytes((tiny_networks / "tiny_renderer.safetensors").read_bytes())
    graph = tiny.workflow("talking_portrait", ExampleVoice=("LoadAudio", {"audio": "voice.wav"}))
    graph["99"] = {"class_type": "MambaPortraitLoadRenderer", "inputs": {"weights": "other.safetensors"}}
    graph["11"]["inputs"]["renderer"] = ["99", 0]
    with pytest.raises(NodeError, match="was made with 'tiny_renderer.safetensors', but this node has 'other"):
        run_workflow(graph, input_dir=tiny_host, output_dir=tiny_host)


@pytest.mark.parametrize("name", [workflow.name for workflow in build.WORKFLOWS])
def test_paths_of_earlier_versions_are_accepted(name):
    assert current_path(build.FOLDER / f"{name}_api.json") == build.FOLDER / "api" / f"{name}.json"


def test_a_file_of_that_name_comes_first(tmp_path):
    (tmp_path / "api").mkdir()
    for file in ("talk_api.json", "api/talk.json"):
        (tmp_path / file).touch()
    assert current_path(tmp_path / "talk_api.json") == tmp_path / "talk_api.json"
    assert current_path(tmp_path / "gone_api.json") == tmp_path / "gone_api.json"


def test_rates_given_as_floats_are_exact():
    from mamba_portrait.nodes.assemble import exact_rate

    assert exact_rate(29.97) == Fraction(30000, 1001)
    assert exact_rate(23.976) == Fraction(24000, 1001)
    assert exact_rate(25.0) == 25 and exact_rate(12.5) == Fraction(25, 2) and exact_rate(30.0) == 30
