"""What one host saves, another opens and runs, with the pack in a folder of another name: graphs as the page saves
them, and the graph inside a finished film. COMFYUI_OTHER_PATH names the other host; without it, it is the same one."""

import json
import shutil

import pytest

from mamba_portrait.workflows import build, one_node

TINY = {
    "MambaPortraitLoadRenderer": {0: "tiny_renderer.safetensors"},
    "MambaPortraitLoadMotionModel": {0: "tiny_motion.safetensors"},
    "MambaPortraitCrop": {0: "whole"},
    "MambaPortraitAssembleVideo": {0: "256"},
}
GRAPHS = {
    "every stage": (next(w for w in build.WORKFLOWS if w.name == "driven_by_video").page_file, (148, 25, 256, 256)),
    "one node": (one_node.OUTSIDE.page_file, (161, 25, 256, 256)),
}
SAVED = "JSON.stringify(app.graph.serialize())"
SHOWN = "app.graph._nodes.map(n => n.type).sort()"
DROPPED = """fetch('/view?type=input&filename={0}').then(r => r.blob())
  .then(b => app.handleFile(new File([b], '{0}', {{type: 'video/mp4'}}))).then(() => true)"""


def shortened(file):
    """A page's graph on tiny networks."""
    graph = json.loads((build.FOLDER / file).read_text(encoding="utf-8"))
    for nodes in (graph["nodes"], *(inside["nodes"] for inside in graph.get("definitions", {}).get("subgraphs", ()))):
        for node in nodes:
            for place, value in TINY.get(node["type"], {}).items():
                node["widgets_values"][place] = value
            if node["type"] == one_node.ID:
                node["widgets_values"] = [5, "256"]
    return graph


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("way", ["there", "back"])
def test_a_saved_graph_and_a_film_open_and_run_in_the_other_host(open_page, comfyui, other_comfyui, tiny, name, way):
    here, there = (comfyui, other_comfyui) if way == "there" else (other_comfyui, comfyui)
    file, facts = GRAPHS[name]
    page = open_page(here)
    page.open(shortened(file))
    saved, sent, types = json.loads(page.evaluate(SAVED)), page.prompt(), page.evaluate(SHOWN)
    (film,) = here.saved(page.run())
    assert tiny.facts(film)[:4] == facts

    page = open_page(there)
    page.open(saved)
    assert page.missing() == [] and page.evaluate(SHOWN) == types and plain(page.prompt()) == plain(sent)
    shutil.copy(film, there.base / "input" / "shared.mp4")
    page.evaluate("app.graph.clear(), true")
    page.evaluate(DROPPED.format("shared.mp4"))
    page.until(f"app.graph._nodes.length === {len(types)}")
    assert page.missing() == [] and page.evaluate(SHOWN) == types and plain(page.prompt()) == plain(sent)
    (again,) = there.saved(page.run())
    assert tiny.facts(again)[:4] == facts


def plain(prompt):
    """Classes and inputs; newer pages send choices within a choice as well."""
    return {
        key: (node["class_type"], {k: v for k, v in node["inputs"].items() if "." not in k})
        for key, node in prompt.items()
    }
