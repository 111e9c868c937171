"""What a widget may hold, by its own schema: the one check of values, of a graph before it runs and of every node when
it runs.

Hosts check some of it: 0.3.64 no choices of V3 nodes, none of them NaN, and nothing that comes over a wire.
"""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any

from ..messages import shown

WIDGETS = ("COMBO", "INT", "FLOAT", "BOOLEAN", "STRING")


def value_fault(socket, value: Any, by_name: bool = False) -> str | None:
    """What is wrong with the value of an input that has a widget: a sentence that names input, value and what it may
    be; None if nothing is.

    socket: an input of a schema. by_name: any text is a choice, as for files, whose loader knows more to say."""
    kind, wanted = str(socket.get_io_type()), None
    if kind == "COMBO":
        options = list(socket.options or ())
        right = isinstance(value, str) and (by_name or value in options)
        wanted = None if right else ", ".join(map(str, options)) or "nothing, as no file is there"
        may_be = "can"
    else:
        may_be = "must"
        if kind in ("INT", "FLOAT") and not _is_number(value, kind == "INT", socket.min, socket.max):
            wanted = f"a {'whole ' if kind == 'INT' else ''}number{_range(socket.min, socket.max)}"
        elif kind == "BOOLEAN" and not isinstance(value, bool):
            wanted = "true or false"
        elif kind == "STRING" and not isinstance(value, str):
            wanted = "text"
    if wanted is None:
        return None
    label = getattr(socket, "display_name", None)
    name = f"'{socket.id}'" + (f" ({label})" if label and label != socket.id else "")
    return f"{name} is {shown(value)}; it {may_be} be {wanted}."


def _is_number(value: Any, whole: bool, low: float | None, high: float | None) -> bool:
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    if not isinstance(value, Integral) and (not math.isfinite(value) or (whole and value != int(value))):
        return False
    return (low is None or value >= low) and (high is None or value <= high)


def _range(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "" if low is high else f" from {low}" if high is None else f" to {high}"
    return f" from {low} to {high}"
