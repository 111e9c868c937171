"""ComfyUI's door, over stand-ins for the modules of ComfyUI that it imports: what it does with names in a graph."""

import importlib
import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from mamba_portrait import host
from mamba_portrait.host.headless import schema
from mamba_portrait.media.motion import load_motion
from mamba_portrait.nodes import motion_files


def folder_paths_of(root: Path) -> ModuleType:
    """What host/comfyui.py asks of ComfyUI's folder_paths, over folders of a test."""
    found = ModuleType("folder_paths")
    models = root / "models" / "mamba_portrait"

    def save_path(prefix, output):
        folder, name = os.path.split(os.path.join(output, prefix))
        os.makedirs(folder, exist_ok=True)
        return folder, name, 1 + sum(file.startswith(name + "_") for file in os.listdir(folder)), "", prefix

    found.models_dir = str(root / "models")
    found.get_directory_by_type = lambda kind: str(root / kind)
    found.get_output_directory = lambda: str(root / "output")
    found.get_folder_paths = lambda kind: [str(models)]
    found.get_filename_list = lambda kind: [str(path.relative_to(models)) for path in sorted(models.rglob("*.*"))]
    found.get_save_image_path = save_path
    return found


class TheirVideo:
    """ComfyUI's base class of VIDEO values."""

    def get_stream_source(self):
        raise AssertionError("the frames were encoded")


@pytest.fixture
def comfyui(places, tmp_path, monkeypatch):
    """host/comfyui.py, with stand-ins for the modules of ComfyUI that it imports."""
    models = tmp_path / "models" / "mamba_portrait"
    models.mkdir(parents=True)
    (models / "mine.safetensors").touch()
    (models / "shared.safetensors").symlink_to(tmp_path / "secret.safetensors")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "deep.safetensors").touch()
    (models / "far").symlink_to(tmp_path / "elsewhere")
    (models / "a folder.safetensors").mkdir()
    stand_ins = {
        "comfy": {},
        "comfy.utils": {},
        "comfy.model_management": {"InterruptProcessingException": InterruptedError},
        "comfy.model_patcher": {"ModelPatcher": object},
        "server": {"PromptServer": SimpleNamespace(instance=None)},
        "comfy_execution": {},
        "comfy_execution.utils": {"get_executing_context": lambda: None},
        "comfy_api": {},
        "comfy_api.latest": {
            "ComfyExtension": schema.ComfyExtension,
            "Input": SimpleNamespace(Video=TheirVideo),
            "InputImpl": SimpleNamespace(VideoFromFile=object),
            "io": schema,
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
    monkeypatch.setattr(motion_files, "save_path", door.save_path)
    yield door
    del sys.modules["mamba_portrait.host.comfyui"], host.comfyui


def files_of(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if not path.is_dir()}


def test_load_motion_says_the_same_of_all_that_it_may_not_read(comfyui, names_outside, one_sentence):
    usual = one_sentence(motion_files.LoadMotion.execute, "gone.safetensors")
    assert "ComfyUI's input, output or temp folder" in usual
    for name in filter(str.strip, names_outside):
        assert one_sentence(motion_files.LoadMotion.execute, name) == usual
        assert motion_files.LoadMotion.fingerprint_inputs(path=name) == ""


def test_load_motion_reads_the_folders(comfyui, name_inside):
    assert motion_files.LoadMotion.execute(name_inside)[0].frames == 2
    assert motion_files.LoadMotion.fingerprint_inputs(path=name_inside) > 0


@pytest.mark.parametrize("path", ["", "  ", None, 3])
def test_load_motion_asks_for_a_path(comfyui, path):
    with pytest.raises(ValueError, match="Load Motion(: 'path' is .*; it must be text| needs a path or a file)"):
        motion_files.LoadMotion.execute(path)


def test_save_motion_is_wired_to_load_motion(comfyui, tmp_path):
    motion = load_motion(tmp_path / "secret.safetensors")
    for number, prefix in enumerate(["new/talk", "new\\talk", "new/./talk/", f"{tmp_path}/output/new/talk"]):
        saved = motion_files.SaveMotion.execute(motion, prefix)[1]
        assert saved == str(tmp_path / "output" / "new" / f"talk_{number + 1:05}_.safetensors")
        assert motion_files.LoadMotion.execute(saved)[0].frames == 2


def test_prefixes_stay_in_the_output_folder(comfyui, tmp_path, bad_prefix, one_sentence):
    told, prefix = bad_prefix
    before = files_of(tmp_path)
    assert told in one_sentence(lambda name: comfyui.save_path(name, "mp4"), prefix)
    assert files_of(tmp_path) == before


MODELS = [
    *(
        "../../secret.safetensors",
        "{root}/secret.safetensors",
        "..\\..\\secret.safetensors",
        "mine.safetensors\0",
        "",
        ".",
    ),
    *(
        "../mamba_portrait/gone.safetensors",
        "a folder.safetensors",
        "{root}/models/mamba_portrait/mine.safetensors",
        "C:\\x.safetensors",
        "\\\\server\\share\\x",
    ),
]


@pytest.mark.parametrize("name", MODELS)
def test_a_model_file_is_one_of_the_list(comfyui, tmp_path, name, one_sentence):
    usual = one_sentence(comfyui.model_file, "nowhere.safetensors")
    assert one_sentence(comfyui.model_file, name.format(root=tmp_path)) == usual


@pytest.mark.parametrize(
    "name", ["mine.safetensors", "shared.safetensors", "far/deep.safetensors", "far\\deep.safetensors"]
)
def test_models_that_are_linked_from_elsewhere_are_models(comfyui, name):
    assert comfyui.model_file(name).is_file()


def test_a_video_is_in_memory_where_its_source_would_be_encoded_first(comfyui):
    class OfTensors(TheirVideo):
        pass

    class OfAFile(TheirVideo):
        def get_stream_source(self):
            return "film.mp4"

    class OfAFileInAnotherPack(OfAFile):
        pass

    assert [comfyui.in_memory(kind()) for kind in (OfTensors, OfAFile, OfAFileInAnotherPack)] == [True, False, False]
