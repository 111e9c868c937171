"""A real ComfyUI, sent graphs of a stranger: they read and write in its own folders, and learn nothing of others."""

from pathlib import Path

import pytest

from mamba_portrait.host import paths


@pytest.fixture
def root(comfyui) -> Path:
    return comfyui.base


def shown(node: str, **inputs) -> dict:
    """A graph that makes one value and shows it."""
    return {
        "1": {"class_type": node, "inputs": inputs},
        "2": {"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}},
    }


def saved(prefix: str) -> dict:
    graph = shown("MambaPortraitLoadMotion", path="talk.safetensors")
    return graph | {
        "3": {"class_type": "MambaPortraitSaveMotion", "inputs": {"motion": ["1", 0], "filename_prefix": prefix}},
        "4": {"class_type": "MambaPortraitLoadMotion", "inputs": {"path": ["3", 1]}},
        "5": {"class_type": "PreviewAny", "inputs": {"source": ["4", 0]}},
    }


def test_load_motion_says_the_same_of_all_that_it_may_not_read(comfyui, places, names_outside):
    usual = comfyui.refusal(shown("MambaPortraitLoadMotion", path="nowhere")).replace("'nowhere'", "NAME")
    assert "There is no file NAME in ComfyUI's input, output or temp folder" in usual
    for name in filter(str.strip, names_outside):
        told = comfyui.refusal(shown("MambaPortraitLoadMotion", path=name))
        assert told.replace(f"'{paths.shown(name)}'", "NAME") == usual


def test_load_motion_reads_the_folders(comfyui, places, name_inside):
    assert comfyui.run(shown("MambaPortraitLoadMotion", path=name_inside))["outputs"]["2"]


def test_prefixes_stay_in_the_output_folder(comfyui, places, bad_prefix):
    told, prefix = bad_prefix
    before = set(comfyui.base.rglob("*.safetensors"))
    assert told in comfyui.refusal(saved(prefix))
    assert set(comfyui.base.rglob("*.safetensors")) == before


@pytest.mark.parametrize("prefix", ["wired/talk", "wired\\talk", "{root}/output/wired/talk"])
def test_what_save_motion_saved_load_motion_takes(comfyui, places, root, prefix):
    before = set((root / "output" / "wired").glob("*"))
    comfyui.run(saved(prefix.format(root=root)))
    (file,) = set((root / "output" / "wired").glob("*")) - before
    assert file.name.startswith("talk_0000")


MODELS = {
    "MambaPortraitLoadRenderer": {},
    "MambaPortraitLoadMotionModel": {},
    "MambaPortraitLoadACTalker": {"precision": "auto"},
}


@pytest.mark.parametrize("node", MODELS)
@pytest.mark.parametrize(
    "name", ["../../../secret.safetensors", "{root}/secret.safetensors", "tiny_motion.safetensors\0"]
)
def test_models_are_those_of_the_list(comfyui, places, root, node, name):
    told = comfyui.refusal(shown(node, weights=name.format(root=root), **MODELS[node]))
    assert "is not there" in told or told == "Value not in list: weights."


@pytest.mark.parametrize("node", ["ExamplePortrait", "ExampleVoice", "ExampleDrivingVideo"])
@pytest.mark.parametrize("name", ["../README.md", "{root}/secret.safetensors"])
def test_examples_are_those_of_the_list(comfyui, root, node, name):
    told = comfyui.refusal(shown(f"MambaPortrait{node}", name=name.format(root=root)))
    assert "it can be" in told or told == "Value not in list: name."
