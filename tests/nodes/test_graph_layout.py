"""Where the example graphs put their nodes: inside their groups, apart from each other, and beside the wires."""

import pytest

from mamba_portrait.locales.build import own_schemas
from mamba_portrait.nodes.workflow import node_classes
from mamba_portrait.workflows import build, forms, one_node

SCHEMAS = one_node.with_boxes({node_id: cls.GET_SCHEMA() for node_id, cls in node_classes().items()})
WORKFLOWS = {workflow.name: workflow for workflow in (*build.WORKFLOWS, one_node.OUTSIDE, one_node.INSIDE)}
WIDGET_ROW = 24  # from one widget's socket to the next; a node's own sockets are SLOT apart
ROUND = 10  # of a socket, from the node's edge


def is_box(item):
    """The boxes where wires enter and leave a subgraph: they have no body and no group."""
    return getattr(item, "key", None) in (one_node.ENTRY, one_node.EXIT)


NARROW = 130  # the least width of a collapsed node on the classic page, which fits it to its title


def boxes(workflow, collapsed=forms.COLLAPSED_WIDTH):
    """Each node's and note's (left, top, right, bottom), with its title and with all widgets shown."""
    corners, _ = forms._layout(workflow, SCHEMAS)
    for item in workflow.items():
        (x, y), (width, height) = corners[id(item)], forms._drawn_size(item, SCHEMAS)
        width = collapsed if item.collapsed else width
        if not is_box(item):
            yield item, (x, y - forms.TITLE, x + width, y + height)


def input_height(schema, name):
    """Of an input's socket below its node's upper edge."""
    sockets = [i.id for i in forms._page_order(schema.inputs) if not forms._is_widget(i)]
    widgets = [i.id for i in forms._page_order(schema.inputs) if forms._is_widget(i)]
    if name in sockets:
        return 14 + forms.SLOT * sockets.index(name)
    return forms.SLOT * max(len(sockets), len(schema.outputs)) + 16 + WIDGET_ROW * widgets.index(name)


def output_place(node, slot, collapsed):
    """Of an output's socket, from its node's corner; a collapsed node has all of them at the end of its title."""
    if node.collapsed:
        return collapsed, -forms.TITLE / 2
    return forms.COLUMN_WIDTH - ROUND, 14 + forms.SLOT * slot


def input_place(node, name):
    return (0, -forms.TITLE / 2) if node.collapsed else (ROUND, input_height(SCHEMAS[node.type], name))


def wires(workflow, collapsed):
    """(from, to, input), start and end of every wire."""
    corners, _ = forms._layout(workflow, SCHEMAS)
    nodes = {node.key: node for node in workflow.nodes()}
    for node in workflow.nodes():
        for name, value in node.inputs.items():
            if isinstance(value, forms.Out):
                origin = nodes[value.node]
                (x, y), (right, down) = corners[id(origin)], output_place(origin, value.slot, collapsed)
                (left, top), (a, b) = corners[id(node)], input_place(node, name)
                yield (value.node, node.key, name), (x + right, y + down), (left + a, top + b)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_nodes_lie_inside_their_groups_and_do_not_touch(name):
    placed = [box for _, box in boxes(WORKFLOWS[name])]
    groups = [frame["bounding"] for frame in forms._layout(WORKFLOWS[name], SCHEMAS)[1]]
    for number, (left, top, right, bottom) in enumerate(placed):
        assert any(x < left and y + forms.TITLE < top and right < x + w and bottom < y + h for x, y, w, h in groups)
        for l2, t2, r2, b2 in placed[:number]:
            assert left >= r2 + 10 or l2 >= right + 10 or top >= b2 + 10 or t2 >= bottom + 10


@pytest.mark.parametrize("name", WORKFLOWS)
def test_groups_do_not_overlap(name):
    groups = [frame["bounding"] for frame in forms._layout(WORKFLOWS[name], SCHEMAS)[1]]
    for number, (x, y, width, height) in enumerate(groups):
        for x2, y2, width2, height2 in groups[:number]:
            assert x >= x2 + width2 + 10 or x2 >= x + width + 10 or y >= y2 + height2 + 10 or y2 >= y + height + 10


@pytest.mark.parametrize("collapsed", [NARROW, 150, 175, 195, forms.COLLAPSED_WIDTH])
@pytest.mark.parametrize("name", WORKFLOWS)
def test_no_wire_runs_behind_a_node(name, collapsed, curve):
    workflow = WORKFLOWS[name]
    assert [
        (wire, getattr(item, "key", "note"))
        for wire, start, end in wires(workflow, collapsed)
        for item, (left, top, right, bottom) in boxes(workflow, collapsed)
        if any(left + 12 < x < right - 12 and top < y < bottom for x, y in curve(start, end))
    ] == []


@pytest.mark.parametrize("name", [name for name, workflow in WORKFLOWS.items() if not workflow.folder])
def test_graphs_can_be_read_where_they_fit_the_screen(name):
    """On 1600 x 900 the page's Fit View leaves a quarter free; text of 8 pixels can be read, 14 at scale 1."""
    placed = [box for _, box in boxes(WORKFLOWS[name])]
    groups = [frame["bounding"] for frame in forms._layout(WORKFLOWS[name], SCHEMAS)[1]]
    placed += [(x, y, x + width, y + height) for x, y, width, height in groups]
    width, height = (max(box[axis + 2] for box in placed) - min(box[axis] for box in placed) for axis in (0, 1))
    assert 0.75 * min(1600 / width, 900 / height) > 0.59 > 8 / 14


def test_every_socket_type_has_a_colour_of_its_own():
    script = (build.FOLDER.parent / "web" / "socket_colours.js").read_text(encoding="utf-8")
    given = dict(line.strip().rstrip(",").split(": ") for line in script.splitlines() if line.startswith("  MAMBA_"))
    sockets = [s for schema in own_schemas().values() for s in (*schema.inputs, *schema.outputs)]
    assert given.keys() == {s.get_io_type() for s in sockets if s.get_io_type().startswith("MAMBA_")}
    assert len(set(given.values())) == len(given)
