"""Files as ComfyUI's page saves them, turned into the API form: every example, and the graph of one node."""

import json

import pytest

from mamba_portrait.host.headless.page_form import api_form
from mamba_portrait.nodes.workflow import current_path, run_workflow
from mamba_portrait.workflows import build, one_node

EXAMPLES = {workflow.name: workflow for workflow in build.WORKFLOWS}


def read(file):
    return json.loads((build.FOLDER / file).read_text(encoding="utf-8"))


def own(value):
    """A wire to the node 13:10 is one to node 10."""
    return [value[0].split(":")[-1], value[1]] if isinstance(value, list) else value


def plain(prompt):
    """Classes and inputs by the nodes' own ids."""
    return {
        key.split(":")[-1]: (node["class_type"], {name: own(value) for name, value in node["inputs"].items()})
        for key, node in prompt.items()
    }


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_page_form_of_an_example_is_its_api_form(name):
    assert plain(api_form(read(EXAMPLES[name].page_file))) == plain(read(EXAMPLES[name].api_file))


def test_the_one_node_is_the_api_form_of_the_whole_graph():
    assert plain(api_form(read(one_node.OUTSIDE.page_file))) == plain(read("api/talking_portrait.json"))


def test_the_values_on_the_one_node_are_those_that_run():
    page = read(one_node.OUTSIDE.page_file)
    next(node for node in page["nodes"] if node["type"] == one_node.ID)["widgets_values"] = [99, "256"]
    prompt = plain(api_form(page))
    assert (prompt["10"][1]["seed"], prompt["11"][1]["size"]) == (99, "256")


def test_a_seed_that_changes_after_each_run_shifts_no_value():
    page = read(EXAMPLES["talking_portrait"].page_file)
    sample = next(node for node in page["nodes"] if node["type"] == "MambaPortraitSampleMotion")
    assert sample["widgets_values"][:2] == [7, "fixed"]
    sample["widgets_values"][:2] = [8, "randomize"]
    twin = plain(read("api/talking_portrait.json"))
    twin["10"][1]["seed"] = 8
    assert plain(api_form(page)) == twin


def test_a_subgraph_whose_output_feeds_another_and_whose_inside_is_a_subgraph():
    """Two nodes of one subgraph in a row, which holds a node of another one."""
    inner = {
        "id": "inner",
        "inputs": [{"name": "x"}],
        "nodes": [{"id": 1, "type": "Add", "inputs": [{"name": "a", "link": 1}], "outputs": [{}]}],
        "links": [
            {"id": 1, "origin_id": -10, "origin_slot": 0, "target_id": 1, "target_slot": 0},
            {"id": 2, "origin_id": 1, "origin_slot": 0, "target_id": -20, "target_slot": 0},
        ],
    }
    nested = {"id": 4, "type": "inner", "inputs": [{"name": "x", "link": 1}]}
    outer = inner | {"id": "outer", "nodes": [nested], "links": [dict(link) for link in inner["links"]]}
    outer["links"][0]["target_id"], outer["links"][1]["origin_id"] = 4, 4
    page = {
        "nodes": [
            {"id": 1, "type": "Number", "outputs": [{}]},
            {"id": 2, "type": "outer", "inputs": [{"name": "x", "link": 1}]},
            {"id": 3, "type": "outer", "inputs": [{"name": "x", "link": 2}]},
            {"id": 4, "type": "Show", "inputs": [{"name": "a", "link": 3}]},
        ],
        "links": [[1, 1, 0, 2, 0, "INT"], [2, 2, 0, 3, 0, "INT"], [3, 3, 0, 4, 0, "INT"]],
        "definitions": {"subgraphs": [outer, inner]},
    }
    wires = {key: node["inputs"] for key, node in api_form(page).items()}
    assert wires == {"1": {}, "2:4:1": {"a": ["1", 0]}, "3:4:1": {"a": ["2:4:1", 0]}, "4": {"a": ["3:4:1", 0]}}


def test_the_one_node_runs_to_a_film(tiny, tiny_host):
    overrides = {
        f"MambaPortrait{key}": value for key, value in (("Crop.finder", "whole"), ("AssembleVideo.size", "256"))
    }
    overrides |= {"MambaPortraitLoadRenderer.weights": "tiny_renderer.safetensors"}
    overrides |= {"MambaPortraitLoadMotionModel.weights": "tiny_motion.safetensors"}
    page = build.FOLDER / one_node.OUTSIDE.page_file
    (path,) = run_workflow(page, overrides | {"MambaPortraitSampleMotion.steps": 1}, output_dir=tiny_host).files
    assert tiny.facts(path)[:4] == (161, 25, 256, 256)


@pytest.mark.parametrize(
    ("earlier", "today"),
    [
        ("talking_portrait.json", "api/talking_portrait.json"),
        ("driven_by_video_api.json", "api/driven_by_video.json"),
        ("2 Talking face in a large photo.json", "03 Talking face in a large photo.json"),
        ("01 Talking portrait from a photo and a voice.json", "01 Talking portrait from a photo and a voice.json"),
        ("9 Nothing.json", "9 Nothing.json"),
    ],
)
def test_paths_of_earlier_versions_are_accepted(earlier, today):
    assert current_path(build.FOLDER / earlier) == build.FOLDER / today
