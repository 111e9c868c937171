"""The headless runner on toy nodes: order, links, caching, faults in one message, cancel."""

import pytest

from mamba_portrait.host.headless import schema as io
from mamba_portrait.host.headless import settings as headless
from mamba_portrait.host.headless.graph import Graph, WorkflowError
from mamba_portrait.host.headless.workflow import NodeError, _execute

CALLS = []


class Number(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            "Number",
            inputs=[io.Int.Input("value", default=3, min=0, max=9)],
            outputs=[io.Int.Output(display_name="n")],
        )

    @classmethod
    def execute(cls, value):
        CALLS.append(("Number", value))
        return io.NodeOutput(value)


class Add(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            "Add",
            inputs=[io.Int.Input("a"), io.Int.Input("b"), io.Image.Input("image", optional=True)],
            outputs=[io.Int.Output()],
        )

    @classmethod
    def validate_inputs(cls, b=None):
        return True if b != 7 else "b must not be 7."

    @classmethod
    def execute(cls, a, b, image=None):
        CALLS.append(("Add", a, b))
        if a == 9:
            raise ValueError("nine is too much.")
        return io.NodeOutput(a + b)


class Show(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema("Show", inputs=[io.AnyType.Input("value")], is_output_node=True)

    @classmethod
    def execute(cls, value):
        headless.progress_bar(2)(1)
        return io.NodeOutput(ui={"value": [value]})


CLASSES = {"Number": Number, "Add": Add, "Show": Show}


def sum_graph(**changes):
    nodes = {
        "9": {"class_type": "Show", "inputs": {"value": ["5", 0]}},
        "5": {"class_type": "Add", "inputs": {"a": ["1", 0], "b": ["1", 0]}},
        "1": {"class_type": "Number", "inputs": {}, "_meta": {"title": "start"}},
        "2": {"class_type": "Number", "inputs": {"value": 8}},
    }
    for key, value in changes.items():
        nodes[key[1:]]["inputs"].update(value)
    return Graph(nodes, CLASSES)


@pytest.fixture(autouse=True)
def no_calls():
    CALLS.clear()


def test_runs_what_outputs_need_and_nothing_else():
    run = _execute(sum_graph(), {}, None)
    assert run.ui["9"] == {"value": [6]}
    assert CALLS == [("Number", 3), ("Add", 3, 3)]  # node 2 feeds nothing, the default of node 1 was used


def test_cache_reruns_only_what_changed():
    cache = {}
    _execute(sum_graph(), cache, None)
    _execute(sum_graph(_5={"b": 1}), cache, None)
    assert CALLS == [("Number", 3), ("Add", 3, 3), ("Add", 3, 1)]


def test_override_by_id_title_and_class():
    for key in ("1.value", "start.value"):
        graph = sum_graph()
        graph.override(key, 4)
        assert _execute(graph, {}, None).ui["9"] == {"value": [8]}
    with pytest.raises(WorkflowError, match="several nodes have the id, title or class 'Number'"):
        sum_graph().override("Number.value", 4)
    with pytest.raises(WorkflowError, match="the inputs of node 1 .* are value"):
        sum_graph().override("1.valeu", 4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"_1": {"value": 10}}, "it must be a whole number from 0 to 9"),
        ({"_1": {"value": "x"}}, "must be a whole number"),
        ({"_1": {"other": 1}}, "there is no input 'other'"),
        ({"_5": {"b": ["77", 0]}}, "wired to node 77, which is not there"),
        ({"_5": {"image": ["1", 0]}}, "takes IMAGE, but node 1 .start. gives INT"),
        ({"_5": {"b": 7}}, "b must not be 7"),
        ({"_5": {"b": ["1", 3]}}, "wired to output 3"),
    ],
)
def test_faults_are_named_before_anything_runs(change, message):
    with pytest.raises(WorkflowError, match=message):
        sum_graph(**change).validate()
    assert CALLS == []


def test_circle_is_named():
    with pytest.raises(WorkflowError, match="circle"):
        graph = sum_graph(_5={"b": ["5", 0]})
        _execute(graph, {}, None)


@pytest.mark.parametrize(
    "page",
    [
        {"nodes": [{}], "links": []},
        {"nodes": 3, "links": []},
        {"nodes": [{"id": 1, "type": "Number", "inputs": [{"name": "a", "link": 7}]}], "links": []},
        {"nodes": [{"id": 1, "type": "Number"}], "links": [[1, 2]]},
        {"nodes": [{"id": 1, "type": "s"}], "links": [], "definitions": {"subgraphs": [{"id": "s"}]}},
    ],
)
def test_a_damaged_file_of_the_page_is_refused_with_a_hint(page):
    with pytest.raises(WorkflowError, match="^This graph of ComfyUI's page is damaged .*API form: .*[.]$"):
        Graph.read(page, CLASSES)


@pytest.mark.parametrize(("mode", "state"), [(2, "muted"), (4, "bypassed")])
def test_a_node_that_is_switched_off_on_the_page_is_told(mode, state):
    page = {"nodes": [{"id": 1, "type": "Number", "title": "Five", "mode": mode}], "links": []}
    with pytest.raises(WorkflowError, match=f"node 1 .Five. is {state}"):
        Graph.read(page, CLASSES)


def test_a_title_may_be_given_without_its_brackets():
    nodes = {"1": {"class_type": "Number", "inputs": {}, "_meta": {"title": "Sample (Lip Sync)"}}}
    for name in ("Sample", "Sample (Lip Sync)"):
        graph = Graph(nodes, CLASSES)
        graph.override(f"{name}.value", 8)
        assert graph.inputs["1"]["value"] == 8
    with pytest.raises(WorkflowError, match="no node has"):
        graph.override("Sam.value", 8)


def test_a_failing_node_is_named():
    with pytest.raises(NodeError, match=r"node 5 \(Add\): nine is too much\."):
        _execute(sum_graph(_1={"value": 9}), {}, None)


def test_cancel_stops_the_run_and_the_next_one_works():
    def cancel(node, title, done, total):
        if title == "Show" and done == 1:
            headless.interrupt()

    with pytest.raises(headless.Interrupted):
        _execute(sum_graph(), {}, cancel)
    assert _execute(sum_graph(), {}, None).ui["9"] == {"value": [6]}


def test_saved_names_count_up_and_stay_inside(tmp_path):
    with headless.configure(output_directory=tmp_path):
        first = headless.save_path("motion/talk", "mp4")
        first.touch()
        assert first.name == "talk_00001_.mp4"
        assert headless.save_path("motion/talk", "mp4").name == "talk_00002_.mp4"
        with pytest.raises(ValueError, match="leads out of the output folder"):
            headless.save_path("../talk", "mp4")
