"""A workflow in ComfyUI's API form, checked against the schemas of its nodes before anything runs."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...messages import shown
from ..widgets import WIDGETS, value_fault
from .faults import WorkflowError
from .page_form import api_form, is_page_form


@dataclass(frozen=True)
class Link:
    """An input wired to an output of another node."""

    node: str
    slot: int


def is_link(value: Any) -> bool:
    """API files write a link as [node id, output number]."""
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], int)


class Graph:
    """Nodes by id: class, title and inputs (values or `Link`s)."""

    def __init__(self, prompt: dict, node_classes: dict[str, type]):
        if not isinstance(prompt, dict):
            raise WorkflowError("This is no workflow: it should be an object with a node for each id.")
        self.classes: dict[str, type] = {}
        self.titles: dict[str, str] = {}
        self.inputs: dict[str, dict[str, Any]] = {}
        for node_id, node in prompt.items():
            if not (isinstance(node, dict) and isinstance(node.get("class_type"), str)):
                raise WorkflowError(f"node {node_id}: there is no class_type; this is not a workflow in API form.")
            name = node["class_type"]
            if name not in node_classes:
                raise WorkflowError(f"node {node_id}: there is no node {shown(name)} here.")
            inputs, meta = node.get("inputs", {}), node.get("_meta", {})
            if not (isinstance(inputs, dict) and isinstance(meta, dict)):
                raise WorkflowError(f"node {node_id}: its inputs and _meta should be objects.")
            self.classes[node_id] = node_classes[name]
            self.titles[node_id] = str(meta.get("title", name))
            self.inputs[node_id] = {k: Link(*v) if is_link(v) else v for k, v in inputs.items()}
        self.schemas = {node_id: cls.GET_SCHEMA() for node_id, cls in self.classes.items()}

    @classmethod
    def read(cls, workflow: dict | str | Path, node_classes: dict[str, type]) -> Graph:
        """From a dict or a JSON file, in API form or as ComfyUI's page saves it."""
        if not isinstance(workflow, dict):
            path = Path(workflow)
            if not path.is_file():
                raise FileNotFoundError(f"There is no workflow file '{path}'.")
            try:
                workflow = json.loads(path.read_text(encoding="utf-8"))
            except (ValueError, RecursionError) as error:
                where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
                raise WorkflowError(f"{path.name} is no workflow: it is not JSON{where}.") from error
        return cls(api_form(workflow) if is_page_form(workflow) else workflow, node_classes)

    def override(self, key: str, value: Any) -> None:
        """Set one input: `ID.INPUT`, or `CLASS.INPUT` / `TITLE.INPUT` where only one node has that class or title. A
        title may be given without what it says in brackets."""
        name, _, input_id = key.rpartition(".")
        found = [
            node_id
            for node_id, title in self.titles.items()
            if name in (node_id, title, title.partition(" (")[0], self.schemas[node_id].node_id)
        ]
        if len(found) != 1:
            many = "several nodes have" if found else "no node has"
            raise WorkflowError(f"cannot set '{key}': {many} the id, title or class '{name}'.")
        known = [i.id for i in self.schemas[found[0]].inputs]
        if input_id not in known:
            raise WorkflowError(f"cannot set '{key}': the inputs of {self.label(found[0])} are {', '.join(known)}.")
        self.inputs[found[0]][input_id] = value

    def label(self, node_id: str) -> str:
        """A node's name in messages."""
        return f"node {node_id} ({self.titles[node_id]})"

    def outputs(self) -> list[str]:
        """Ids of the output nodes, which save or show something."""
        return [node_id for node_id, schema in self.schemas.items() if schema.is_output_node]

    def order(self, wanted: list[str]) -> list[str]:
        """The wanted nodes and their dependencies in topological order."""
        done: list[str] = []
        open_nodes: list[str] = []

        def visit(node_id: str) -> None:
            if node_id in done:
                return
            if node_id in open_nodes:
                raise WorkflowError(f"{self.label(node_id)}: its inputs lead in a circle back to itself.")
            open_nodes.append(node_id)
            for value in self.inputs[node_id].values():
                if isinstance(value, Link):
                    visit(value.node)
            open_nodes.remove(node_id)
            done.append(node_id)

        for node_id in wanted:
            visit(node_id)
        return done

    def validate(self) -> None:
        """Raise one `WorkflowError` with every fault of the whole graph."""
        faults = [f"{self.label(node_id)}: {fault}" for node_id in self.classes for fault in self._faults(node_id)]
        if not self.outputs():
            faults.append("no node saves or shows anything; add one such as SaveVideo.")
        if faults:
            raise WorkflowError("\n".join(faults))

    def _faults(self, node_id: str) -> Iterator[str]:
        given = self.inputs[node_id]
        known = {socket.id: socket for socket in self.schemas[node_id].inputs}
        for name in given:
            if name not in known:
                yield f"there is no input '{name}'."
        custom = self.classes[node_id].__dict__.get("validate_inputs")
        checked_by_node = set(inspect.signature(custom.__func__).parameters) if custom else set()
        for name, socket in known.items():
            value = given.get(name, getattr(socket, "default", None))
            if isinstance(value, Link):
                yield from self._link_faults(name, socket, value)
            elif value is None:
                if not socket.optional:
                    yield f"the input '{name}' is missing."
            elif name not in checked_by_node:
                yield from _value_faults(name, socket, value)
        if custom:
            own = {
                n: None if isinstance(v := given.get(n, getattr(known[n], "default", None)), Link) else v
                for n in checked_by_node
                if n in known
            }
            verdict = self.classes[node_id].validate_inputs(**own)
            if verdict is not True:
                yield str(verdict)

    def _link_faults(self, name: str, socket, link: Link) -> Iterator[str]:
        if link.node not in self.classes:
            yield f"the input '{name}' is wired to node {link.node}, which is not there."
            return
        outputs = self.schemas[link.node].outputs
        if not 0 <= link.slot < len(outputs):
            origin = f"output {link.slot} of {self.label(link.node)}, which has {len(outputs)}"
            yield f"the input '{name}' is wired to {origin}."
            return
        offered, wanted = outputs[link.slot].get_io_type(), socket.get_io_type()
        if "*" not in (offered, wanted) and offered != wanted:
            yield f"the input '{name}' takes {wanted}, but {self.label(link.node)} gives {offered}."


def _value_faults(name: str, socket, value: Any) -> Iterator[str]:
    if str(socket.get_io_type()) in WIDGETS:
        if fault := value_fault(socket, value):
            yield fault
    elif not hasattr(socket, "default"):
        yield f"'{name}' must be wired to another node."
