"""Workflow files with the nodes of the pack, without ComfyUI."""

from __future__ import annotations

import asyncio
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
    """The path of a workflow file; an example's path of earlier versions, `workflows/NAME_api.json`, means
    `workflows/api/NAME.json`."""
    path = Path(workflow)
    now = path.parent / "api" / f"{path.stem.removesuffix('_api')}.json"
    return now if path.stem.endswith("_api") and not path.exists() and now.is_file() else path


def run_workflow(workflow: dict | str | Path, overrides: dict[str, Any] | None = None, **options: Any) -> Run:
    """Run an API-form workflow on the pack's nodes; options as in `host.headless.workflow.run_workflow`."""
    graph = workflow if isinstance(workflow, dict) else current_path(workflow)
    return run_with(graph, node_classes(), overrides, **options)
