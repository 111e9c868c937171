"""Every widget of every node refuses, in one sentence, what its schema does not allow, whatever a host lets through."""

import math

import pytest

from mamba_portrait.host.headless.graph import Graph
from mamba_portrait.host.headless.workflow import WorkflowError
from mamba_portrait.nodes import NODES
from mamba_portrait.nodes.values.checked import FILES
from mamba_portrait.nodes.workflow import node_classes, run_workflow

NO_NUMBERS = {
    "null": None,
    "text": "x",
    "number_as_text": "5",
    "list": [1],
    "dict": {"a": 1},
    "bool": True,
    "nan": math.nan,
    "inf": math.inf,
    "minus_inf": -math.inf,
    "huge": 10**400,
    "too_long_to_write": -(10**5000),
    "surrogate": "\ud800",
}
WRONG = {
    "COMBO": {k: v for k, v in NO_NUMBERS.items() if k != "bool"} | {"empty": "", "bool": False, "long": "y" * 9999},
    "INT": NO_NUMBERS | {"part": 1.5},
    "FLOAT": NO_NUMBERS,
    "BOOLEAN": {k: v for k, v in NO_NUMBERS.items() if k != "bool"} | {"one": 1, "true": "true"},
    "STRING": {k: v for k, v in NO_NUMBERS.items() if not isinstance(v, str)},
}


WIDGETS = [
    pytest.param(node, socket, id=f"{node.__name__}.{socket.id}")
    for node in NODES
    for socket in node.define_schema().inputs
    if socket.get_io_type() in WRONG
]


@pytest.fixture(scope="module")
def classes():
    """All nodes by id, read once: their choices list files."""
    return node_classes()


def wrong_values(socket) -> dict:
    """What the input must refuse."""
    wrong = dict(WRONG[socket.get_io_type()])
    if socket.get_io_type() in ("INT", "FLOAT"):
        assert socket.min is not None and socket.max is not None, f"{socket.id} needs a range"
        wrong |= {"too_small": socket.min - 1, "too_large": socket.max + 1}
    if socket.id in FILES:
        wrong = {name: value for name, value in wrong.items() if not isinstance(value, str)}
    return wrong


def right_values(node, other_than: str) -> dict:
    """Anything at the sockets, the defaults of the other widgets."""
    inputs = (socket for socket in node.define_schema().inputs if socket.id != other_than)
    return {socket.id: getattr(socket, "default", object()) for socket in inputs}


def is_one_sentence(text: str) -> bool:
    return "\n" not in text and text.endswith(".") and text.isprintable() and len(text) < 400


@pytest.mark.parametrize(("node", "socket"), WIDGETS)
def test_a_node_refuses_what_its_schema_does_not_allow(node, socket):
    for name, value in wrong_values(socket).items():
        with pytest.raises(ValueError) as refused:
            node.execute(**right_values(node, socket.id), **{socket.id: value})
        told = str(refused.value)
        assert told.startswith(f"{node.define_schema().display_name}: '{socket.id}'"), name
        assert is_one_sentence(told) and "it can be" in told or "it must be" in told, told


@pytest.mark.parametrize(("node", "socket"), WIDGETS)
def test_a_graph_with_such_a_value_is_refused_before_it_runs(node, socket, classes):
    schema = node.define_schema()
    for name, value in wrong_values(socket).items():
        if name == "null" and socket.optional:
            continue  # the default is used
        given = {**right_values(node, socket.id), socket.id: value}
        graph = Graph({"1": {"class_type": schema.node_id, "inputs": given}}, classes)
        faults = [fault for fault in graph._faults("1") if f"'{socket.id}'" in fault or fault.startswith(socket.id)]
        assert faults and all(map(is_one_sentence, faults)), (name, faults)


def test_what_is_allowed_passes(classes):
    for node in NODES:
        schema = node.define_schema()
        for socket in schema.inputs:
            if socket.get_io_type() in ("INT", "FLOAT"):
                for value in (socket.min, socket.max, socket.default):
                    graph = Graph({"1": {"class_type": schema.node_id, "inputs": {socket.id: value}}}, classes)
                    assert not [fault for fault in graph._faults("1") if f"'{socket.id}' is" in fault]


@pytest.mark.parametrize(
    ("node", "file"),
    [
        pytest.param(node, socket.id, id=f"{node.__name__}.{socket.id}")
        for node in NODES
        for socket in node.define_schema().inputs
        if socket.id in FILES
    ],
)
def test_a_file_that_is_not_there_is_told_by_the_loader(node, file):
    if "ACTalker" in node.__name__:
        pytest.importorskip("diffusers", reason="ACTalker needs diffusers (extra actalker)")
    for name in ("zz.safetensors", "\ud800", "", "../x.safetensors", "a\0b"):
        with pytest.raises(FileNotFoundError, match="The model file '.*' is not there: put it into"):
            node.execute(**right_values(node, file), **{file: name})


@pytest.mark.parametrize(
    ("key", "value"), [("SampleMotion.steps", math.nan), ("AssembleVideo.gain", math.inf), ("Crop.finder", "zz")]
)
def test_a_workflow_ends_before_it_runs(key, value):
    with pytest.raises(WorkflowError, match="it (can|must) be"):
        run_workflow("workflows/api/talking_portrait.json", {f"MambaPortrait{key}": value})


def test_a_socket_at_which_nothing_comes_in_is_named():
    (edit,) = [node for node in NODES if node.__name__ == "EditMotion"]
    with pytest.raises(ValueError, match="^Edit Motion: nothing came in at 'motion'; see the node wired to it.$"):
        edit.execute(**right_values(edit, "motion"), motion=None)
