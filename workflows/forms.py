"""A description of workflows, and the two forms made from it: for ComfyUI's page and for its API."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from .. import __version__

PACK = "mamba-portrait"  # with the version in each node, so that a manager of packs finds the one that is missing
CORE = "0.3.64"  # the oldest ComfyUI that the pack takes

COLUMN_WIDTH = 250
NOTE_WIDTH = 540  # two columns
COLLAPSED_WIDTH = 225  # of a node's title alone in Nodes 2.0; the classic page's are narrower
GAP = 40
BETWEEN = 14  # groups
PADDING = 18  # above and below nodes
MARGIN = 12  # beside the nodes of a group
TITLE = 30  # LiteGraph draws a node's title above its box, and a group's title inside
SLOT = 20
WIDGET = 28  # with EDGE the heights of Nodes 2.0; the classic page's are smaller
TEXT = 60  # that a text of several lines is higher than a widget
EDGE = 38
COLORS = {"input": "#5f98be", "voice": "#88aa88", "motion": "#c060b8", "render": "#b58b2a", "help": "#777"}


@dataclass(frozen=True)
class Out:
    """An output of a node, by the node's key and the output's number; value: what a widget wired to it shows."""

    node: str
    slot: int = 0
    value: Any = None


@dataclass
class Node:
    """A node with the inputs that differ from its defaults. collapsed: shown as its title alone."""

    key: str
    type: str
    inputs: dict[str, Any] = field(default_factory=dict)
    title: str | None = None
    collapsed: bool = False


@dataclass
class Note:
    """A Markdown note on the canvas."""

    text: str
    height: int = 260
    width: int = NOTE_WIDTH
    collapsed = False


@dataclass
class Group:
    """A part of the canvas: columns of nodes and notes, left to right, in a frame where there is a title. at: the
    corner of a group that does not follow the one before it in the stack."""

    title: str
    color: str
    columns: list[list[Node | Note]]
    at: tuple[int, int] | None = None


@dataclass
class Workflow:
    """A named graph: stacks, left to right, each of groups and rows of groups from top to bottom.

    name: of its file for scripts. title: of its file for the page, which shows it in the template browser. folder: of
    that file below `workflows/`; hosts list the files of `workflows/` itself only. room: free room above nodes, by
    their keys, so that wires run between the nodes.
    """

    name: str
    title: str
    stacks: list[list[Group | list[Group]]]
    folder: str = ""
    room: dict[str, int] = field(default_factory=dict)

    @property
    def page_file(self) -> str:
        """The page's file, below `workflows/`."""
        return f"{self.folder}/{self.title}.json".lstrip("/")

    @property
    def api_file(self) -> str:
        """The file for scripts, below `workflows/`."""
        return f"api/{self.name}.json"

    def items(self) -> list[Node | Note]:
        rows = [part if isinstance(part, list) else [part] for stack in self.stacks for part in stack]
        return [item for row in rows for group in row for column in group.columns for item in column]

    def nodes(self) -> list[Node]:
        return [item for item in self.items() if isinstance(item, Node)]


def api_form(workflow: Workflow, schemas: dict) -> dict:
    """The form that /prompt and `mamba_portrait run` take."""
    prompt = {}
    for node in workflow.nodes():
        schema = schemas[node.type]
        inputs = {}
        for socket in schema.inputs:
            value = node.inputs.get(socket.id, getattr(socket, "default", None))
            if isinstance(value, Out):
                inputs[socket.id] = [value.node, value.slot]
            elif value is not None:
                inputs[socket.id] = value
        prompt[node.key] = {
            "class_type": node.type,
            "inputs": inputs,
            "_meta": {"title": node.title or schema.display_name or node.type},
        }
    return prompt


def _is_widget(socket) -> bool:
    return hasattr(socket, "default") and not getattr(socket, "force_input", None)


def _size(item: Node | Note, schemas: dict, advanced: bool) -> tuple[int, int]:
    """Width and height without the title, as Nodes 2.0 draws it; with the advanced widgets, or with them folded away.

    A page that shows more makes the node higher when it opens the graph."""
    if isinstance(item, Note):
        return item.width, item.height
    schema = schemas[item.type]
    sockets = sum(not _is_widget(i) for i in schema.inputs)
    widgets = [i for i in schema.inputs if _is_widget(i)]
    folded = 0 if advanced else sum(bool(getattr(i, "advanced", None)) for i in widgets)
    rows = len(widgets) - folded + bool(folded)
    rows += advanced and any(getattr(i, "control_after_generate", None) for i in widgets)
    height = SLOT * max(sockets, len(schema.outputs)) + WIDGET * rows + EDGE
    height += TEXT * sum(bool(getattr(i, "multiline", None)) for i in widgets)
    preview = {"SaveVideo": 300, "PreviewImage": 260, "MambaPortraitEditExpression": 240}.get(item.type, 0)
    return COLUMN_WIDTH, height + preview


def _drawn_size(item: Node | Note, schemas: dict) -> tuple[int, int]:
    """The room that an item takes below its title: with all widgets, or nothing for one that is collapsed."""
    return (COLLAPSED_WIDTH, 0) if item.collapsed else _size(item, schemas, advanced=True)


def _layout(workflow: Workflow, schemas: dict) -> tuple[dict[int, tuple[int, int]], list[dict]]:
    """Top left corners by id(item), and the groups' frames."""
    corners: dict[int, tuple[int, int]] = {}
    frames: list[dict] = []
    x = 0
    for stack in workflow.stacks:
        top, right = 0, x
        for part in stack:
            left, lowest = x, top
            for group in part if isinstance(part, list) else [part]:
                room = [[workflow.room.get(getattr(i, "key", ""), 0) for i in column] for column in group.columns]
                lower = min(column[0] for column in room)  # the frame moves with its nodes
                room = [[column[0] - lower, *column[1:]] for column in room]
                a, b = group.at or (left, top + lower)
                width, height = _place_group(group, a, b, corners, schemas, room)
                if group.title:
                    frames.append(_frame(group, len(frames) + 1, [a, b, width, height]))
                left, lowest = left + width + BETWEEN, max(lowest, top + lower + height)
            top, right = lowest + BETWEEN, max(right, left - BETWEEN)
        x = right + BETWEEN
    return corners, frames


def _frame(group: Group, number: int, bounding: list[int]) -> dict:
    return {
        "id": number,
        "title": group.title,
        "bounding": bounding,
        "color": COLORS[group.color],
        "font_size": 24,
        "flags": {},
    }


def _place_group(group: Group, left: int, top: int, corners: dict, schemas: dict, room: list) -> tuple[int, int]:
    """Give each of a group's items its corner, with the room above it; returns the frame's width and height."""
    x, lowest = left + MARGIN, top
    for column, free in zip(group.columns, room, strict=True):
        y = top + TITLE + PADDING
        for item, above in zip(column, free, strict=True):
            y += above
            corners[id(item)] = (x, y + TITLE)
            y += TITLE + _drawn_size(item, schemas)[1] + PADDING
        lowest = max(lowest, y)
        x += max(_drawn_size(item, schemas)[0] for item in column) + GAP
    return x - GAP + MARGIN - left, lowest - top


def parts(workflow: Workflow, schemas: dict) -> tuple[list[dict], list[list], list[dict]]:
    """Nodes, links and groups of the page's form: positions, sizes, links by number, widget values in order."""
    corners, frames = _layout(workflow, schemas)
    links: list[list] = []
    types = {node.key: [o.get_io_type() for o in schemas[node.type].outputs] for node in workflow.nodes()}
    nodes = [_ui_node(node, schemas[node.type], types, links) for node in workflow.nodes()]
    by_id = {node["id"]: node for node in nodes}
    for number, origin, slot, *_ in links:
        by_id[origin]["outputs"][slot]["links"].append(number)
    notes = [item for item in workflow.items() if isinstance(item, Note)]
    for number, item in enumerate(notes, max(by_id) + 1):
        nodes.append(_ui_note(item, number))
    for order, (item, node) in enumerate(zip([*workflow.nodes(), *notes], nodes, strict=True)):
        node["pos"], node["size"] = list(corners[id(item)]), list(_size(item, schemas, advanced=False))
        node["order"] = order
    return nodes, links, frames


def ui_form(workflow: Workflow, schemas: dict) -> dict:
    """The form that ComfyUI's page opens."""
    nodes, links, frames = parts(workflow, schemas)
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{PACK}/{workflow.name}")),
        "revision": 0,
        "last_node_id": max(node["id"] for node in nodes),
        "last_link_id": len(links),
        "nodes": nodes,
        "links": links,
        "groups": frames,
        "config": {},
        "extra": {"ds": {"scale": 0.6, "offset": [60, 80]}},
        "version": 0.4,
    }


def _ui_node(node: Node, schema, types: dict[str, list[str]], links: list[list]) -> dict:
    """One node; its incoming links are added to `links`. types: of each node's outputs."""
    inputs, values = [], []
    for socket in _page_order(schema.inputs):
        value = node.inputs.get(socket.id, getattr(socket, "default", None))
        entry: dict[str, Any] = {"name": socket.id, "type": socket.get_io_type(), "link": None}
        if socket.optional:
            entry["shape"] = 7  # LiteGraph's hollow dot
        if _is_widget(socket):
            entry["widget"] = {"name": socket.id}
            shown = value.value if isinstance(value, Out) else value
            values.append(getattr(socket, "default", None) if shown is None else shown)
            if getattr(socket, "control_after_generate", None):
                values.append("fixed")
        if isinstance(value, Out):
            entry["link"] = len(links) + 1
            ends = [int(value.node), value.slot, int(node.key), len(inputs)]
            links.append([len(links) + 1, *ends, types[value.node][value.slot]])
        inputs.append(entry)
    outputs = [
        {"name": o.display_name or o.get_io_type(), "type": o.get_io_type(), "slot_index": i, "links": []}
        for i, o in enumerate(schema.outputs)
    ]
    ours = node.type.startswith("MambaPortrait")
    properties = {
        "Node name for S&R": node.type,
        "cnr_id": PACK if ours else "comfy-core",
        "ver": __version__ if ours else CORE,
    }
    entry = {
        "id": int(node.key),
        "type": node.type,
        "flags": {"collapsed": True} if node.collapsed else {},
        "mode": 0,
        "inputs": inputs,
        "outputs": outputs,
        "properties": properties,
        "widgets_values": values,
    }
    return entry | ({"title": node.title} if node.title else {})


def _page_order(inputs: list) -> list:
    """ComfyUI's page puts sockets before widgets, and of each the required before the optional ones."""
    return sorted(inputs, key=lambda socket: (_is_widget(socket), bool(socket.optional)))


def _ui_note(note: Note, number: int) -> dict:
    return {
        "id": number,
        "type": "MarkdownNote",
        "title": "Read me",
        "flags": {},
        "mode": 0,
        "inputs": [],
        "outputs": [],
        "properties": {},
        "widgets_values": [note.text],
        "color": "#432",
        "bgcolor": "#653",
    }
