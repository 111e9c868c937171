"""Workflow files with the nodes of the pack, without ComfyUI."""

from __future__ import annotations

import asyncio
import glob
from pathlib import Path
from typing import Any

from ..host.headless.core_nodes import CORE_NODES
from ..host.headless.workflow import Run
from ..host.headless.workflow import run_workflow as run_with
from . import MambaPortraitExtension


def node_classes() -> dict[str, type]:
    """All nodes by id: the pack's, from its extension as in ComfyUI, and the headless versions of ComfyUI's own."""

    async def list_nodes() -> list[type]:
        extension = MambaPortraitExtension()
        await extension.on_load()
        return await extension.get_node_list()

    return {cls.GET_SCHEMA().node_id: cls for cls in (*CORE_NODES, *asyncio.run(list_nodes()))}


def current_path(workflow: str | Path) -> Path:
    """The path of a workflow file. An example's path of earlier versions means the example of today: `NAME_api.json`
    and `NAME.json` are `api/NAME.json`, and a template with another number is the one of that title."""
    path = Path(workflow)
    if path.exists():
        return path
    twin = path.parent / "api" / f"{path.stem.removesuffix('_api')}.json"
    number, _, title = path.stem.partition(" ")
    renumbered = sorted(path.parent.glob(f"[0-9]* {glob.escape(title)}.json")) if number.isdigit() else []
    return next((found for found in (twin, *renumbered) if found.is_file()), path)


def run_workflow(workflow: dict | str | Path, overrides: dict[str, Any] | None = None, **options: Any) -> Run:
    """Run a workflow on the pack's nodes; options as in `host.headless.workflow.run_workflow`."""
    graph = workflow if isinstance(workflow, dict) else current_path(workflow)
    return run_with(graph, node_classes(), overrides, **options)
