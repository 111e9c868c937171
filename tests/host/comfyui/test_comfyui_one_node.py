"""The talking portrait as one node on ComfyUI's page: it opens, equals the API twin of the whole graph, opens up, runs
by the button, stands in the node library, and has its four inputs in app mode."""

import json

import pytest

from mamba_portrait.workflows import build, one_node

STORE = "document.querySelector('#vue-app').__vue_app__.config.globalProperties.$pinia._s.get({!r})"
KINDS = pytest.mark.parametrize("kind", ["classic", "Nodes 2.0"])


@pytest.fixture
def graph():
    return json.loads((build.FOLDER / one_node.OUTSIDE.page_file).read_text(encoding="utf-8"))


def flat(prompt):
    """The nodes inside subgraphs, `13:10`, by their own ids."""
    own = {}
    for key, node in prompt.items():
        inputs = {k: v for k, v in node["inputs"].items() if "." not in k}
        inputs = {k: [v[0].split(":")[-1], v[1]] if isinstance(v, list) else v for k, v in inputs.items()}
        own[key.split(":")[-1]] = (node["class_type"], inputs)
    return own


def shortened(graph):
    """The same graph on tiny networks and without the face finder."""
    (inside,) = graph["definitions"]["subgraphs"]
    for node in inside["nodes"]:
        if node["type"] == "MambaPortraitLoadRenderer":
            node["widgets_values"] = ["tiny_renderer.safetensors"]
        if node["type"] == "MambaPortraitLoadMotionModel":
            node["widgets_values"] = ["tiny_motion.safetensors"]
        if node["type"] == "MambaPortraitCrop":
            node["widgets_values"][0] = "whole"
    return graph


def widgets(page):
    """Name and value of the node's widgets."""
    return page.evaluate("app.graph._nodes.find(n => n.subgraph).widgets.map(w => [w.name, w.value])")


def put(page, **values):
    """Change the node's widgets."""
    for name, value in values.items():
        page.evaluate(
            f"(w => {{ w.value = {json.dumps(value)}; w.callback?.(w.value); return true }})"
            f"(app.graph._nodes.find(n => n.subgraph).widgets.find(w => w.name === {name!r}))"
        )


@KINDS
def test_it_opens_and_equals_the_api_twin_of_the_whole_graph(page, graph, kind):
    with page.drawn_as(kind):
        page.open(graph)
        assert page.missing() == []
        twin = json.loads((build.FOLDER / "api/talking_portrait.json").read_text(encoding="utf-8"))
        assert flat(page.prompt()) == flat(twin)


@KINDS
def test_its_inputs_are_photo_voice_seed_and_size(page, graph, kind):
    with page.drawn_as(kind):
        page.open(graph)
        assert page.evaluate("app.graph._nodes.find(n => n.subgraph).inputs.map(i => i.name)") == [*one_node.PROMOTED]
        assert widgets(page) == [["seed", 7], ["size", "photo"]]
        put(page, seed=99, size="256")
        sent = flat(page.prompt())
        assert (sent["10"][1]["seed"], sent["11"][1]["size"]) == (99, "256")
        page.open(json.loads(page.evaluate("JSON.stringify(app.graph.serialize())")))  # saved and opened again
        assert widgets(page) == [["seed", 99], ["size", "256"]] and flat(page.prompt()) == sent


@KINDS
def test_it_opens_up_into_the_stages(page, graph, kind):
    with page.drawn_as(kind):
        page.open(graph)
        page.evaluate("(n => app.canvas.openSubgraph(n.subgraph, n))(app.graph._nodes.find(n => n.subgraph)), true")
        page.until("app.canvas.graph !== app.graph")
        types = page.evaluate("app.canvas.graph._nodes.map(n => n.type)")
        assert sorted(types) == sorted(node.type for node in one_node.INSIDE.nodes() if int(node.key) > 0)


def test_run_by_the_button_saves_a_film(page, comfyui, tiny, graph):
    page.open(shortened(graph))
    put(page, size="256")
    (path,) = comfyui.saved(page.run())
    assert tiny.facts(path)[:4] == (161, 25, 256, 256)
    page.again()


def test_the_blueprint_is_in_the_node_library(page, comfyui):
    if page.version < (1, 33):
        pytest.skip("this page does not list blueprints of node packs")
    found = {key: entry["name"] for key, entry in comfyui.get("/global_subgraphs").items() if "mamba" in str(entry)}
    ((key, name),) = found.items()
    assert name == one_node.NAME
    get = f"{STORE.format('subgraph')}.getBlueprint('SubgraphBlueprint.{key}')"
    page.until(f"(() => {{ try {{ return !!{get} }} catch {{ return false }} }})()")  # not yet loaded
    blueprint = json.loads(page.evaluate(f"JSON.stringify({get})"))
    assert blueprint["extra"]["BlueprintDescription"] == one_node.DESCRIPTION
    page.open(blueprint)
    assert page.missing() == [] and widgets(page) == [["seed", 7], ["size", "photo"]]


def test_app_mode_has_the_same_four_inputs(page, graph):
    if page.version < (1, 42):
        pytest.skip("this page has no app mode")
    page.open(graph)
    store = STORE.format("appMode")
    page.until(f"{store}?.selectedInputs.length === 4")
    assert [name for _, name, *_ in page.evaluate(f"JSON.parse(JSON.stringify({store}.selectedInputs))")] == [
        name for _, name in one_node.APP
    ]
    assert page.evaluate(f"{store}.selectedOutputs.map(String)") == ["12"]
