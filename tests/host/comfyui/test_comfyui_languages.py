"""ComfyUI's page in other languages: titles, tooltips, choices and help pages of the nodes come out translated."""

import json
from pathlib import Path

import pytest

from mamba_portrait.locales import build
from mamba_portrait.locales.catalogue import load
from mamba_portrait.workflows.build import WORKFLOWS

PACK = Path(__file__).resolve().parents[3]
APP = "document.querySelector('#vue-app').__vue_app__.config.globalProperties"
READY = "!!(window.app && app.graph && LiteGraph.registered_node_types['MambaPortraitLoadRenderer'])"
NODE = "MambaPortraitAssembleVideo"


@pytest.fixture(scope="module", params=["zh", "ja", "de"])
def translated(request, comfyui, browser):
    """The page in a language, and the language."""
    comfyui.post("/settings", {"Comfy.TutorialCompleted": True, "Comfy.Locale": request.param})
    browser.renew()
    browser.send("Page.navigate", url=comfyui.url + "/")
    browser.until(READY, 300)
    try:
        if browser.evaluate(f"{APP}.$i18n.locale") != request.param:
            pytest.skip(f"this page has no {request.param}: it shows English")
        yield browser, request.param
    finally:
        comfyui.post("/settings", {"Comfy.Locale": "en"})
        browser.renew()


def stored(language: str) -> dict:
    return json.loads((PACK / "locales" / language / "nodeDefs.json").read_text(encoding="utf-8"))


def test_titles_names_and_tooltips_are_shown_as_they_are_stored(translated):
    page, language = translated
    for name, texts in stored(language).items():
        assert page.evaluate(f"LiteGraph.registered_node_types['{name}'].title") == texts["display_name"]
        for group in ("inputs", "outputs"):
            for socket, said in texts[group].items():
                keys = [f"nodeDefs.{name}.{group}.{socket}.{key}" for key in ("name", "tooltip")]
                assert page.evaluate(f"{json.dumps(keys)}.map(key => {APP}.$t(key))") == [said["name"], said["tooltip"]]


def test_choices_are_shown_translated_and_sent_as_they_are(translated):
    page, language = translated
    page.evaluate(f"(() => {{ app.graph.clear(); app.graph.add(LiteGraph.createNode('{NODE}')); return true }})()")
    shown, value = page.evaluate(
        "(w => { w.value = 'keep_lips'; return [w._displayValue, w.value] })"
        "(app.graph._nodes[0].widgets.find(widget => widget.name === 'mode'))"
    )
    knows_labels = tuple(map(int, page.evaluate("__COMFYUI_FRONTEND_VERSION__").split(".")[:2])) >= (1, 49)
    label = stored(language)[NODE]["inputs"]["mode"]["options"]["keep_lips"]
    assert (shown, value) == (label if knows_labels else "keep_lips", "keep_lips")
    prompt = json.loads(page.evaluate("app.graphToPrompt().then(p => JSON.stringify(p.output))"))
    assert [node["inputs"]["mode"] for node in prompt.values()] == ["keep_lips"]


def test_help_is_translated_and_shows_its_picture(translated):
    page, language = translated
    page.evaluate(f"(() => {{ app.graph.clear(); app.graph.add(LiteGraph.createNode('{NODE}')); return true }})()")
    page.evaluate("app.extensionManager.command.execute('Workspace.ToggleSidebarTab.node-library')")
    page.until(f"{APP}.$pinia._s.has('nodeHelp') || {APP}.$pinia._s.has('rightSidePanel')")
    if page.evaluate(f"{APP}.$pinia._s.has('rightSidePanel')"):
        page.evaluate("(() => { app.canvas.selectNode(app.graph._nodes[0]); return true })()")
        page.evaluate(f"(() => {{ {APP}.$pinia._s.get('rightSidePanel').openPanel('info'); return true }})()")
    else:
        opened = f"{APP}.$pinia._s.get('nodeHelp').openHelp({APP}.$pinia._s.get('nodeDef').nodeDefsByName['{NODE}'])"
        page.evaluate(f"(() => {{ {opened}; return true }})()")
    page.until(f"[...document.images].some(i => i.src.includes('docs/pictures/{NODE}') && i.naturalWidth > 300)", 60)
    name = stored(language)[NODE]["display_name"]
    assert page.evaluate(f"[...document.querySelectorAll('h1')].some(h => h.textContent === {json.dumps(name)})")
    note = next(t for t in build.texts() if t.place == f"{NODE}.note.0")
    assert page.evaluate(f"document.body.textContent.includes({json.dumps(load(language).say(note))})")


@pytest.mark.parametrize("workflow", [w for w in WORKFLOWS if not w.folder], ids=lambda workflow: workflow.name)
def test_translated_titles_fit_the_nodes_of_the_graphs(translated, workflow):
    """Classic pages widen a node whose title is too long, beyond its group."""
    page, _ = translated
    graph = json.loads((PACK / "workflows" / workflow.page_file).read_text(encoding="utf-8"))
    page.evaluate(f"app.loadGraphData({json.dumps(graph)}).then(() => true)")
    drawn = page.evaluate("app.graph._nodes.map(node => [String(node.id), node.title, node.size[0]])")
    widths = {str(node["id"]): node["size"][0] for node in graph["nodes"]}
    assert [title for number, title, width in drawn if width > widths[number] + 1] == []
