"""Where the example graphs put their nodes: inside their groups, apart from each other, and beside the wires."""

import math

import pytest

from mamba_portrait.locales.build import own_schemas
from mamba_portrait.nodes.workflow import node_classes
from mamba_portrait.workflows import build, forms

SCHEMAS = {node_id: cls.GET_SCHEMA() for node_id, cls in node_classes().items()}
WORKFLOWS = {workflow.name: workflow for workflow in build.WORKFLOWS}


def boxes(workflow):
    """Each node's and note's (left, top, right, bottom), with its title and with all widgets shown."""
    corners, _ = forms._layout(workflow, SCHEMAS)
    for item in workflow.items():
        (x, y), (width, height) = corners[id(item)], forms._size(item, SCHEMAS, advanced=True)
        yield item, (x, y - forms.TITLE, x + width, y + height)


def points(start, end):
    """Points of the page's curve between two sockets."""
    pull = math.dist(start, end) / 4
    corners = [start, (start[0] + pull, start[1]), (end[0] - pull, end[1]), end]
    for step in range(101):
        t = step / 100
        weights = ((1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t**2, t**3)
        yield tuple(sum(w * corner[axis] for w, corner in zip(weights, corners, strict=True)) for axis in (0, 1))


def hidden_wires(workflow):
    """(from, to, input) of the wires that run behind a node."""
    corners, _ = forms._layout(workflow, SCHEMAS)
    nodes = {node.key: node for node in workflow.nodes()}
    found = []
    for node in workflow.nodes():
        sockets = [i.id for i in forms._page_order(SCHEMAS[node.type].inputs) if not forms._is_widget(i)]
        for name, value in node.inputs.items():
            if not isinstance(value, forms.Out):
                continue
            x, y = corners[id(nodes[value.node])]
            start = (x + forms.COLUMN_WIDTH, y + 14 + forms.SLOT * value.slot)
            row = sockets.index(name) if name in sockets else len(sockets)
            end = (corners[id(node)][0], corners[id(node)][1] + 14 + forms.SLOT * row)
            for _, (left, top, right, bottom) in boxes(workflow):
                if any(left + 2 < x < right - 2 and top < y < bottom for x, y in points(start, end)):
                    found.append((value.node, node.key, name))
                    break
    return found


@pytest.mark.parametrize("name", WORKFLOWS)
def test_nodes_lie_inside_their_groups_and_do_not_touch(name):
    placed = [box for _, box in boxes(WORKFLOWS[name])]
    groups = [frame["bounding"] for frame in forms._layout(WORKFLOWS[name], SCHEMAS)[1]]
    for number, (left, top, right, bottom) in enumerate(placed):
        assert any(x < left and y + forms.TITLE < top and right < x + w and bottom < y + h for x, y, w, h in groups)
        for l2, t2, r2, b2 in placed[:number]:
            assert left >= r2 + 10 or l2 >= right + 10 or top >= b2 + 10 or t2 >= bottom + 10


@pytest.mark.parametrize(("name", "allowed"), [("talking_portrait", 0), ("driven_by_video", 1)])
def test_wires_run_between_the_nodes(name, allowed):
    assert len(hidden_wires(WORKFLOWS[name])) <= allowed


def test_the_first_graph_can_be_read_where_it_fits_the_screen():
    """The classic page writes text from a scale of 0.6 on; a screen of 1600 x 900 leaves 1500 x 800 for the graph."""
    groups = [frame["bounding"] for frame in forms._layout(WORKFLOWS["talking_portrait"], SCHEMAS)[1]]
    width, height = (max(group[axis] + group[axis + 2] for group in groups) for axis in (0, 1))
    assert min(1500 / width, 800 / height) > 0.6


def test_every_socket_type_has_a_colour_of_its_own():
    script = (build.FOLDER.parent / "web" / "socket_colours.js").read_text(encoding="utf-8")
    given = dict(line.strip().rstrip(",").split(": ") for line in script.splitlines() if line.startswith("  MAMBA_"))
    sockets = [s for schema in own_schemas().values() for s in (*schema.inputs, *schema.outputs)]
    assert given.keys() == {s.get_io_type() for s in sockets if s.get_io_type().startswith("MAMBA_")}
    assert len(set(given.values())) == len(given)
