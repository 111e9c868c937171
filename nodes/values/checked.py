"""The check of a node's values before it runs, from its own schema; one for all nodes.

What comes in is not always what the schema says: hosts do not check everything (see `host/widgets.py`), and scripts
send what they like.
"""

from __future__ import annotations

import functools
import inspect
from typing import Any

from ...host import io
from ...host.widgets import WIDGETS, value_fault

FILES = ("weights",)
"""Drop-downs of files: a name that is not among them goes on to the loader, which tells where the file should be."""
TOLD_BY_NODES = ("IMAGE", "AUDIO", "VIDEO")
"""Sockets at which nodes themselves tell that nothing came, and why."""


def checked(node: type[io.ComfyNode]) -> type[io.ComfyNode]:
    """The node, which now checks its values whenever it runs: ValueError, in one sentence, for the first wrong one."""
    run = node.execute.__func__
    signature = inspect.signature(run)

    @functools.wraps(run)
    def execute(cls, *args, **kwargs) -> io.NodeOutput:
        check_values(cls, signature.bind(cls, *args, **kwargs).arguments)
        return run(cls, *args, **kwargs)

    node.execute = classmethod(execute)
    return node


def check_values(node: type[io.ComfyNode], given: dict[str, Any]) -> None:
    """Raise ValueError if one of the values `given` by the inputs' ids is none that the node's schema allows."""
    schema = node.define_schema()
    for socket in schema.inputs:
        if socket.id in given and (fault := _fault(socket, given[socket.id])):
            raise ValueError(f"{schema.display_name}: {fault}")


def _fault(socket, value: Any) -> str | None:
    kind = str(socket.get_io_type())
    if kind in WIDGETS:
        return value_fault(socket, value, socket.id in FILES)
    if value is None and not socket.optional and kind not in TOLD_BY_NODES:
        return f"nothing came in at '{socket.id}'; see the node wired to it."
    return None
