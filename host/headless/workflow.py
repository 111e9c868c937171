"""Runs workflow files without ComfyUI, with the given node classes and ComfyUI's JSON, order and caching."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import settings as headless
from .faults import WorkflowError
from .graph import Graph, Link

__all__ = ["NodeError", "Run", "WorkflowError", "run_workflow"]

Progress = Callable[[str, str, int, int], None]


class NodeError(RuntimeError):
    """A node failed; the message names it and has the cause's message."""


@dataclass
class Run:
    """The results of a run."""

    outputs: dict[str, tuple] = field(default_factory=dict)  # node id -> its outputs
    ui: dict[str, dict] = field(default_factory=dict)  # node id -> its ui output
    seconds: dict[str, float] = field(default_factory=dict)  # node id -> time it took; cached nodes are not listed
    titles: dict[str, str] = field(default_factory=dict)

    @property
    def files(self) -> list[Path]:
        """Everything that was saved."""
        return [Path(name) for shown in self.ui.values() for name in shown.get("files", ())]


def run_workflow(
    workflow: dict | str | Path,
    classes: dict[str, type],
    overrides: dict[str, Any] | None = None,
    *,
    input_dir: str | Path | None = None,
    output_dir: str | Path | None = None,
    progress: Progress | None = None,
    cache: dict | None = None,
) -> Run:
    """Run a workflow in API form or as ComfyUI's page saves it, and return its nodes' outputs.

    classes: the nodes by id. overrides: {"12.seed": 3}; a node's class or title may replace its id. input_dir,
    output_dir: folders of load and save nodes, and, with a temporary folder, the only ones where a graph reads and
    writes. progress: called (node id, title, done, total) when a node starts and at each of its steps; it may raise to
    cancel. cache: with the same dict, nodes whose inputs did not change are not run again.
    Raises WorkflowError before anything runs, NodeError when a node fails, headless.Interrupted when cancelled.
    """
    cache = {} if cache is None else cache
    changes = {"input_directory": input_dir, "output_directory": output_dir}
    with headless.configure(**{k: Path(v) for k, v in changes.items() if v is not None}):
        graph = Graph.read(workflow, classes)  # some lists of choices hold the files of these folders
        for key, value in (overrides or {}).items():
            graph.override(key, value)
        graph.validate()
        return _execute(graph, cache, progress)


def _execute(graph: Graph, cache: dict, progress: Progress | None) -> Run:
    run = Run(titles=dict(graph.titles))
    signatures: dict[str, str] = {}
    for node_id in graph.order(graph.outputs()):
        headless.check_interrupt()
        signature = signatures[node_id] = _signature(graph, node_id, signatures)
        if signature not in cache or graph.schemas[node_id].is_output_node:
            started = time.perf_counter()
            cache[signature] = _run_node(graph, node_id, run, progress)
            run.seconds[node_id] = time.perf_counter() - started
        output = cache[signature]
        run.outputs[node_id] = output.result or ()
        if output.ui is not None:
            run.ui[node_id] = output.ui if isinstance(output.ui, dict) else output.ui.as_dict()
    return run


def _values(graph: Graph, node_id: str) -> dict[str, Any]:
    """An input's given value or its default; optional inputs that have neither are left out."""
    values = {}
    for socket in graph.schemas[node_id].inputs:
        value = graph.inputs[node_id].get(socket.id, getattr(socket, "default", None))
        if value is not None:
            values[socket.id] = value
    return values


def _signature(graph: Graph, node_id: str, signatures: dict[str, str]) -> str:
    """Cache key of a node: equal for equal class and inputs."""
    values = _values(graph, node_id)
    parts = {name: [signatures[v.node], v.slot] if isinstance(v, Link) else v for name, v in values.items()}
    fingerprint = graph.classes[node_id].__dict__.get("fingerprint_inputs")
    plain = {name: v for name, v in values.items() if not isinstance(v, Link)}
    if fingerprint is not None and len(plain) == len(values):
        parts["_fingerprint"] = repr(graph.classes[node_id].fingerprint_inputs(**plain))
    return json.dumps([graph.schemas[node_id].node_id, parts], sort_keys=True)


class Items(list):
    """An output that is a list: nodes after it run once for each item, as in ComfyUI."""


def _run_node(graph: Graph, node_id: str, run: Run, progress: Progress | None) -> Any:
    """The node's output; after a list that of all its runs, and the last item goes with what a longer list has left."""
    values = {
        name: run.outputs[value.node][value.slot] if isinstance(value, Link) else value
        for name, value in _values(graph, node_id).items()
    }
    title = graph.titles[node_id]
    lists = [value for value in values.values() if isinstance(value, Items)]
    if any(not items for items in lists):
        raise NodeError(f"{graph.label(node_id)}: nothing came in: a list before it is empty.")
    outputs = []
    for number in range(max(map(len, lists), default=1)):
        items = {k: v[min(number, len(v) - 1)] if isinstance(v, Items) else v for k, v in values.items()}
        outputs.append(_run_once(graph, node_id, title, items, progress))
    if not lists:
        (output,) = outputs
        slots = [Items(v) if s.is_output_list else v for s, v in _slots(graph, node_id, output)]
        return type(output)(*slots, ui=output.ui)
    columns = zip(*(_slots(graph, node_id, output) for output in outputs), strict=True)
    joined = [Items(x for s, v in column for x in (v if s.is_output_list else [v])) for column in columns]
    return type(outputs[0])(*joined, ui=_joined_ui([output.ui for output in outputs]))


def _slots(graph: Graph, node_id: str, output) -> list[tuple]:
    """(socket, value) of each output of a node that ran once."""
    return list(zip(graph.schemas[node_id].outputs, output.result or (), strict=False))


def _joined_ui(shown: list) -> dict | None:
    """What several runs of a node show: the lists of each, one after the other."""
    joined: dict[str, list] = {}
    for one in filter(None, shown):
        for key, items in (one if isinstance(one, dict) else one.as_dict()).items():
            joined.setdefault(key, []).extend(items)
    return joined or None


def _run_once(graph: Graph, node_id: str, title: str, values: dict[str, Any], progress: Progress | None) -> Any:
    report = None
    if progress is not None:
        progress(node_id, title, 0, 1)

        def report(done: int, total: int) -> None:
            progress(node_id, title, done, total)

    with headless.configure(progress=report):
        try:
            return graph.classes[node_id].execute(**values)
        except headless.Interrupted:
            raise
        except Exception as error:
            raise NodeError(f"{graph.label(node_id)}: {error}") from error
