"""Names in a graph lead into the host's own folders or nowhere: the rule, on both systems, and ComfyUI's door to it."""

import importlib
import ntpath
import os
import sys
from fractions import Fraction
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch

from mamba_portrait import host
from mamba_portrait.host import headless_schema, paths
from mamba_portrait.media.motion import Motion, save_motion
from mamba_portrait.nodes import examples, motion_files

KINDS = ("input", "output", "temp")
OUTSIDE = {
    "absolute": ("{root}/secret.safetensors", "{root}/gone.safetensors"),
    "above": ("../secret.safetensors", "../gone.safetensors"),
    "down and up": ("sub/../../secret.safetensors", "sub/../../gone.safetensors"),
    "through no folder": ("nothing/../../secret.safetensors", "nothing/../../gone.safetensors"),
    "above, annotated": ("../secret.safetensors [output]", "../gone.safetensors [output]"),
    "absolute, annotated": ("{root}/secret.safetensors [temp]", "{root}/gone.safetensors [temp]"),
    "link": ("link.safetensors", "dangling.safetensors"),
    "linked folder": ("linked/secret.safetensors", "linked/gone.safetensors"),
    "folder": ("sub", "no_sub"),
    "the folders themselves": (".", "{root}/output"),
    "circle of links": ("circle.safetensors", "circle.safetensors/x"),
    "zero byte": ("talk.safetensors\0", "gone.safetensors\0"),
    "zero byte and more": ("\0../secret.safetensors", "\0../gone.safetensors"),
    "no text": ("talk.safetensors\ud800", "gone.safetensors\ud800"),
    "line feed": ("talk.safetensors\n", "gone.safetensors\n"),
    "backslashes": ("..\\secret.safetensors", "..\\gone.safetensors"),
    "Windows drive": ("C:\\secret.safetensors", "C:/gone.safetensors"),
    "folder of a drive": ("C:secret.safetensors", "c:..\\gone.safetensors"),
    "server": ("\\\\server\\share\\secret.safetensors", "//server/share/gone.safetensors"),
    "as a server": ("/{root}/input/talk.safetensors", "/{root}/input/gone.safetensors"),
    "device": ("\\\\?\\C:\\secret.safetensors", "\\\\.\\pipe\\gone"),
    "address": ("file://{root}/secret.safetensors", "http://127.0.0.1/gone.safetensors"),
    "home": ("~/secret.safetensors", "~/gone.safetensors"),
    "long": ("x" * 5000, "y/" * 5000),
    "empty": (" [output]", " "),
}
"""Names that no node may follow, in pairs: what is there (where it can be), and what is not."""

INSIDE = {
    "name": "talk.safetensors",
    "subfolder": "sub/talk.safetensors",
    "backslash": "sub\\talk.safetensors",
    "own annotation": "talk.safetensors [input]",
    "another folder's": "motion/talk.safetensors [output]",
    "temporary": "talk.safetensors [temp]",
    "absolute in input": "{root}/input/sub/talk.safetensors",
    "absolute in output": "{root}/output/motion/talk.safetensors",
    "absolute in temp": "{root}/temp/talk.safetensors",
    "over to output": "../output/motion/talk.safetensors",
    "down and up": "nothing/../talk.safetensors",
    "link that stays": "to_output.safetensors",
    "through a link to the folders": "{root}/alias/output/motion/talk.safetensors",
}

PREFIXES = {
    "leads out of the output folder": [
        "../talk",
        "motion/../../talk",
        "{root}/talk",
        "{root}/output_2/talk",
        "linked/talk",
        "linked/deep/talk",
        "..\\talk",
        "motion\\..\\..\\talk",
        "C:\\talk",
        "C:talk",
        "\\\\server\\share\\talk",
        "//server/share/talk",
        "\\\\?\\C:\\talk",
    ],
    "is empty or no name": ["", "  ", ".", "..", "motion/..", "...", "talk\0", "ta\0lk/x", "talk\ud800", "talk\nx"],
    "cannot be used": ["taken/talk", "circle/talk", "x" * 300 + "/talk"],
}
"""Prefixes that no save node may follow, by what is said of them."""


def some_motion() -> Motion:
    return Motion(torch.zeros(2, 768), torch.zeros(768), Fraction(25))


@pytest.fixture
def places(tmp_path) -> dict[str, Path]:
    """Input, output and temp with a motion in each, another outside, and links out and in."""
    found = {kind: tmp_path / kind for kind in KINDS}
    inside = ["input/talk", "input/sub/talk", "output/motion/talk", "temp/talk"]
    for name in ("secret", "output_2/talk", *inside):
        (tmp_path / f"{name}.safetensors").parent.mkdir(parents=True, exist_ok=True)
        save_motion(tmp_path / f"{name}.safetensors", some_motion())
    for name, target in {
        "input/link.safetensors": "secret.safetensors",
        "input/dangling.safetensors": "gone.safetensors",
        "input/linked": "",
        "output/linked": "output_2",
        "input/circle.safetensors": "input/circle.safetensors",
        "output/circle": "output/circle",
        "input/to_output.safetensors": "output/motion/talk.safetensors",
        "alias": "",
    }.items():
        (tmp_path / name).symlink_to(tmp_path / target)
    (tmp_path / "output" / "taken").touch()
    return found


def files_of(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if not path.is_dir()}


@pytest.mark.parametrize("kind", OUTSIDE)
def test_a_name_leads_nowhere_else(places, tmp_path, kind):
    for name in OUTSIDE[kind]:
        assert paths.find_file(name.format(root=tmp_path), places) is None


@pytest.mark.parametrize("kind", INSIDE)
def test_a_name_leads_to_files_of_the_folders(places, tmp_path, kind):
    found = paths.find_file(INSIDE[kind].format(root=tmp_path), places)
    assert found.is_file() and found == found.resolve() and {*found.parents} & {*places.values()}


def test_folders_that_are_links_are_folders(places, tmp_path):
    linked = {kind: tmp_path / "alias" / kind for kind in KINDS}
    talk = tmp_path / "output" / "motion" / "talk.safetensors"
    for name in (
        talk,
        tmp_path / "alias" / "output" / "motion" / "talk.safetensors",
        "motion/talk.safetensors [output]",
    ):
        assert paths.find_file(str(name), linked) == talk
    assert paths.find_file(str(tmp_path / "secret.safetensors"), linked) is None
    assert paths.check_prefix("motion/talk", linked["output"]) == "motion/talk"


def test_relative_folders_are_folders(places, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    relative = {kind: kind for kind in KINDS}
    assert paths.find_file("talk.safetensors", relative) == tmp_path / "input" / "talk.safetensors"
    assert paths.find_file(str(tmp_path / "temp" / "talk.safetensors"), relative)
    assert paths.find_file("../secret.safetensors", relative) is None


def test_windows_names_stay_in_their_folders_on_windows(monkeypatch):
    looked_at = []

    def look(name):
        looked_at.append(name)
        return ntpath.normpath(name)

    monkeypatch.setattr(ntpath, "realpath", look)
    monkeypatch.setattr(ntpath, "isfile", lambda name: True)
    monkeypatch.setattr(paths, "path", ntpath)
    places = {kind: f"C:\\ComfyUI\\{kind}" for kind in KINDS}
    for name, found in {
        "sub\\talk.safetensors": "C:\\ComfyUI\\input\\sub\\talk.safetensors",
        "sub/talk.safetensors [output]": "C:\\ComfyUI\\output\\sub\\talk.safetensors",
        "c:/comfyui/OUTPUT/talk.safetensors": "c:\\comfyui\\OUTPUT\\talk.safetensors",
    }.items():
        assert str(paths.find_file(name, places)) == found
    for name in ("C:\\secret", "C:..\\..\\secret", "\\secret", "..\\..\\secret", "C:\\ComfyUI\\input2\\x", "C:"):
        assert paths.find_file(name, places) is None
    looked_at.clear()
    for name in (
        "\\\\server\\share\\x",
        "//server/share/x",
        "D:\\x",
        "D:x",
        "\\\\?\\C:\\ComfyUI\\input\\x",
        "\\\\.\\pipe\\x",
    ):
        assert paths.find_file(name, places) is None
    assert {*looked_at} == {*places.values()}  # a server that is looked at learns who looks
    assert paths.check_prefix("motion/talk", places["output"]) == "motion\\talk"
    for prefix in ("..\\talk", "C:\\talk", "D:talk", "\\talk", "\\\\server\\share\\talk"):
        with pytest.raises(ValueError, match="leads out of the output folder"):
            paths.check_prefix(prefix, places["output"])


def folder_paths_of(root: Path) -> ModuleType:
    """What host/comfyui.py asks of ComfyUI's folder_paths, over folders of a test."""
    found = ModuleType("folder_paths")
    models = root / "models" / "mamba_portrait"

    def full_path(kind, name):
        return str(models / name) if os.path.isfile(models / name) else None

    def save_path(prefix, output):
        folder, name = os.path.split(os.path.join(output, prefix))
        os.makedirs(folder, exist_ok=True)
        return folder, name, 1 + sum(file.startswith(name + "_") for file in os.listdir(folder)), "", prefix

    found.models_dir = str(root / "models")
    found.get_directory_by_type = lambda kind: str(root / kind)
    found.get_output_directory = lambda: str(root / "output")
    found.get_folder_paths = lambda kind: [str(models)]
    found.get_filename_list = lambda kind: [str(path.relative_to(models)) for path in sorted(files_of(models))]
    found.get_full_path, found.get_save_image_path = full_path, save_path
    return found


@pytest.fixture
def comfyui(places, tmp_path, monkeypatch):
    """host/comfyui.py, with stand-ins for the modules of ComfyUI that it imports."""
    models = tmp_path / "models" / "mamba_portrait"
    models.mkdir(parents=True)
    (models / "mine.safetensors").touch()
    (models / "shared.safetensors").symlink_to(tmp_path / "secret.safetensors")
    (models / "a folder.safetensors").mkdir()
    interrupted = SimpleNamespace(InterruptProcessingException=InterruptedError)
    stand_ins = {
        "comfy": {},
        "comfy.utils": {},
        "comfy.model_management": vars(interrupted),
        "comfy.model_patcher": {"ModelPatcher": object},
        "comfy_api": {},
        "comfy_api.latest": {
            "ComfyExtension": headless_schema.ComfyExtension,
            "InputImpl": SimpleNamespace(VideoFromFile=object),
            "io": headless_schema,
            "ui": None,
        },
    }
    for name, members in stand_ins.items():
        module = ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)
        if "." in name:
            setattr(sys.modules[name.partition(".")[0]], name.partition(".")[2], module)
    monkeypatch.setitem(sys.modules, "folder_paths", folder_paths_of(tmp_path))
    door = importlib.import_module("mamba_portrait.host.comfyui")
    monkeypatch.setattr(motion_files, "input_file", door.input_file)
    yield door
    del sys.modules["mamba_portrait.host.comfyui"], host.comfyui


def sentence_about(name: str, call, *given) -> str:
    """The one sentence with which a call refuses a name, the name taken out."""
    with pytest.raises((OSError, ValueError)) as refused:
        call(*given, name)
    told, quoted = str(refused.value), f"'{paths.shown(name)}'"
    assert "\n" not in told and told.endswith(".") and ". " not in told.replace(quoted, "")
    assert len(told) < 600 + paths.SHOWN
    return told.replace(quoted, "NAME")


@pytest.mark.parametrize("kind", OUTSIDE)
def test_load_motion_in_comfyui_says_the_same_of_all_that_it_may_not_read(comfyui, tmp_path, kind):
    usual = sentence_about("gone.safetensors", motion_files.LoadMotion.execute)
    assert "ComfyUI's input, output or temp folder" in usual
    for name in OUTSIDE[kind]:
        name = name.format(root=tmp_path)
        if name.strip():
            assert sentence_about(name, motion_files.LoadMotion.execute) == usual
        assert motion_files.LoadMotion.fingerprint_inputs(path=name) == ""


@pytest.mark.parametrize("kind", INSIDE)
def test_load_motion_in_comfyui_reads_its_folders(comfyui, tmp_path, kind):
    name = INSIDE[kind].format(root=tmp_path)
    assert motion_files.LoadMotion.execute(name)[0].frames == 2
    assert motion_files.LoadMotion.fingerprint_inputs(path=name) > 0


def test_save_motion_is_wired_to_load_motion_in_comfyui(comfyui, tmp_path, monkeypatch):
    monkeypatch.setattr(motion_files, "save_path", comfyui.save_path)
    for number, prefix in enumerate(["new/talk", "new\\talk", "new/./talk/", f"{tmp_path}/output/new/talk"]):
        saved = motion_files.SaveMotion.execute(some_motion(), prefix)[1]
        assert saved == str(tmp_path / "output" / "new" / f"talk_{number + 1:05}_.safetensors")
        assert motion_files.LoadMotion.execute(saved)[0].frames == 2


@pytest.mark.parametrize(("told", "prefix"), [(told, prefix) for told, many in PREFIXES.items() for prefix in many])
def test_prefixes_stay_in_comfyuis_output_folder(comfyui, tmp_path, told, prefix):
    before = files_of(tmp_path)
    prefix = prefix.format(root=tmp_path)
    with pytest.raises(ValueError, match=told):
        comfyui.save_path(prefix, "mp4")
    sentence_about(prefix, lambda name: comfyui.save_path(name, "mp4"))
    assert files_of(tmp_path) == before


MODELS = ["../secret.safetensors", "{root}/secret.safetensors", "..\\secret.safetensors", "mine.safetensors\0", "", "."]
MODELS += [
    "../mamba_portrait/gone.safetensors",
    "a folder.safetensors",
    "C:\\x.safetensors",
    "\\\\server\\share\\x",
    "gone",
]


@pytest.mark.parametrize("name", MODELS)
def test_a_model_file_is_one_of_the_list_in_comfyui(comfyui, tmp_path, name):
    usual = sentence_about("nowhere.safetensors", comfyui.model_file)
    assert sentence_about(name.format(root=tmp_path), comfyui.model_file) == usual


def test_models_that_are_linked_from_elsewhere_are_models(comfyui):
    for name in ("mine.safetensors", "shared.safetensors"):
        assert comfyui.model_file(name).name == name


@pytest.mark.parametrize("node", [examples.ExamplePortrait, examples.ExampleVoice, examples.ExampleDrivingVideo])
@pytest.mark.parametrize(
    "name", ["../README.md", "{root}/secret.safetensors", "portrait.jpg", "greeting\0", "", "a\nb"]
)
def test_an_example_is_one_of_the_list(node, name, tmp_path):
    with pytest.raises(ValueError, match=r"^There is no example '.*'; choose one of .*\.$"):
        node.execute(name.format(root=tmp_path))
