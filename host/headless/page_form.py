"""A graph as ComfyUI's page saves it, turned into the API form as the page does: widget values by name, subgraphs
opened up, notes left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .faults import WorkflowError

NOTES = ("Note", "MarkdownNote")
CONTROLS = ("fixed", "increment", "decrement", "randomize")  # what a page writes after a seed
MUTED, BYPASSED = 2, 4
ENTRY, EXIT = -10, -20  # ids of the boxes where wires come into a subgraph and go out of it


def is_page_form(document) -> bool:
    """Whether this is a file of the page, not of its Export (API)."""
    return isinstance(document, dict) and "nodes" in document and "links" in document


def api_form(document: dict) -> dict:
    """The nodes by id in API form; those inside a subgraph are called `ID:INNER ID`, as on the page.

    WorkflowError for what is not of that form, and for muted and bypassed nodes.
    """
    try:
        return _Level(document, _subgraphs(document)).prompt()
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, RecursionError) as error:
        if isinstance(error, WorkflowError):
            raise
        raise WorkflowError(
            "This graph of ComfyUI's page is damaged or of an unknown form; save it again, or give its API form: "
            "Export (API) in ComfyUI."
        ) from error


def _subgraphs(document: dict) -> dict[str, dict]:
    return {inside["id"]: inside for inside in document.get("definitions", {}).get("subgraphs", [])}


class _Level:
    """A graph, or the inside of a subgraph's node."""

    def __init__(self, graph: dict, subgraphs: dict, prefix: str = "", fed: dict[int, Any] | None = None):
        self.subgraphs, self.prefix, self.fed = subgraphs, prefix, fed or {}
        self.nodes = {int(node["id"]): node for node in graph["nodes"] if node["type"] not in NOTES}
        links = [_ends(link) for link in graph["links"]]
        self.origins = {number: (origin, slot) for number, origin, slot, _ in links}
        self.exits = {slot: number for number, _, _, slot in links if slot is not None}
        self.levels: dict[int, _Level] = {}
        for key, node in self.nodes.items():
            if node.get("mode", 0) in (MUTED, BYPASSED):
                state = "muted" if node["mode"] == MUTED else "bypassed"
                raise WorkflowError(f"node {prefix}{key} ({_title(node)}) is {state}: remove it, or switch it on.")

    def inside(self, key: int) -> _Level:
        """What is inside a subgraph's node."""
        if key not in self.levels:
            node = self.nodes[key]
            graph = self.subgraphs[node["type"]]
            names = [slot["name"] for slot in graph["inputs"]]
            given = dict(self.inputs(node))
            fed = {number: given[name] for number, name in enumerate(names) if name in given}
            self.levels[key] = _Level(graph, self.subgraphs, f"{self.prefix}{key}:", fed)
        return self.levels[key]

    def source(self, link: int) -> Any:
        """What comes along a wire: [node, slot] of a real node, the value of a subgraph's widget, or None."""
        origin, slot = self.origins[link]
        if origin == ENTRY:
            return self.fed.get(slot)
        if self.nodes[origin]["type"] in self.subgraphs:
            level = self.inside(origin)
            return level.source(level.exits[slot])
        return [f"{self.prefix}{origin}", slot]

    def inputs(self, node: dict) -> Iterator[tuple[str, Any]]:
        """Name and value, or [node, slot], of a node's inputs that have one."""
        values = node.get("widgets_values") or []
        named = values if isinstance(values, dict) else dict(_by_name(node, values))
        for entry in node.get("inputs", []):
            value = self.source(entry["link"]) if entry.get("link") is not None else None
            value = named.get(entry["name"]) if value is None and "widget" in entry else value
            if value is not None:
                yield entry["name"], value

    def prompt(self) -> dict:
        """The nodes of this level and of those inside."""
        prompt: dict[str, dict] = {}
        for key, node in self.nodes.items():
            if node["type"] in self.subgraphs:
                prompt |= self.inside(key).prompt()
            else:
                inputs = {name: value for name, value in self.inputs(node) if "." not in name}
                meta = {"title": _title(node)}
                prompt[f"{self.prefix}{key}"] = {"class_type": node["type"], "inputs": inputs, "_meta": meta}
        return prompt


def _ends(link: list | dict) -> tuple[int, int, int, int | None]:
    """Number, origin, its slot, and the slot of the subgraph's output if the wire ends there."""
    if isinstance(link, list):
        number, origin, slot, target, target_slot = link[:5]
    else:
        names = ("id", "origin_id", "origin_slot", "target_id", "target_slot")
        number, origin, slot, target, target_slot = (link[name] for name in names)
    return int(number), int(origin), slot, target_slot if int(target) == EXIT else None


def _by_name(node: dict, values: list) -> Iterator[tuple[str, Any]]:
    """The values of a node's widgets, which stand in the order of the inputs that have one."""
    left = list(values)
    for entry in node.get("inputs", []):
        if "widget" in entry and left:
            yield entry["name"], left.pop(0)
            if left and left[0] in CONTROLS and entry["type"] == "INT":
                left.pop(0)


def _title(node: dict) -> str:
    return node.get("title") or node["type"]
