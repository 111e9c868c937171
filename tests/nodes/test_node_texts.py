"""What users read: tooltips on every input, help pages, translations, and workflow files that fit the nodes."""

import inspect
import json
import re
from pathlib import Path

import pytest

from mamba_portrait.locales import build as texts
from mamba_portrait.media.photo import load_photo
from mamba_portrait.nodes.workflow import node_classes
from mamba_portrait.workflows import build as graphs
from mamba_portrait.workflows import one_node, pictures

ROOT = Path(__file__).resolve().parents[2]


def own_nodes():
    return {name: cls for name, cls in node_classes().items() if name.startswith("MambaPortrait")}


def test_every_node_explains_itself():
    for name, schema in texts.own_schemas().items():
        assert schema.display_name and schema.category.startswith("Mamba Portrait/"), name
        assert schema.description.endswith("."), name
        assert schema.search_aliases, name
        for socket in (*schema.inputs, *schema.outputs):
            assert socket.tooltip and socket.tooltip.rstrip(")").endswith("."), f"{name}.{socket.id}"


def test_what_a_beginner_need_not_see_is_folded_away():
    folded = {
        f"{name.removeprefix('MambaPortrait')}.{socket.id}"
        for name, schema in texts.own_schemas().items()
        for socket in schema.inputs
        if getattr(socket, "advanced", None)
    }
    assert {"SampleMotion.solver", "SampleMotion.window", "SampleMotion.mode", "Crop.box_x", "Crop.shift"} < folded
    assert not {"SampleMotion.seed", "Crop.finder", "Crop.face", "AssembleVideo.size", "AssembleVideo.gain"} & folded


def test_actalker_is_marked_as_experimental_and_nothing_else():
    marked = {name for name, schema in texts.own_schemas().items() if schema.is_experimental}
    assert marked == {name for name in own_nodes() if "ACTalker" in name}


def test_required_inputs_come_before_optional_widgets():
    """ComfyUI's page puts required inputs first; saved widget values are read back in that order."""
    for name, schema in texts.own_schemas().items():
        widgets = [socket.optional for socket in schema.inputs if hasattr(socket, "default")]
        assert widgets == sorted(widgets), name


def test_execute_takes_exactly_the_inputs():
    for name, cls in own_nodes().items():
        taken = set(inspect.signature(cls.execute).parameters)
        assert taken == {socket.id for socket in cls.GET_SCHEMA().inputs}, name


def test_every_workflow_has_a_square_picture_for_the_template_browser():
    assert {*pictures.SPOKEN, *pictures.ACTALKER} == {workflow.name for workflow in graphs.WORKFLOWS}
    for workflow in (*graphs.WORKFLOWS, one_node.OUTSIDE):
        path = (ROOT / "workflows" / workflow.page_file).with_suffix(".jpg")
        assert load_photo(path).shape == (pictures.SIDE, pictures.SIDE, 3)


def test_the_talking_portrait_is_the_first_template_and_actalker_is_none():
    """Hosts list the JSON files of workflows/, not those in its folders."""
    listed = sorted(path.stem for path in (ROOT / "workflows").glob("*.json"))
    assert listed[0] == "01 Talking portrait from a photo and a voice"
    assert not any("actalker" in name.lower() or "api" in name for name in listed)
    shown = {w.page_file for w in (*graphs.WORKFLOWS, one_node.OUTSIDE) if not w.folder}
    assert {f"{name}.json" for name in listed} == shown


@pytest.mark.parametrize("word", ["talk", "talking head", "lip sync", "lipsync", "face", "avatar", "animate"])
def test_words_that_people_type_are_in_the_texts_of_the_nodes(word):
    """Newer pages search display names and aliases, older ones display names alone, where a letter may be missing."""
    schemas = texts.own_schemas().values()
    assert any(word in alias for schema in schemas for alias in schema.search_aliases)
    assert any(word.replace("lipsync", "lip sync") in schema.display_name.lower() for schema in schemas)


def test_generated_texts_are_up_to_date():
    for name, text in texts.documents().items():
        assert (ROOT / name).read_text(encoding="utf-8") == text, f"{name}: run python -m "
        "mamba_portrait.locales.build"


@pytest.mark.parametrize("name", sorted(graphs.documents()))
def test_workflow_files_fit_the_nodes(name):
    written = (ROOT / "workflows" / name).read_text(encoding="utf-8")
    assert written == graphs.dump(graphs.documents()[name]), f"{name}: run python -m mamba_portrait.workflows.build"


@pytest.mark.parametrize("workflow", graphs.WORKFLOWS, ids=lambda workflow: workflow.name)
def test_nodes_say_which_pack_they_are_from(workflow):
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    name, version, core = (
        re.search(rf'^{key} = "(?:>=)?(.*)"$', project, re.M)[1] for key in ("name", "version", "requires-comfyui")
    )
    page = json.loads((ROOT / "workflows" / workflow.page_file).read_text(encoding="utf-8"))
    for node in page["nodes"]:
        if node["type"] != "MarkdownNote":
            wanted = (name, version) if node["type"].startswith("MambaPortrait") else ("comfy-core", core)
            assert (node["properties"]["cnr_id"], node["properties"]["ver"]) == wanted


@pytest.mark.parametrize("workflow", graphs.WORKFLOWS, ids=lambda workflow: workflow.name)
def test_both_forms_have_the_same_links_and_values(workflow):
    page = json.loads((ROOT / "workflows" / workflow.page_file).read_text(encoding="utf-8"))
    api = json.loads((ROOT / "workflows" / workflow.api_file).read_text(encoding="utf-8"))
    nodes = {str(node["id"]): node for node in page["nodes"] if node["type"] != "MarkdownNote"}
    assert nodes.keys() == api.keys()
    links = {number: [str(origin), slot] for number, origin, slot, *_ in page["links"]}
    for key, node in nodes.items():
        wired = {i["name"]: links[i["link"]] for i in node["inputs"] if i["link"] is not None}
        assert wired == {k: v for k, v in api[key]["inputs"].items() if isinstance(v, list)}
        assert node["type"] == api[key]["class_type"]
