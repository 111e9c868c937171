"""A description of workflows, and the two forms made from it: for ComfyUI's page and for its API."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from .. import __version__

PACK = "mamba-portrait"  # with the version in each node, so that a manager of packs finds the one that is missing
CORE = "0.3.64"  # the oldest ComfyUI that the pack takes

COLUMN_WIDTH = 280
NOTE_WIDTH = 610  # two columns
GAP = 50
BETWEEN = 30  # groups
PADDING = 20
TITLE = 30  # LiteGraph draws a node's title above its box, and a group's title inside
SLOT = 20
WIDGET = 28  # with EDGE the heights of Nodes 2.0; the classic page's are smaller
EDGE = 38
COLORS = {"input": "#5f98be", "voice": "#88aa88", "motion": "#c060b8", "render": "#b58b2a", "help": "#777"}


@dataclass(frozen=True)
class Out:
    """An output of a node, by the node's key and the output's number."""

    node: str
    slot: int = 0


@dataclass
class Node:
    """A node with the inputs that differ from its defaults."""

    key: str
    type: str
    inputs: dict[str, Any] = field(default_factory=dict)
    title: str | None = None


@dataclass
class Note:
    """A Markdown note on the canvas."""

    text: str
    height: int = 260


@dataclass
class Space:
    """Free room above the next item of a column, or above the next group of a stack."""

    height: int


@dataclass
class Group:
    """A framed part of the canvas: columns of nodes, notes and spaces, left to right."""

    title: str
    color: str
    columns: list[list[Node | Note | Space]]


@dataclass
class Workflow:
    """A named graph: stacks, left to right, each of groups, rows of groups and spaces from top to bottom.

    name: of its file for scripts. title: of its file for the page, which shows it in the template browser. folder: of
    that file below `workflows/`; hosts list the files of `workflows/` itself only.
    """

    name: str
    title: str
    stacks: list[list[Group | list[Group] | Space]]
    folder: str = ""

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
        columns = [c for row in rows for group in row if isinstance(group, Group) for c in group.columns]
        return [item for column in columns for item in column if not isinstance(item, Space)]

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
        return NOTE_WIDTH, item.height
    schema = schemas[item.type]
    sockets = sum(not _is_widget(i) for i in schema.inputs)
    widgets = [i for i in schema.inputs if _is_widget(i)]
    folded = 0 if advanced else sum(bool(getattr(i, "advanced", None)) for i in widgets)
    rows = len(widgets) - folded + bool(folded)
    rows += advanced and any(getattr(i, "control_after_generate", None) for i in widgets)
    height = SLOT * max(sockets, len(schema.outputs)) + WIDGET * rows + EDGE
    preview = {"SaveVideo": 300, "PreviewImage": 260}.get(item.type, 0)
    return COLUMN_WIDTH, height + preview


def _layout(workflow: Workflow, schemas: dict) -> tuple[dict[int, tuple[int, int]], list[dict]]:
    """Top left corners by id(item), and the groups' frames."""
    corners: dict[int, tuple[int, int]] = {}
    frames: list[dict] = []
    x = 0
    for stack in workflow.stacks:
        top, right = 0, x
        for part in stack:
            if isinstance(part, Space):
                top += part.height
                continue
            left, lowest = x, top
            for group in part if isinstance(part, list) else [part]:
                width, height = _place_group(group, left, top, corners, schemas)
                frames.append(_frame(group, len(frames) + 1, [left, top, width, height]))
                left, lowest = left + width + BETWEEN, max(lowest, top + height)
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


def _place_group(group: Group, left: int, top: int, corners: dict, schemas: dict) -> tuple[int, int]:
    """Give each of a group's items its corner; returns the frame's width and height."""
    x, lowest = left + PADDING, top
    for column in group.columns:
        y = top + TITLE + PADDING
        for item in column:
            if isinstance(item, Space):
                y += item.height
                continue
            corners[id(item)] = (x, y + TITLE)
            y += TITLE + _size(item, schemas, advanced=True)[1] + PADDING
        lowest = max(lowest, y)
        x += max(_size(item, schemas, True)[0] for item in column if not isinstance(item, Space)) + GAP
    return x - GAP + PADDING - left, lowest - top


def ui_form(workflow: Workflow, schemas: dict) -> dict:
    """The form that ComfyUI's page opens: positions, sizes, links by number, widget values in order."""
    corners, frames = _layout(workflow, schemas)
    ids = {node.key: int(node.key) for node in workflow.nodes()}
    links: list[list] = []
    nodes = [_ui_node(node, schemas[node.type], ids, schemas, workflow, links) for node in workflow.nodes()]
    by_id = {node["id"]: node for node in nodes}
    for number, origin, slot, *_ in links:
        by_id[origin]["outputs"][slot]["links"].append(number)
    next_id = max(ids.values())
    for item in workflow.items():
        if isinstance(item, Note):
            next_id += 1
            nodes.append(_ui_note(item, next_id))
    for item, node in zip(
        [*workflow.nodes(), *(i for i in workflow.items() if isinstance(i, Note))], nodes, strict=True
    ):
        node["pos"], node["size"] = list(corners[id(item)]), list(_size(item, schemas, advanced=False))
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{PACK}/{workflow.name}")),
        "revision": 0,
        "last_node_id": next_id,
        "last_link_id": len(links),
        "nodes": nodes,
        "links": links,
        "groups": frames,
        "config": {},
        "extra": {"ds": {"scale": 0.6, "offset": [60, 80]}},
        "version": 0.4,
    }


def _ui_node(node: Node, schema, ids: dict, schemas: dict, workflow: Workflow, links: list[list]) -> dict:
    """One node; its incoming links are added to `links`."""
    types = {n.key: [o.get_io_type() for o in schemas[n.type].outputs] for n in workflow.nodes()}
    inputs, values = [], []
    for socket in _page_order(schema.inputs):
        value = node.inputs.get(socket.id, getattr(socket, "default", None))
        entry: dict[str, Any] = {"name": socket.id, "type": socket.get_io_type(), "link": None}
        if socket.optional:
            entry["shape"] = 7  # LiteGraph's hollow dot
        if _is_widget(socket):
            entry["widget"] = {"name": socket.id}
            values.append(getattr(socket, "default", None) if isinstance(value, Out) else value)
            if getattr(socket, "control_after_generate", None):
                values.append("fixed")
        if isinstance(value, Out):
            entry["link"] = len(links) + 1
            links.append(
                [
                    len(links) + 1,
                    ids[value.node],
                    value.slot,
                    ids[node.key],
                    len(inputs),
                    types[value.node][value.slot],
                ]
            )
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
        "id": ids[node.key],
        "type": node.type,
        "flags": {},
        "order": list(ids).index(node.key),
        "mode": 0,
        "inputs": inputs,
        "outputs": outputs,
        "properties": properties,
        "widgets_values": values,
    }
    return entry | ({"title": node.title} if node.title else {})


def _page_order(inputs: list) -> list:
    """ComfyUI's page puts required inputs before optional ones."""
    return [i for i in inputs if not i.optional] + [i for i in inputs if i.optional]


def _ui_note(note: Note, number: int) -> dict:
    return {
        "id": number,
        "type": "MarkdownNote",
        "title": "Read me",
        "flags": {},
        "order": number,
        "mode": 0,
        "inputs": [],
        "outputs": [],
        "properties": {},
        "widgets_values": [note.text],
        "color": "#432",
        "bgcolor": "#653",
    }
