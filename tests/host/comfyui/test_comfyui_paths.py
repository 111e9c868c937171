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


def test_a_bad_name_makes_one_sentence_in_every_widget(comfyui, places, file_widget, no_name, graph_of_widget):
    before = set(comfyui.base.rglob("*.safetensors"))
    told = comfyui.refusal(graph_of_widget(file_widget, no_name))
    assert len(told) < 700 and told.isprintable()
    assert set(comfyui.base.rglob("*.safetensors")) == before


def options(comfyui) -> list[str]:
    """Load Motion's list, as a page gets it when R is pressed."""
    listed, more = comfyui.get("/object_info/MambaPortraitLoadMotion")["MambaPortraitLoadMotion"]["input"]["optional"][
        "file"
    ]
    return more["options"] if listed == "COMBO" else listed


def test_load_motion_lists_the_files_of_the_folders(comfyui, places, root):
    before = options(comfyui)
    assert before[0] == "by path" and "motion/talk.safetensors [output]" in before and "talk.safetensors" in before
    (root / "output" / "motion" / "new.safetensors").write_bytes((root / "temp" / "talk.safetensors").read_bytes())
    try:
        assert options(comfyui)[1] == "motion/new.safetensors [output]"
        entry = comfyui.run(shown("MambaPortraitLoadMotion", path="", file="motion/new.safetensors [output]"))
        assert entry["outputs"]["2"]
    finally:
        (root / "output" / "motion" / "new.safetensors").unlink()
