"""Wrong values in a real ComfyUI: refused by the host before the run, or by the node in one sentence; the queue lives
on."""

import json
import math

import pytest

from mamba_portrait.nodes.workflow import node_classes

from .conftest import Refused

WRONG = {
    "COMBO": ("zz", None, 5, "\ud800"),
    "INT": (math.nan, math.inf, 10**400, "x"),
    "FLOAT": (math.nan, math.inf, -math.inf, 10**400),
    "BOOLEAN": (None, "x"),
    "STRING": (None, 5, "\ud800"),
}
BY_HOST = {"value_not_in_list", "value_smaller_than_min", "value_bigger_than_max", "invalid_input_type",
           "custom_validation_failed", "required_input_missing", "exception_during_validation"}  # fmt: skip


def outcome(comfyui, prompt) -> str:
    """What becomes of a prompt: "ran", the kind of the host's refusal, or the sentence of a node."""
    try:
        answer = comfyui.post("/prompt", {"prompt": prompt, "client_id": comfyui.client})
    except Refused as refused:
        answer = json.loads(refused.answer)
    entry = comfyui.wait(answer["prompt_id"]) if "prompt_id" in answer else {"status": {"messages": []}}
    if nodes := answer["node_errors"]:  # outputs that do not need the wrong node run nevertheless
        kinds = {error["type"] for node in nodes.values() for error in node["errors"]}
        assert kinds <= BY_HOST, nodes
        return "the host: " + ", ".join(sorted(kinds))
    told = [data for name, data in entry["status"]["messages"] if name == "execution_error"]
    if not told:
        return "ran"
    sentence = told[0]["exception_message"].strip()
    assert told[0]["exception_type"].rpartition(".")[2] in ("ValueError", "FileNotFoundError"), told[0]
    assert "\n" not in sentence and sentence.endswith("."), sentence
    return sentence


def prompts(graph):
    """Every widget of the pack's nodes in a graph, with wrong values: (node, input, value, the graph with it)."""
    classes = node_classes()
    for node_id, node in graph.items():
        if not node["class_type"].startswith("MambaPortrait"):
            continue
        for socket in classes[node["class_type"]].GET_SCHEMA().inputs:
            for value in WRONG.get(socket.get_io_type(), ()):
                changed = json.loads(json.dumps(graph))
                changed[node_id]["inputs"][socket.id] = value
                yield node["class_type"], socket.id, value, changed


@pytest.mark.parametrize("name", ["talking_portrait", "motion_saved_edited_rerendered"])
def test_wrong_values_are_refused_in_one_sentence_and_the_queue_lives_on(comfyui, tiny, name):
    graph = tiny.workflow(name, ExampleVoice=("LoadAudio", {"audio": "voice.wav"}))
    comfyui.run(graph)
    for node, widget, value, prompt in prompts(graph):
        told = outcome(comfyui, prompt)
        if told == "ran":  # a host makes 5 a text, and "x" true
            kind = next(s for s in node_classes()[node].GET_SCHEMA().inputs if s.id == widget).get_io_type()
            assert kind in ("STRING", "BOOLEAN"), (node, widget, value)
        elif not told.startswith("the host: "):
            assert f"'{widget}'" in told or widget in ("weights", "path", "filename_prefix"), told
    assert comfyui.get("/queue") == {"queue_running": [], "queue_pending": []}
    comfyui.run(graph)
