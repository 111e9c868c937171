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


def boxes(workflow):
    """Each node's and note's (left, top, right, bottom), with its title and with all widgets shown."""
    corners, _ = forms._layout(workflow, SCHEMAS)
    for item in workflow.items():
        (x, y), (width, height) = corners[id(item)], forms._size(item, SCHEMAS, advanced=True)
        if not is_box(item):
            yield item, (x, y - forms.TITLE, x + width, y + height)


def input_height(schema, name):
    """Of an input's socket below its node's upper edge."""
    sockets = [i.id for i in forms._page_order(schema.inputs) if not forms._is_widget(i)]
    widgets = [i.id for i in forms._page_order(schema.inputs) if forms._is_widget(i)]
    if name in sockets:
        return 14 + forms.SLOT * sockets.index(name)
    return forms.SLOT * max(len(sockets), len(schema.outputs)) + 16 + WIDGET_ROW * widgets.index(name)


def wires(workflow):
    """(from, to, input), start and end of every wire."""
    corners, _ = forms._layout(workflow, SCHEMAS)
    nodes = {node.key: node for node in workflow.nodes()}
    for node in workflow.nodes():
        for name, value in node.inputs.items():
            if isinstance(value, forms.Out):
                x, y = corners[id(nodes[value.node])]
                start = (x + forms.COLUMN_WIDTH - ROUND, y + 14 + forms.SLOT * value.slot)
                x, y = corners[id(node)]
                yield (value.node, node.key, name), start, (x + ROUND, y + input_height(SCHEMAS[node.type], name))


@pytest.mark.parametrize("name", WORKFLOWS)
def test_nodes_lie_inside_their_groups_and_do_not_touch(name):
    placed = [box for _, box in boxes(WORKFLOWS[name])]
    groups = [frame["bounding"] for frame in forms._layout(WORKFLOWS[name], SCHEMAS)[1]]
    for number, (left, top, right, bottom) in enumerate(placed):
        assert any(x < left and y + forms.TITLE < top and right < x + w and bottom < y + h for x, y, w, h in groups)
        for l2, t2, r2, b2 in placed[:number]:
            assert left >= r2 + 10 or l2 >= right + 10 or top >= b2 + 10 or t2 >= bottom + 10


@pytest.mark.parametrize("name", WORKFLOWS)
def test_no_wire_runs_behind_a_node(name, curve):
    workflow = WORKFLOWS[name]
    assert [
        (wire, getattr(item, "key", "note"))
        for wire, start, end in wires(workflow)
        for item, (left, top, right, bottom) in boxes(workflow)
        if any(left + 12 < x < right - 12 and top < y < bottom for x, y in curve(start, end))
    ] == []


@pytest.mark.parametrize(
    "name", ["one_node", "talking_portrait", "talking_portrait_pasted_back", "driven_by_video", one_node.NAME]
)
def test_graphs_can_be_read_where_they_fit_the_screen(name):
    """On 1600 x 900 the page's Fit View leaves a quarter free; it writes text of 8 pixels and more, 14 at scale 1."""
    placed = [box for _, box in boxes(WORKFLOWS[name])]
    groups = [frame["bounding"] for frame in forms._layout(WORKFLOWS[name], SCHEMAS)[1]]
    placed += [(x, y, x + width, y + height) for x, y, width, height in groups]
    width, height = (max(box[axis + 2] for box in placed) - min(box[axis] for box in placed) for axis in (0, 1))
    assert 0.75 * min(1600 / width, 900 / height) > 8 / 14


def test_every_socket_type_has_a_colour_of_its_own():
    script = (build.FOLDER.parent / "web" / "socket_colours.js").read_text(encoding="utf-8")
    given = dict(line.strip().rstrip(",").split(": ") for line in script.splitlines() if line.startswith("  MAMBA_"))
    sockets = [s for schema in own_schemas().values() for s in (*schema.inputs, *schema.outputs)]
    assert given.keys() == {s.get_io_type() for s in sockets if s.get_io_type().startswith("MAMBA_")}
    assert len(set(given.values())) == len(given)
