"""A graph of a stranger, run without ComfyUI: it reads and writes in the folders that the command was given alone."""

import json
import os
from pathlib import Path

import pytest

from mamba_portrait.cli import main
from mamba_portrait.host.headless import settings as headless
from mamba_portrait.media.motion import save_motion
from mamba_portrait.nodes.motion_files import LoadMotion
from mamba_portrait.nodes.workflow import node_classes, run_workflow

READERS = {"LoadImage": "image", "LoadAudio": "audio", "LoadVideo": "file", "MambaPortraitLoadMotion": "path"}
SAVERS = {
    "SaveImage": ("images", "MambaPortraitExamplePortrait", {}),
    "SaveAudio": ("audio", "MambaPortraitExampleVoice", {}),
    "SaveVideo": ("video", "MambaPortraitExampleDrivingVideo", {}),
    "MambaPortraitSaveMotion": ("motion", "MambaPortraitLoadMotion", {"path": "talk.safetensors"}),
}


def read_by(node: str, name: str) -> dict:
    return {
        "1": {"class_type": node, "inputs": {READERS[node]: name}},
        "2": {"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}},
    }


def saved_by(node: str, prefix: str) -> dict:
    socket, origin, inputs = SAVERS[node]
    return {
        "1": {"class_type": origin, "inputs": inputs},
        "2": {"class_type": node, "inputs": {socket: ["1", 0], "filename_prefix": prefix}},
    }


def everything(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


@pytest.fixture
def run(places):
    """Run a graph with the input and output folder of a test."""
    return lambda graph: run_workflow(graph, input_dir=places["input"], output_dir=places["output"])


@pytest.mark.parametrize("node", READERS)
def test_load_nodes_say_the_same_of_all_that_they_may_not_read(run, node, names_outside, one_sentence):
    usual = one_sentence(lambda name: run(read_by(node, name)), "gone.safetensors")
    assert f"node 1 ({node}): There is no file NAME in the input folder" in usual
    for name in filter(str.strip, names_outside):
        assert one_sentence(lambda name: run(read_by(node, name)), name) == usual


@pytest.mark.parametrize("node", READERS)
def test_what_a_graph_may_not_read_leaves_no_trace_in_the_cache_key(places, node, names_outside):
    with headless.configure(input_directory=places["input"], output_directory=places["output"]):
        changed = [node_classes()[node].fingerprint_inputs(**{READERS[node]: name}) for name in names_outside]
    assert changed == ["", ""]


def test_load_motion_reads_the_folders(places, run, name_inside, monkeypatch):
    monkeypatch.setattr(headless, "temp_directory", lambda: places["temp"])
    assert run(read_by("MambaPortraitLoadMotion", name_inside)).outputs["1"][0].frames == 2


def test_a_file_that_changed_is_read_again(places):
    graph, cache = read_by("MambaPortraitLoadMotion", "talk.safetensors"), {}
    made = []
    for written in (1, 1, 2):
        os.utime(places["input"] / "talk.safetensors", (written, written))
        run = run_workflow(graph, input_dir=places["input"], output_dir=places["output"], cache=cache)
        made.append("1" in run.seconds)
    assert made == [True, False, True]


@pytest.mark.parametrize("node", SAVERS)
def test_save_nodes_write_nowhere_else(run, tmp_path, node, bad_prefix, one_sentence):
    told, prefix = bad_prefix
    before = everything(tmp_path)
    assert told in one_sentence(lambda name: run(saved_by(node, name)), prefix)
    assert everything(tmp_path) == before


@pytest.mark.parametrize("node", SAVERS)
@pytest.mark.parametrize("prefix", ["talk", "new/talk", "new\\talk", "new/../talk/", "{root}/output/talk", "12:30"])
def test_save_nodes_write_into_the_output_folder(run, places, tmp_path, node, prefix):
    before = everything(tmp_path)
    run(saved_by(node, prefix.format(root=tmp_path)))
    (written,) = {path for path in everything(tmp_path) - before if path.is_file()}
    assert places["output"] in written.parents and written.name.startswith(("talk_00001_.", "12:30_00001_."))


def test_a_model_file_is_one_of_the_list(tiny_host, tiny_networks, tmp_path, one_sentence):
    usual = one_sentence(headless.model_file, "nowhere.safetensors")
    (tmp_path / "secret.safetensors").touch()
    for name in (
        *(
            "../secret.safetensors",
            str(tmp_path / "secret.safetensors"),
            str(tiny_networks / "tiny_motion.safetensors"),
        ),
        *("..\\secret.safetensors", "tiny_motion.safetensors\0", "", ".", "C:\\x.safetensors", "\\\\server\\share\\x"),
    ):
        assert one_sentence(headless.model_file, name) == usual
    assert headless.model_file("tiny_motion.safetensors") == tiny_networks / "tiny_motion.safetensors"


def test_models_that_are_linked_from_elsewhere_are_models(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "far.safetensors").touch()
    (tmp_path / "models" / "near.safetensors").symlink_to(tmp_path / "far.safetensors")
    with headless.configure(model_folders=[tmp_path / "models"]):
        assert headless.model_file("near.safetensors") == tmp_path / "models" / "near.safetensors"


TEXTS = {"MambaPortraitPhonesToMotion.language", "MambaPortraitTwoVoices.times"}  # which name no file


def test_every_widget_that_names_a_file_is_tried(known_file_widgets):
    """All texts, and the lists that are not fixed by the code or hold files that ship."""
    named = set()
    for node_id, node in node_classes().items():
        if node_id.startswith("MambaPortrait"):
            named |= {
                f"{node_id}.{socket.id}"
                for socket in node.GET_SCHEMA().inputs
                if (socket.get_io_type() == "STRING" and not socket.multiline)
                or socket.id in ("weights", "file", "name")
            }
    assert named - TEXTS == known_file_widgets


def test_a_bad_name_makes_one_sentence_in_every_widget(run, tiny_host, tmp_path, file_widget, no_name, graph_of_widget):
    before = everything(tmp_path)
    with pytest.raises((OSError, ValueError, RuntimeError)) as refused:
        run(graph_of_widget(file_widget, no_name))
    text = str(refused.value)
    assert "\n" not in text and text.endswith(".") and len(text) < 700 and text.isprintable()
    assert everything(tmp_path) == before


def options() -> list[str]:
    (file,) = (socket for socket in LoadMotion.GET_SCHEMA().inputs if socket.id == "file")
    return file.options


def test_load_motion_lists_the_motions_of_the_folders_the_newest_first(places, run):
    def put(name, age):
        os.utime(name, (1000 - age, 1000 - age))

    (places["input"] / "model.safetensors").write_bytes(b"no motion")
    for age, name in enumerate(("output/motion/talk", "input/talk", "input/sub/talk")):
        put(places["input"].parent / f"{name}.safetensors", age)
    with headless.configure(input_directory=places["input"], output_directory=places["output"]):
        listed = options()
        linked = "to_output.safetensors"  # as old as what it leads to
        assert listed[0] == "by path" and sorted(listed[1:3]) == ["motion/talk.safetensors [output]", linked]
        assert listed[3:] == ["talk.safetensors", "sub/talk.safetensors"]
        for name in listed[1:]:
            assert LoadMotion.execute("", name)[0].frames == 2
        save_motion(places["input"] / "new.safetensors", LoadMotion.execute("talk.safetensors")[0])
        assert options()[1] == "new.safetensors"
        (places["input"] / "new.safetensors").unlink()
        (places["input"] / "model.safetensors").unlink()
    graph = read_by("MambaPortraitLoadMotion", "")
    graph["1"]["inputs"]["file"] = "motion/talk.safetensors [output]"
    assert run(graph).outputs["1"][0].frames == 2


def test_the_path_counts_before_the_list(places):
    with headless.configure(input_directory=places["input"], output_directory=places["output"]):
        os.utime(places["input"] / "sub" / "talk.safetensors", (5, 5))
        assert LoadMotion.execute("talk.safetensors", "sub/talk.safetensors")[0].frames == 2
        assert LoadMotion.fingerprint_inputs("talk.safetensors", "sub/talk.safetensors") > 5
        assert LoadMotion.fingerprint_inputs("", "talk.safetensors") == LoadMotion.fingerprint_inputs(
            "talk.safetensors"
        )
        assert LoadMotion.fingerprint_inputs("", "by path") == ""
        with pytest.raises(ValueError, match="needs a path or a file"):
            LoadMotion.execute("", "by path")


def command(tmp_path, graph, *options) -> list[str]:
    (tmp_path / "graph.json").write_text(json.dumps(graph))
    return ["run", str(tmp_path / "graph.json"), "--device", "cpu", *options]


def test_the_command_refuses_in_one_line(places, tmp_path, capsys):
    before = everything(tmp_path)
    folders = ["--input-dir", str(places["input"]), "--output-dir", str(places["output"])]
    for graph, told in (
        (read_by("LoadImage", str(tmp_path / "secret.safetensors")), "There is no file"),
        (saved_by("SaveImage", "../talk"), "leads out of the output folder"),
        (saved_by("SaveVideo", "linked/talk"), "leads out of the output folder"),
    ):
        assert main(command(tmp_path, graph, *folders)) == 2
        printed = capsys.readouterr().err.strip().splitlines()[-1]
        assert printed.startswith("error: node ") and told in printed
    assert everything(tmp_path) - before == {tmp_path / "graph.json"}


def test_the_commands_folders_may_be_relative(places, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    graph = saved_by("MambaPortraitSaveMotion", "new/talk")
    graph["3"] = {"class_type": "MambaPortraitLoadMotion", "inputs": {"path": ["2", 1]}}
    graph["4"] = {"class_type": "PreviewAny", "inputs": {"source": ["3", 0]}}
    assert main(command(tmp_path, graph, "--input-dir", "input", "--output-dir", "output")) == 0, (
        capsys.readouterr().err
    )
    assert (places["output"] / "new" / "talk_00001_.safetensors").is_file()


def test_no_other_folder_is_read(places):
    with headless.configure(input_directory=places["input"]):
        assert LoadMotion.execute("sub/talk.safetensors")[0].frames == 2
        with pytest.raises(FileNotFoundError):
            LoadMotion.execute(str(places["output"] / "motion" / "talk.safetensors"))
